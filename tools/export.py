"""Exports a trained model to run without tfseg.

    python tools/export.py --run_dir=runs/camvid --output_dir=exports/camvid/1

Writes a SavedModel with the preprocessing inside and batch norm folded, after checking that it
computes what the model computes. Its signatures: serving_default (images to labels),
probabilities, and encoded (JPEG or PNG files to PNG files of class indices). What the model is
stands in assets/tfseg.json. --eval_scales and its like become part of the export.
"""

import common
import protocol
import trained_model
from absl import flags

from tfseg import export
from tfseg.errors import TfsegError
from tfseg.predictor import Predictor

FLAGS = flags.FLAGS

trained_model.define()
flags.DEFINE_string(
    "data_dir", None, "With --weights: the folder whose info.json has normalisation and palette."
)
flags.DEFINE_string(
    "output_dir", None, "Folder to write. TensorFlow Serving wants a version number as its name."
)
flags.DEFINE_integer("height", None, "With --width: the only height that images may have.", 1)
flags.DEFINE_integer("width", None, "With --height: the only width that images may have.", 1)
flags.DEFINE_integer("max_side", 4096, "Largest height and width of images of any size.", 1)
protocol.define()


def main():
    common.require("output_dir")
    if (FLAGS.height is None) != (FLAGS.width is None):
        raise TfsegError("--height and --width belong together: give both, or neither")
    image_size = (FLAGS.height, FLAGS.width) if FLAGS.height else None
    views = protocol.read()
    predictor = trained_model.load_predictor()
    predictor = Predictor(predictor.spec, predictor.model, views)
    worst = export(predictor, FLAGS.output_dir, image_size=image_size, max_side=FLAGS.max_side)
    print(f"exported to {FLAGS.output_dir}: its probabilities differ by {worst:.1e} at most")


if __name__ == "__main__":
    common.run(main)
