"""Draws effective receptive fields, and measures their size and gridding.

    python tools/receptive_field.py --model=resnet50_caffe --model_option=output_stride=8 \
        --source=stage2 --picture=field.png                  every dilated type, fresh weights
    python tools/receptive_field.py --run_dir=runs/a --run_dir=runs/b --images=photos/

For each model: the mean absolute gradient of the middle output with respect to every input, over
images or standard-normal noise. r50 and r95 are the radii that hold 50% and 95% of it. The
gridding index at a dilation rate is the energy at the rate's own frequencies: 0 is an even field,
1 is a field on one grid.
"""

import common
import keras
import numpy as np
from absl import flags
from PIL import Image

from tfseg import create_encoder, create_model
from tfseg.data.image_files import read_image
from tfseg.encoders import ENCODERS
from tfseg.errors import TfsegError
from tfseg.evaluation.receptive_field import dilation_periods, picture, receptive_field
from tfseg.files import atomic_write, write_json
from tfseg.inference.predict_files import find_images
from tfseg.inference.predictor import load
from tfseg.layers.dilated import FILTERS
from tfseg.models import Preprocessing

FLAGS = flags.FLAGS

flags.DEFINE_multi_string("run_dir", [], "Trained models to compare; repeat for several.")
flags.DEFINE_string("model", "drn_c_26", "Without --run_dir: an encoder or model, fresh weights.")
common.define_model_option()
flags.DEFINE_list("dilated_types", list(FILTERS), "Without --run_dir: which to compare.")
flags.DEFINE_string("output", None, "Whose middle is looked at; default the encoder's output.")
flags.DEFINE_string("source", "images", "With respect to what: images, or an encoder's stage.")
flags.DEFINE_multi_string("images", [], "Images, folders or lists (.txt); default noise.")
flags.DEFINE_integer("num_images", 4, "How many to average over.", 1)
flags.DEFINE_integer("image_size", 321, "Height and width that they are resized to.", 1)
flags.DEFINE_integer("reach", 20, "Inputs drawn on each side of the middle.", 1)
flags.DEFINE_integer("seed", 0, "Of fresh weights and noise.")
flags.DEFINE_string("picture", None, "PNG file for the picture.")
flags.DEFINE_string("json", None, "JSON file for the figures.")


def models():
    """Yields (title, model, preprocessing) of everything that is compared."""
    for run_dir in FLAGS.run_dir:
        predictor = load(run_dir)
        title = predictor.spec.options.get("dilated_type", predictor.spec.name)
        yield title, predictor.model, predictor.spec.preprocessing
    options = common.parse_options(FLAGS.model_option)
    for dilated_type in [] if FLAGS.run_dir else FLAGS.dilated_types:
        keras.utils.set_random_seed(FLAGS.seed)
        create = (
            create_encoder
            if FLAGS.model in ENCODERS
            else lambda name, **o: create_model(name, 2, **o)
        )
        model = create(FLAGS.model, **{**options, "dilated_type": dilated_type})
        yield dilated_type, model, Preprocessing()


def batches(preprocessing):
    """Yields normalised float32 [1, H, W, 3]."""
    size = (FLAGS.image_size, FLAGS.image_size)
    if not FLAGS.images:
        generator = np.random.default_rng(FLAGS.seed)
        for _ in range(FLAGS.num_images):
            yield generator.standard_normal((1, *size, 3), np.float32)
    for name in list(find_images(FLAGS.images))[: FLAGS.num_images]:
        image = Image.fromarray(read_image(name)).resize(size, Image.Resampling.BILINEAR)
        yield preprocessing.normalize(np.asarray(image))[None]


def main():
    if not FLAGS.picture and not FLAGS.json:
        raise TfsegError("give --picture, --json or both: where shall the results go?")
    fields, titles, rows = [], [], []
    for title, model, preprocessing in models():
        output = FLAGS.output or getattr(model, "encoder", model).pyramid[-1]
        field = receptive_field(model, batches(preprocessing), output, FLAGS.source)
        index = {rate: field.gridding(rate) for rate in dilation_periods(model, FLAGS.source)}
        fields.append(field)
        titles.append(f"{title}  {max(index.values(), default=0):.2f}")
        rows.append(
            {"name": title, "r50": field.radius(0.5), "r95": field.radius(), "gridding": index}
        )
        cells = "".join(f"   gridding at {rate}: {value:.3f}" for rate, value in index.items())
        print(f"{title:<16} r50 {rows[-1]['r50']:6.1f}   r95 {rows[-1]['r95']:6.1f}{cells}")
    if FLAGS.picture:
        with atomic_write(FLAGS.picture) as file:
            image = Image.fromarray(picture(fields, titles, FLAGS.reach))
            image.quantize(64).save(file, "png", optimize=True)
    if FLAGS.json:
        names = ("run_dir", "model", "model_option", "output", "source", "num_images", "image_size")
        write_json(FLAGS.json, {**{name: FLAGS[name].value for name in names}, "fields": rows})


if __name__ == "__main__":
    common.run(main)
