"""Predicts label maps of images.

    python tools/predict.py --run_dir=runs/camvid --output_dir=out photo.jpg photos/ list.txt

Takes image files, folders with all their subfolders, and lists (.txt, one image a line). Writes
below --output_dir, with the folders' structure kept:
    labels/   8-bit PNG of class indices
    color/    the same indices in a PNG with the model's palette, so that viewers show colours
    overlay/  the colours laid over the image
    panel/    the image, the colours and the overlay side by side (--outputs=panel)
    ids/      the data set's own label values, as a benchmark's server takes them (--outputs=ids)
Run again after an interruption, with the same settings, it predicts what is missing or older than
its image.
Photos are turned upright as their EXIF orientation says.
Videos (.mp4, .avi, …) become videos in overlay/, and --camera=0 shows what a camera sees; both
need the extra [video].
"""

import sys

import common
import protocol
import trained_model
from absl import flags
from tqdm import tqdm

from tfseg.data.catalog import DATASETS
from tfseg.data.labels import class_values
from tfseg.errors import TfsegError
from tfseg.files import write_json
from tfseg.inference.predict_files import DEFAULT_OUTPUTS, OUTPUTS, find_images, predict_files
from tfseg.inference.resume import settings_of
from tfseg.outputs import OutputFolder, require_apart
from tfseg.reports.summary import class_shares, shares_text
from tfseg.serving.video import predict_camera, predict_video, split_videos

FLAGS = flags.FLAGS

trained_model.define()
flags.DEFINE_string(
    "data_dir", None, "With --weights: the folder whose info.json has normalisation and palette."
)
flags.DEFINE_string("output_dir", None, "Folder for the results.")
protocol.define()
protocol.define_crf()
flags.DEFINE_bool("crf", False, "Refine the label maps by a dense CRF.")
flags.DEFINE_bool("print_shares", False, "Print each class's share of each image.")
flags.DEFINE_string("shares", None, "JSON file for each class's share of each image.")
common.define_choices("outputs", DEFAULT_OUTPUTS, OUTPUTS, "What to write")
flags.DEFINE_enum(
    "ids_of", None, list(DATASETS), "With --outputs=ids: the data set; default the model's own."
)
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
    if FLAGS.shares:
        require_apart(FLAGS.shares, names)
    crf = protocol.read_crf() if FLAGS.crf else None
    predictor = trained_model.load_predictor(protocol.read(), crf)
    if FLAGS.camera is not None:
        frames, rate = predict_camera(predictor, FLAGS.camera)
        print(f"showed {frames} frames, {rate:.1f} a second")
        return 0
    for source, name in videos.items():
        path = OutputFolder(FLAGS.output_dir, videos).path(f"overlay/{name}")
        _predict_video(predictor, source, path)
    return _predict_images(predictor, names) if names else 0


def _predict_video(predictor, source, path):
    with tqdm(unit="frame", disable=None) as bar:

        def show(done, total):
            bar.total = total
            bar.update(done - bar.n)

        frames, rate = predict_video(predictor, source, path, show)
    print(f"predicted {frames} frames of {source}, {rate:.1f} a second: {path}")


def _predict_images(predictor, names):
    ids = _ids(predictor.spec) if "ids" in FLAGS.outputs else None
    counting = FLAGS.print_shares or FLAGS.shares is not None
    results = predict_files(
        predictor,
        names,
        FLAGS.output_dir,
        FLAGS.outputs,
        ids=ids,
        settings=settings_of(predictor, ids),
        labels_wanted=counting,
    )
    failures, kept, shares = 0, 0, {}
    for done in tqdm(results, total=len(names), unit="image", disable=None):
        kept += done.kept
        if done.message:
            failures += 1
            tqdm.write(f"error: {done.message}", file=sys.stderr)
        elif counting:
            found = class_shares(done.labels, predictor.spec.classes)
            shares[done.path] = dict(found)
            if FLAGS.print_shares:
                tqdm.write(shares_text(done.path, found), file=sys.stdout)
    if FLAGS.shares:
        write_json(FLAGS.shares, shares)
    folders = ", ".join(f"{kind}/" for kind in FLAGS.outputs)
    there = f", {kept} were there already" if kept else ""
    print(
        f"predicted {len(names) - failures - kept} of {len(names)} images{there}: "
        f"{FLAGS.output_dir} has {folders}"
    )
    return 1 if failures else 0


def _ids(spec):
    """The label value of each class, of --ids_of's data set or the model's own."""
    label_map = DATASETS[FLAGS.ids_of].label_map if FLAGS.ids_of else spec.label_map
    if not label_map:
        raise TfsegError("--outputs=ids: this model has no label_map; name one by --ids_of")
    return class_values(spec.num_classes, label_map)


if __name__ == "__main__":
    common.run(main, paths=True)
