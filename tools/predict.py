"""Predicts label maps of images.

    python tools/predict.py --run_dir=runs/camvid --output_dir=out photo.jpg photos/ list.txt

Takes image files, folders with all their subfolders, and lists (.txt, one image a line). Writes
below --output_dir, with the folders' structure kept:
    labels/   8-bit PNG of class indices
    color/    the same indices in a PNG with the model's palette, so that viewers show colours
    overlay/  the colours laid over the image
Photos are turned upright as their EXIF orientation says. Videos (.mp4, .avi, …) become videos in
overlay/, and --camera=0 shows what a camera sees; both need the extra [video].
"""

import os
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
from tfseg.serving.video import predict_camera, predict_video, split_videos

FLAGS = flags.FLAGS

trained_model.define()
flags.DEFINE_string(
    "data_dir", None, "With --weights: the folder whose info.json has normalisation and palette."
)
flags.DEFINE_string("output_dir", None, "Folder for the results.")
protocol.define()
flags.DEFINE_bool("print_shares", False, "Print each class's share of each image.")
flags.DEFINE_multi_enum("outputs", list(OUTPUTS), OUTPUTS, "What to write.")
flags.DEFINE_integer("camera", None, "Number of a camera to show in a window, from 0.", 0)


def main(inputs):
    if FLAGS.camera is None:
        common.require("output_dir")
        if not inputs:
            raise TfsegError("no image given: add files, folders or lists (.txt) to the command")
    elif inputs:
        raise TfsegError("--camera shows a camera: it takes no files beside it")
    videos, inputs = split_videos(inputs)
    names = find_images(inputs, FLAGS.output_dir)
    views = protocol.read()
    predictor = trained_model.load_predictor()
    predictor = Predictor(predictor.spec, predictor.model, views)
    if FLAGS.camera is not None:
        frames, rate = predict_camera(predictor, FLAGS.camera)
        print(f"showed {frames} frames, {rate:.1f} a second")
        return 0
    for source, name in videos.items():
        _predict_video(predictor, source, os.path.join(FLAGS.output_dir, "overlay", name))
    return _predict_images(predictor, names) if names else 0


def _predict_video(predictor, source, path):
    with tqdm(unit="frame", disable=None) as bar:

        def show(done, total):
            bar.total = total
            bar.update(done - bar.n)

        frames, rate = predict_video(predictor, source, path, show)
    print(f"predicted {frames} frames of {source}, {rate:.1f} a second: {path}")


def _predict_images(predictor, names):
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
