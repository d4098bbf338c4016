"""Predicts label maps of images, videos, or what a camera sees.

    tfseg predict --run_dir=runs/camvid photo.jpg photos/ list.txt street.mp4

Takes image files, folders with all their subfolders, and lists (.txt, one image a line). Writes
below --output_dir (default RUN_DIR/predictions), with the folders' structure kept:
    labels/   8-bit PNG of class indices
    color/    the same indices in a PNG with the model's palette, so that viewers show colours
    overlay/  the colours laid over the image; videos become videos here
    panel/    the image, the colours and the overlay side by side (--outputs=panel)
    ids/      the data set's own label values, as a benchmark's server takes them (--outputs=ids)
Large TIFF files, and those with GeoTIFF or no-data tags, are read window by window; their label
maps are TIFF files with the same GeoTIFF tags (docs/scenes.md).
Run again with the same settings, it predicts what is missing or older than its image. Photos are
turned upright as their EXIF orientation says. Videos and cameras need the extra [video].
"""

import sys

from tqdm import tqdm

from tfseg import workflows
from tfseg.cli import next_step, protocol, shared, trained_model
from tfseg.cli.evaluate import print_shares
from tfseg.cli.flags import Flags
from tfseg.cli.needs import Need, given
from tfseg.data.catalog import DATASETS
from tfseg.errors import TfsegError
from tfseg.inference.outputs import DEFAULT_OUTPUTS, OUTPUTS
from tfseg.words import counted

PATHS = "IMAGE|FOLDER|LIST|VIDEO…"
GROUPS = {
    "Model": trained_model.GROUP,
    "Results": "output_dir outputs scenes ids_of shares print_shares part json",
    "Protocol": protocol.GROUP,
    "Dense CRF": "crf crf_option",
    "Camera": "camera",
}
_CAMERA = ("output_dir", "outputs", "scenes", "shares", "print_shares", "part", "json")
NEEDS = {
    **trained_model.NEEDS,
    **protocol.NEEDS,
    **protocol.CRF_NEEDS,
    **{
        name: Need("--camera=0", lambda flags: flags.camera is None, beside=True)
        for name in _CAMERA
    },
    "data_dir": Need("--weights=FILE", given("weights")),
    "ids_of": Need("--outputs=ids", lambda flags: "ids" in flags.outputs),
}


def define(flags: Flags) -> None:
    trained_model.define(flags)
    flags.string(
        "data_dir",
        None,
        "With --weights: the folder whose info.json has normalisation and palette.",
    )
    flags.string(
        "output_dir", None, "Folder for the results; default RUN_DIR/predictions, or predictions."
    )
    protocol.define(flags)
    protocol.define_crf(flags)
    flags.boolean("print_shares", False, "Print each class's share of each image.")
    flags.string("shares", None, "JSON file for each class's share of each image.")
    flags.choices(
        "outputs",
        DEFAULT_OUTPUTS,
        OUTPUTS,
        f"What to write, with commas between: {', '.join(OUTPUTS)}.",
    )
    flags.choice(
        "ids_of", None, DATASETS, "With --outputs=ids: the data set; default the model's own."
    )
    flags.boolean(
        "scenes",
        None,
        "Read TIFF files window by window and write TIFF with their GeoTIFF tags; default: those "
        "with GeoTIFF or no-data tags, and those of more than 64 megapixels.",
    )
    flags.integer("camera", None, "Number of a camera to show in a window, from 0.", 0)
    shared.define_part(flags)
    flags.report()


def main(flags: Flags, inputs: list[str]) -> int | None:
    if flags.camera is not None:
        if inputs:
            raise TfsegError("--camera shows a camera: it takes no files beside it")
        show_camera(flags)
        return 0
    if not inputs:
        raise TfsegError("no image given: add files, folders or lists (.txt) to the command")
    with shared.Bars() as bars:
        found = workflows.predict(
            trained_model.read(flags),
            inputs,
            flags.output_dir,
            flags.outputs,
            protocol=protocol.read(flags),
            crf=protocol.read_crf(flags),
            ids_of=flags.ids_of,
            shares=flags.shares,
            part=shared.read_part(flags, sharable=not flags.shares),
            scenes=flags.scenes,
            progress=lambda unit, done, total: bars(done, total, unit=unit),
            on_failure=lambda text: tqdm.write(f"error: {flags.spell(text)}", file=sys.stderr),
            on_shares=print_shares if flags.print_shares else None,
        )
    flags.found = found
    for source, (path, frames, rate) in found.videos.items():
        print(f"predicted {counted(frames, 'frame')} of {source}, {rate:.1f} a second: {path}")
    if found.images:
        folders = ", ".join(f"{kind}/" for kind in flags.outputs)
        there = f", {found.kept} were there already" if found.kept else ""
        done = found.images - len(found.failures) - found.kept
        where = f"{found.output_dir} has {folders}" if done + found.kept else "nothing is written"
        print(f"predicted {done} of {counted(found.images, 'image')}{there}: {where}")
    if flags.shares:
        print(f"written: {flags.shares}")
    if not found.failures:
        next_step.say(next_step.after_predict(*trained_model.named_by(flags)))
    return 1 if found.failures else 0


def show_camera(flags: Flags) -> None:
    """A window with what a camera sees, until it is closed."""
    from tfseg.serving.video import predict_camera

    predictor = trained_model.read(flags).load(protocol.read(flags), protocol.read_crf(flags))
    frames, rate = predict_camera(predictor, flags.camera)
    print(f"showed {counted(frames, 'frame')}, {rate:.1f} a second")
