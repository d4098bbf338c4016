"""Effective receptive fields of several models, side by side."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from PIL import Image

from tfseg.data.image_files import read_image
from tfseg.encoders import ENCODERS, create_encoder
from tfseg.errors import TfsegError
from tfseg.evaluation.receptive_field import dilation_periods, picture, receptive_field
from tfseg.files import atomic_write
from tfseg.inference.predict_files import find_images
from tfseg.inference.predictor import load
from tfseg.layers.dilated import FILTERS
from tfseg.models import Preprocessing, create_model


def measure_fields(
    run_dirs: Sequence[str] = (),
    model: str = "drn_c_26",
    model_options: Mapping[str, Any] | None = None,
    dilated_types: Sequence[str] = tuple(FILTERS),
    *,
    output: str | None = None,
    source: str = "images",
    images: Iterable[str] = (),
    num_images: int = 4,
    image_size: int = 321,
    reach: int = 20,
    seed: int = 0,
    picture_path: str | None = None,
    on_field: Callable[[dict[str, Any]], None] | None = None,
) -> list[dict[str, Any]]:
    """Measures the fields of trained models, or of fresh ones with every dilated type.

    Args:
        run_dirs: trained models; without any, the next three say what is measured.
        model, model_options: an encoder or model, with fresh weights.
        dilated_types: which to compare.
        output: whose middle is looked at; default the encoder's output.
        source: with respect to what: images, or an encoder's stage.
        images: image files, folders and lists; default standard-normal noise.
        num_images: how many to average over.
        image_size: height and width that they are resized to.
        reach: inputs drawn on each side of the middle.
        seed: of fresh weights and noise.
        picture_path: a PNG file to write, or None.
        on_field: called with each result as it comes.

    Returns:
        [{"name", "r50", "r95": radii that hold half and 95% of the field, "gridding": {rate:
        index}}, …].
    """
    fields, titles, results = [], [], []
    size = (image_size, image_size)
    for title, network, preprocessing in _models(
        run_dirs, model, model_options or {}, dilated_types, seed
    ):
        end = output or getattr(network, "encoder", network).pyramid[-1]
        channels = network.input_shape[-1]
        batches = _batches(preprocessing, list(images), num_images, (*size, channels), seed)
        field = receptive_field(network, batches, end, source)
        index = {rate: field.gridding(rate) for rate in dilation_periods(network, source)}
        fields.append(field)
        titles.append(f"{title}  {max(index.values(), default=0):.2f}")
        results.append(
            {"name": title, "r50": field.radius(0.5), "r95": field.radius(), "gridding": index}
        )
        if on_field:
            on_field(results[-1])
    if picture_path:
        with atomic_write(picture_path) as file:
            image = Image.fromarray(picture(fields, titles, reach))
            image.quantize(64).save(file, "png", optimize=True)
    return results


def _models(run_dirs, name, options, dilated_types, seed):
    """Yields (title, model, preprocessing) of everything that is compared."""
    for run_dir in run_dirs:
        predictor = load(run_dir)
        title = predictor.spec.options.get("dilated_type", predictor.spec.name)
        yield title, predictor.model, predictor.spec.preprocessing
    for dilated_type in () if run_dirs else dilated_types:
        keras.utils.set_random_seed(seed)
        settings = {**options, "dilated_type": dilated_type}
        if name in ENCODERS:
            yield dilated_type, create_encoder(name, **settings), Preprocessing()
        else:
            yield dilated_type, create_model(name, 2, **settings), Preprocessing()


def _batches(preprocessing, images, count, shape, seed):
    """Yields normalised float32 [1, H, W, C]."""
    if not images:
        generator = np.random.default_rng(seed)
        for _ in range(count):
            yield generator.standard_normal((1, *shape), np.float32)
        return
    preprocessing.bands.require_rgb("a receptive field on images")
    if shape[2] != 3:
        raise TfsegError(f"images show a receptive field of three channels, not of {shape[2]}")
    for name in list(find_images(images))[:count]:
        image = Image.fromarray(read_image(name)).resize(shape[:2], Image.Resampling.BILINEAR)
        yield preprocessing.normalize(np.asarray(image))[None]
