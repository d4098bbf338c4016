"""Trains, tests and looks into image classifiers.

    tfseg classify train --data_dir=imagenet --model=drn_d_22 --run_dir=runs/drn_d_22
    tfseg classify test --data_dir=imagenet --run_dir=runs/drn_d_22
    tfseg classify locate --run_dir=runs/drn_d_22 --output_dir=out photo.jpg folder/

The data folder has train/CLASS/*.jpg and val/CLASS/*.jpg; no info.json is needed. Training has what
`tfseg train` has: the same command continues a run, and devices and machines are used alike.
"test" prints the shares of images whose class is the first, and among the first five. "locate"
names what pictures show, and writes class activation maps with a box around the positions of the
first class; with --boxes, a CSV file of image,class,left,top,right,bottom, also the localisation
error (DRN paper, section 3).
"""

from collections.abc import Callable, Iterator

from tfseg import runs, workflows
from tfseg.cli import next_step, shared
from tfseg.cli.flags import Flags
from tfseg.cli.needs import Need, given, without
from tfseg.errors import TfsegError, unknown
from tfseg.training.classify_config import ClassifyConfig
from tfseg.training.values import height_width
from tfseg.words import counted

PATHS = "train|test|locate IMAGE…"
GROUPS = {
    "Data and run": "data_dir run_dir",
    "Model": "model model_option init_weights new_head weights class_names precision",
    "Training": "epochs steps minutes batch_size learning_rate lr_schedule optimizer weight_decay",
    "Samples": "crop_size resize color_jitter mirror transforms",
    "test": "split",
    "locate": "output_dir box_threshold boxes",
}
ONE_OF = shared.LENGTHS
# The flags that the verbs beside `train` look at, and those that it doesn't.
_USED = {
    "test": "data_dir run_dir model model_option weights class_names split crop_size resize",
    "locate": "run_dir model model_option weights class_names output_dir box_threshold boxes "
    "crop_size",
}
_NOT_TRAINED = ("weights", "class_names", "split", "output_dir", "box_threshold", "boxes")
# What a run says itself.
_OF_WEIGHTS = ("model", "model_option", "class_names")


def _needs() -> Iterator[tuple[str, list[Need]]]:
    settings = [field.name for field in ClassifyConfig.flag_fields()]
    settings[settings.index("model_options")] = "model_option"
    for name in (*settings, *_NOT_TRAINED):
        lacking = [verb for verb, used in _USED.items() if name not in used.split()]
        lacking += [] if name in settings else ["train"]
        (first, *others) = [verb for verb in ("train", *_USED) if verb not in lacking]
        acts, needs = _unless(lacking), []
        if lacking and others:
            needs.append(Need(lacking[0], acts, beside=True))
        elif lacking:
            needs.append(Need(first, acts, against=lacking[0]))
        if name in _OF_WEIGHTS:
            acts = _unless(list(_USED), given("weights"))
            needs.append(Need("--weights=FILE", acts, against="test"))
        if name == "run_dir":
            needs.append(Need("--weights=FILE", without("weights"), beside=True))
        yield name, needs


def _unless(
    verbs: list[str], also: Callable[[Flags], bool] = lambda flags: False
) -> Callable[[Flags], bool]:
    """Acts where none of these verbs is asked for, or where `also` says so."""
    return lambda flags: not flags.paths or flags.paths[0] not in verbs or also(flags)


NEEDS = dict(_needs())


def define(flags: Flags) -> None:
    shared.define_config(flags, ClassifyConfig)
    flags.string("split", "val", "test: folder of the images.")
    flags.string(
        "weights",
        None,
        "test, locate: a file of ImageNet weights, or a release of the zoo, which needs no "
        "--model.",
    )
    flags.string(
        "class_names",
        None,
        "With --weights: text file with a class (folder) a line; default ImageNet's.",
    )
    flags.string("output_dir", None, "locate: folder for the pictures.")
    flags.number("box_threshold", 0.5, "locate: share of the largest activation.", 0, 1)
    flags.string("boxes", None, "locate: CSV file with the objects' boxes.")
    flags.report()


def main(flags: Flags, arguments: list[str]) -> int | None:
    verbs: dict[str, Callable[..., int | None]] = {"train": train, "test": test, "locate": locate}
    if not arguments:
        raise TfsegError("say what to do first: tfseg classify train, test or locate")
    if arguments[0] not in verbs:
        raise unknown("verb of classify", arguments[0], verbs)
    verb, *paths = arguments
    if paths and verb != "locate":
        raise TfsegError(f"unexpected argument '{paths[0]}'; flags start with --")
    return verbs[verb](flags, *([paths] if verb == "locate" else []))


def train(flags: Flags) -> int:
    config = shared.read_config(flags, ClassifyConfig)
    split = config.val_split or config.train_split
    following = next_step.after_classify(config.run_dir, config.data_dir, split)
    return shared.train(flags, config, following)


def test(flags: Flags) -> None:
    flags.require("data_dir")
    classifier = _classifier(flags)
    with shared.progress_bar("image") as progress:
        found = workflows.test(
            classifier,
            flags.data_dir,
            flags.split,
            height_width("crop_size", flags.crop_size),
            flags.resize,
            progress,
        )
    flags.found = found
    print(f"{counted(found['images'], 'image')}, {counted(found['classes'], 'class')}")
    print(f"top-1 {found['top1']:.4f}\ntop-5 {found['top5']:.4f}")


def locate(flags: Flags, paths: list[str]) -> None:
    flags.require("output_dir")
    if not paths:
        raise TfsegError("no image given: add files, folders or lists (.txt) to the command")
    pictures = {}

    def show(path: str, best: list[tuple[str, float]]) -> None:
        pictures[path] = dict(best)
        print(f"{path}: " + ", ".join(f"{name} {share:.1%}" for name, share in best))

    errors = workflows.locate(
        _classifier(flags),
        paths,
        flags.output_dir,
        min(height_width("crop_size", flags.crop_size)),
        box_threshold=flags.box_threshold,
        boxes=flags.boxes,
        on_image=show,
    )
    flags.found = {"images": pictures, "localisation_error": {k: v[0] for k, v in errors.items()}}
    for top, (error, count) in errors.items():
        print(f"top-{top} localisation error {error:.4f} of {counted(count, 'image')}")


def _classifier(flags: Flags) -> "workflows.TrainedClassifier":
    """The `TrainedClassifier` that the flags name.

    Of a run, --crop_size and --resize are the run's where they aren't given.
    """
    options = shared.parse_options(flags.model_option)
    if flags.weights:
        shared.fetch(flags.weights)
        return workflows.TrainedClassifier(
            flags.weights, flags.model or None, options, flags.class_names
        )
    flags.require("run_dir")
    for line in (runs.read_config(flags.run_dir) or "").splitlines():
        name, _, value = line[2:].partition("=")
        if name in ("crop_size", "resize") and not flags[name].present:
            flags[name].parse(value)
    return workflows.TrainedClassifier(flags.run_dir)
