"""Predicts label maps of images.

    python tools/predict.py --run_dir=runs/camvid --output_dir=out photo.jpg photos/ list.txt

Takes image files, folders with all their subfolders, and lists (.txt, one image a line). Writes
below --output_dir, with the folders' structure kept:
    labels/   8-bit PNG of class indices
    color/    the same indices in a PNG with the model's palette, so that viewers show colours
    overlay/  the colours laid over the image
Photos are turned upright as their EXIF orientation says.
"""

import sys

import common
import protocol
import trained_model
from absl import flags
from tqdm import tqdm

from tfseg.errors import TfsegError
from tfseg.evaluation.files import OUTPUTS, find_images, predict_files
from tfseg.evaluation.report import class_shares
from tfseg.predictor import Predictor

FLAGS = flags.FLAGS

trained_model.define()
flags.DEFINE_string(
    "data_dir", None, "With --weights: the folder whose info.json has normalisation and palette."
)
flags.DEFINE_string("output_dir", None, "Folder for the results.")
protocol.define()
flags.DEFINE_bool("print_shares", False, "Print each class's share of each image.")
flags.DEFINE_multi_enum("outputs", list(OUTPUTS), OUTPUTS, "What to write.")


def main(inputs):
    common.require("output_dir")
    if not inputs:
        raise TfsegError("no image given: add files, folders or lists (.txt) to the command")
    names = find_images(inputs, FLAGS.output_dir)
    views = protocol.read()
    predictor = trained_model.load_predictor()
    predictor = Predictor(predictor.spec, predictor.model, views)
    failures = 0
    results = predict_files(predictor, names, FLAGS.output_dir, FLAGS.outputs)
    for path, labels, message in tqdm(results, total=len(names), unit="image", disable=None):
        if message:
            failures += 1
            tqdm.write(f"error: {message}", file=sys.stderr)
        elif FLAGS.print_shares:
            shares = class_shares(labels, predictor.spec.classes)
            lines = [path, *(f"  {name}: {share:.2%}" for name, share in shares)]
            tqdm.write("\n".join(lines), file=sys.stdout)
    done = len(names) - failures
    folders = ", ".join(f"{kind}/" for kind in FLAGS.outputs)
    print(f"predicted {done} of {len(names)} images: {FLAGS.output_dir} has {folders}")
    return 1 if failures else 0


if __name__ == "__main__":
    common.run(main, paths=True)
