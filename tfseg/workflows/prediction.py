"""Label maps of many files."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping

from tfseg import runs
from tfseg.data.catalog import DATASETS
from tfseg.data.labels import class_values
from tfseg.errors import TfsegError, unknown
from tfseg.files import write_json
from tfseg.inference import Predictor
from tfseg.inference.outputs import DEFAULT_OUTPUTS, OUTPUTS
from tfseg.inference.predict_files import find_images, predict_files
from tfseg.inference.resume import settings_of
from tfseg.inference.scene_files import IGNORED
from tfseg.outputs import OutputFolder, require_apart
from tfseg.parts import Part
from tfseg.reports.summary import shares_of
from tfseg.serving.video import predict_video, split_videos
from tfseg.workflows.trained import TrainedModel, load_predictor, run_of


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What a prediction of files has come to.

    Attributes:
        output_dir: where the results are.
        images: how many images there were.
        kept: of how many the results were there already.
        failures: one line for each image that can't be read.
        videos: {source: (path of the result, frames, frames a second)}.
    """

    output_dir: str
    images: int
    kept: int
    failures: tuple[str, ...]
    videos: Mapping[str, tuple[str, int, float]]


def predict(
    model: str | TrainedModel | Predictor,
    inputs: Iterable[str],
    output_dir: str | None = None,
    outputs: Iterable[str] = DEFAULT_OUTPUTS,
    *,
    protocol=None,
    crf=None,
    ids_of: str | None = None,
    shares: str | None = None,
    part: Part | None = None,
    scenes: bool | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    on_failure: Callable[[str], None] | None = None,
    on_shares: Callable[[str, list], None] | None = None,
) -> Prediction:
    """Writes label maps and pictures of files; what an earlier call has left isn't made again.

        tfseg.predict("runs/camvid", ["photos/"])

    Args:
        model, protocol, crf: as for `tfseg.evaluate`.
        inputs: image files, folders, lists (.txt, one image a line), and videos.
        output_dir: the folder for the results: see `predict_files`. Default the run's own
            predictions/, or predictions/ here for a model without a run.
        outputs: which of `tfseg.inference.outputs.OUTPUTS` to write.
        ids_of: with "ids" among `outputs`: the data set whose label values are meant; default the
            model's own.
        shares: a JSON file for each class's share of each image, or None; of all images, so not
            with a `part`.
        part: which share of the images and videos to predict; None for all.
        scenes: True reads every TIFF file window by window, False none; None those with GeoTIFF or
            no-data tags, unless what is wanted needs the whole image, and those of more than 64
            megapixels. Their results are TIFF files with the same GeoTIFF tags: see docs/scenes.md.
        progress: called as progress(unit, done, total), where unit is "frame", "image" or, of
            scenes, "row".
        on_failure: called with one line for each image that can't be read.
        on_shares: called as on_shares(path, shares) for each image.

    Raises:
        TfsegError: whatever the user can put right. An image that can't be read is a failure of its
            own, and the others are predicted.
    """
    outputs = _known(outputs)
    if part and shares:
        raise TfsegError("`shares` is one file for a whole list: leave it out with `part`")
    run_dir = run_of(model)
    output_dir = output_dir or (runs.predictions_dir(run_dir) if run_dir else "predictions")
    videos, images = split_videos(list(inputs))
    names = find_images(images, output_dir)
    if part:
        files = [*videos, *names]
        chosen = {files[place] for place in part.of(len(files))}
        videos, names = ({k: v for k, v in one.items() if k in chosen} for one in (videos, names))
    if shares:
        require_apart(shares, names)
    predictor = load_predictor(model, protocol, crf)
    progress = progress or (lambda unit, done, total: None)
    done_videos = {}
    for source, name in videos.items():
        path = OutputFolder(output_dir, videos).path(f"overlay/{name}")
        frames, rate = predict_video(predictor, source, path, lambda *n: progress("frame", *n))
        done_videos[source] = path, frames, rate
    ids = _ids(predictor.spec, ids_of) if "ids" in outputs else None
    counting = shares is not None or on_shares is not None
    results = predict_files(
        predictor,
        names,
        output_dir,
        outputs,
        ids=ids,
        settings=settings_of(predictor, ids, scenes),
        labels_wanted=counting,
        scenes=scenes,
        progress=progress,
    )
    failures, kept, found = [], 0, {}
    for number, done in enumerate(results if names else (), 1):
        kept += done.kept
        if done.message:
            failures.append(done.message)
            if on_failure:
                on_failure(done.message)
        elif counting:
            parts = shares_of(done.counts[:IGNORED], predictor.spec.classes)
            found[done.path] = dict(parts)
            if on_shares:
                on_shares(done.path, parts)
        progress("image", number, len(names))
    if shares:
        write_json(shares, found)
    return Prediction(output_dir, len(names), kept, tuple(failures), done_videos)


def _known(outputs):
    """The kinds of results as a list, each of which there is."""
    outputs = [outputs] if isinstance(outputs, str) else list(outputs)
    for kind in outputs:
        if kind not in OUTPUTS:
            raise unknown("kind of `outputs`", kind, OUTPUTS)
    return outputs


def _ids(spec, ids_of):
    """The label value of each class, of a data set or the model's own."""
    label_map = DATASETS.find(ids_of).facts.label_map if ids_of else spec.label_map
    if not label_map:
        raise TfsegError("`outputs=ids`: this model has no label_map; name a data set by `ids_of`")
    return class_values(spec.num_classes, label_map)
