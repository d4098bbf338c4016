"""Trains, tests and looks into image classifiers.

    python tools/classify.py train --data_dir=imagenet --model=drn_d_22 --run_dir=runs/drn_d_22
    python tools/classify.py test --data_dir=imagenet --run_dir=runs/drn_d_22
    python tools/classify.py locate --run_dir=runs/drn_d_22 --output_dir=out photo.jpg folder/

The data folder has train/CLASS/*.jpg and val/CLASS/*.jpg; no info.json is needed. Training takes
over what train.py has: the same command continues a run, and devices and machines are used alike.
"test" prints the shares of images whose class is the first, and among the first five. "locate"
names what pictures show, and writes class activation maps with a box around the positions of the
first class; with --boxes, a CSV file of image,class,left,top,right,bottom, also the localisation
error (DRN paper, section 3).
"""

import dataclasses
import os
import sys

import common
import next_step
from absl import flags, logging
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
from tfseg.training import Classification, ClassifyConfig, train
from tfseg.training.classification import ClassValidator
from tfseg.training.values import height_width
from tfseg.weights import load_weights

FLAGS = flags.FLAGS

common.define_config(ClassifyConfig)
flags.DEFINE_string("split", "val", "test: folder of the images.")
flags.DEFINE_string(
    "weights",
    None,
    "test, locate: a file of ImageNet weights, or a release of the zoo, which needs no --model.",
)
flags.DEFINE_string(
    "class_names",
    None,
    "With --weights: text file with a class (folder) a line; default ImageNet's.",
)
flags.DEFINE_string("output_dir", None, "locate: folder for the pictures.")
flags.DEFINE_float("box_threshold", 0.5, "locate: share of the largest activation.", 0, 1)
flags.DEFINE_string("boxes", None, "locate: CSV file with the objects' boxes.")


def main(arguments):
    verbs = {"train": start_training, "test": test, "locate": locate}
    if not arguments or arguments[0] not in verbs:
        raise TfsegError("say what to do first: classify.py train, test or locate")
    verb, *paths = arguments
    if paths and verb != "locate":
        raise TfsegError(f"unexpected argument '{paths[0]}'; options start with --")
    return verbs[verb](*([paths] if verb == "locate" else []))


def start_training():
    config = common.read_config(ClassifyConfig)
    common.fetch(config.init_weights)
    result = train(config, sys.stderr.isatty(), Classification())
    if result.stopped_by:
        return 128 + result.stopped_by
    logging.info("next: %s", next_step.after_classify(config.run_dir, config.data_dir))
    return 0


def load():
    """The trained model and its `ModelSpec`."""
    if FLAGS.weights:
        common.fetch(FLAGS.weights)
        name, options = FLAGS.model, common.parse_options(FLAGS.model_option)
        if FLAGS.weights in zoo.RELEASES and not name:
            release = zoo.RELEASES[FLAGS.weights]
            name, options = release.model, {**release.options, **options}
        elif not name:
            raise TfsegError("--model is missing: it says what the file of --weights belongs to")
        names = list(imagenet_classes())
        if FLAGS.class_names:
            names = [name for _, name in read_lines(FLAGS.class_names)]
        spec = ModelSpec(
            name,
            len(names),
            options,
            PREPROCESSINGS["imagenet"],
            classes=names,
            kind="classifier",
        )
        source = FLAGS.weights
    else:
        common.require("run_dir")
        use_sizes_of_run()
        spec = ModelSpec.load(os.path.join(FLAGS.run_dir, runs.MODEL_CARD), "classifier")
        source = os.path.join(FLAGS.run_dir, runs.BEST_WEIGHTS)
    model = spec.build()
    chosen = load_weights(model, source).preprocessing
    if FLAGS.weights and chosen:
        spec = dataclasses.replace(spec, preprocessing=chosen)
    return model, spec


def use_sizes_of_run():
    """Where --crop_size and --resize aren't given, they are those of the run in --run_dir."""
    path = os.path.join(FLAGS.run_dir, runs.CONFIG)
    if not os.path.isfile(path):
        return
    for line in FLAGS.read_flags_from_files([f"--flagfile={path}"]):
        name, _, value = line[2:].partition("=")
        if name in ("crop_size", "resize") and not FLAGS[name].present:
            FLAGS[name].parse(value)


def test():
    common.require("data_dir")
    model, spec = load()
    images = read_class_folders(FLAGS.data_dir, FLAGS.split, spec.classes)
    crop_size = height_width("crop_size", FLAGS.crop_size)
    if FLAGS.resize < max(crop_size):
        raise TfsegError(f"--resize={FLAGS.resize} is smaller than --crop_size")
    validator = ClassValidator(model, images, spec.preprocessing, FLAGS.resize, crop_size)
    scores = validator.scores()
    print(f"{len(images)} images, {len(spec.classes)} classes")
    print(f"top-1 {scores['val_top1']:.4f}\ntop-5 {scores['val_top5']:.4f}")


def locate(paths):
    common.require("output_dir")
    model, spec = load()
    side = min(height_width("crop_size", FLAGS.crop_size))
    locator = localization.Localizer(model, spec.preprocessing, side)
    truth = localization.read_boxes(FLAGS.boxes) if FLAGS.boxes else {}
    # ImageNet's folders have WordNet's numbers.
    names = [imagenet_classes().get(name, name) for name in spec.classes]
    found, images = [], find_images(paths, FLAGS.output_dir)
    folder = OutputFolder(FLAGS.output_dir, images)
    for path, name in images.items():
        image = read_image(path)
        scores, maps = locator(image)
        best = (-scores).argsort()[:5]
        guesses = [
            (names[k], localization.activation_box(maps, k, FLAGS.box_threshold, image.shape[:2]))
            for k in best
        ]
        print(f"{path}: " + ", ".join(f"{names[k]} {scores[k]:.1%}" for k in best))
        overlay = localization.heat_overlay(image, maps[..., best[0]], guesses[0][1])
        titles = [os.path.basename(path), f"{names[best[0]]}, {scores[best[0]]:.0%}"]
        with atomic_write(folder.path(name)) as file:
            Image.fromarray(visualize.panel([image, overlay], titles)).save(file, "PNG")
        objects = truth.get(os.path.basename(path))
        if objects:
            found.append([localization.localized(guesses, objects, top) for top in (1, 5)])
    for top, hits in zip((1, 5), zip(*found, strict=True), strict=False):
        print(f"top-{top} localisation error {1 - sum(hits) / len(hits):.4f} of {len(hits)} images")


if __name__ == "__main__":
    common.run(main, paths=True)
