"""Image classifiers: their accuracy, and where they see what they name."""

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from PIL import Image

from tfseg import runs, visualize, zoo
from tfseg.data.catalog.imagenet import imagenet_classes
from tfseg.data.entries import read_lines
from tfseg.data.image_files import read_image
from tfseg.data.pipelines.classification import read_class_folders
from tfseg.errors import TfsegError
from tfseg.evaluation import localization
from tfseg.files import atomic_write
from tfseg.inference.predict_files import find_images
from tfseg.models import PREPROCESSINGS, ModelSpec
from tfseg.outputs import OutputFolder
from tfseg.training.classification import ClassValidator
from tfseg.weights import load_weights


@dataclasses.dataclass(frozen=True)
class TrainedClassifier:
    """Where a trained image classifier is, and what has to be said of it.

    Attributes:
        source: a run directory, a release of the zoo, or a file of ImageNet weights.
        model: the name of the model, for a file of weights.
        model_options: its options.
        class_names: a text file with a class (folder) a line, for weights that aren't a run's;
            default ImageNet's.
    """

    source: str
    model: str | None = None
    model_options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    class_names: str | None = None

    def load(self):
        """The model and its `ModelSpec`.

        Raises:
            TfsegError: it can't be loaded, or something is missing.
        """
        if not self.model and os.path.isdir(self.source):
            spec = ModelSpec.load(os.path.join(self.source, runs.MODEL_CARD), "classifier")
            model = spec.build_to_load()
            load_weights(model, os.path.join(self.source, runs.BEST_WEIGHTS))
            return model, spec
        name, options = self.model, dict(self.model_options)
        if self.source in zoo.RELEASES and not name:
            release = zoo.RELEASES[self.source]
            name, options = release.model, {**release.options, **options}
        elif not name:
            raise TfsegError("`model` is missing: it says what the file of `weights` belongs to")
        names = list(imagenet_classes())
        if self.class_names:
            names = [name for _, name in read_lines(self.class_names)]
        spec = ModelSpec(
            name,
            len(names),
            options,
            PREPROCESSINGS["imagenet"],
            classes=names,
            kind="classifier",
        )
        model = spec.build_to_load()
        chosen = load_weights(model, self.source).preprocessing
        return model, dataclasses.replace(spec, preprocessing=chosen) if chosen else spec


def test(
    classifier: TrainedClassifier,
    data_dir: str,
    split: str = "val",
    crop_size: tuple[int, int] = (224, 224),
    resize: int = 256,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """The shares of images whose class is the first, and among the first five.

    Args:
        classifier: `TrainedClassifier`.
        data_dir: the folder with SPLIT/CLASS/*.jpg.
        split: whose images.
        crop_size, resize: see `central_crop`.
        progress: called as progress(done, total) with numbers of images.

    Returns:
        {"images", "classes", "top1", "top5"}.
    """
    if resize < max(crop_size):
        raise TfsegError(f"`resize={resize}` is smaller than `crop_size`")
    model, spec = classifier.load()
    images = read_class_folders(data_dir, split, spec.classes)
    validator = ClassValidator(model, images, spec.preprocessing, resize, crop_size)
    scores = validator.scores(progress)
    return {
        "images": len(images),
        "classes": len(spec.classes),
        "top1": scores["val_top1"],
        "top5": scores["val_top5"],
    }


def locate(
    classifier: TrainedClassifier,
    inputs: Iterable[str],
    output_dir: str,
    side: int = 224,
    *,
    box_threshold: float = 0.5,
    boxes: str | None = None,
    on_image: Callable[[str, list[tuple[str, float]]], None] | None = None,
) -> dict[int, tuple[float, int]]:
    """Writes class activation maps with a box around the positions of the first class.

    Args:
        classifier: `TrainedClassifier`.
        inputs: image files, folders and lists.
        output_dir: the folder for the pictures.
        side: length that the short side is brought to.
        box_threshold: share of the largest activation that a box holds.
        boxes: a CSV file of image,class,left,top,right,bottom, or None.
        on_image: called as on_image(path, [(class name, probability), …]), the likeliest first.

    Returns:
        {1: (error, images), 5: …}: the localisation error of the first and of the first five
        classes (DRN paper, section 3); empty without `boxes`.
    """
    images = find_images(inputs, output_dir)
    truth = localization.read_boxes(boxes) if boxes else {}
    model, spec = classifier.load()
    locator = localization.Localizer(model, spec.preprocessing, side)
    # ImageNet's folders have WordNet's numbers.
    names = [imagenet_classes().get(name, name) for name in spec.classes]
    found, folder = [], OutputFolder(output_dir, images)
    for path, name in images.items():
        image = read_image(path)
        scores, maps = locator(image)
        best = (-scores).argsort()[:5]
        guesses = [
            (names[k], localization.activation_box(maps, k, box_threshold, image.shape[:2]))
            for k in best
        ]
        if on_image:
            on_image(path, [(names[k], float(scores[k])) for k in best])
        overlay = localization.heat_overlay(image, maps[..., best[0]], guesses[0][1])
        titles = [os.path.basename(path), f"{names[best[0]]}, {scores[best[0]]:.0%}"]
        with atomic_write(folder.path(name)) as file:
            Image.fromarray(visualize.panel([image, overlay], titles)).save(file, "PNG")
        objects = truth.get(os.path.basename(path))
        if objects:
            found.append([localization.localized(guesses, objects, top) for top in (1, 5)])
    columns = zip(*found, strict=True)
    return {
        top: (1 - sum(hits) / len(hits), len(hits))
        for top, hits in zip((1, 5), columns, strict=False)
    }
