"""Scoring a trained model on a split of a data folder."""

import contextlib
import functools
import os
import time
from collections.abc import Callable, Mapping, Sequence

from absl import logging

from tfseg import runs
from tfseg.data import DataInfo, read_split
from tfseg.data.image_files import read_label
from tfseg.errors import TfsegError, unknown
from tfseg.evaluation import Evaluator
from tfseg.evaluation.confusion import require_counted
from tfseg.evaluation.judge import needs_probabilities
from tfseg.evaluation.recorder import Recorder
from tfseg.evaluation.records import FILE_NAME, Records
from tfseg.evaluation.refined import evaluate_refined
from tfseg.evaluation.truth import Truth
from tfseg.evaluation.worst import Worst, look
from tfseg.inference import Predictor
from tfseg.parallel import Behind, count_cores
from tfseg.parts import Part, Unfinished
from tfseg.reports import summary
from tfseg.reports.gallery import Gallery
from tfseg.reports.panels import LabelWriter, OverlayWriter, PanelWriter
from tfseg.training.strategy import count_workers, create_strategy, is_chief
from tfseg.visualize import class_names
from tfseg.weights import weights_digest
from tfseg.words import counted
from tfseg.workflows import evaluated
from tfseg.workflows.trained import TrainedModel, load_predictor

# Where label maps go, in the folder of the results.
_LABELS = "labels"
# And pictures of all images.
_PICTURES = {"panels": PanelWriter, "overlays": OverlayWriter}


def score(
    model: str | TrainedModel | Predictor,
    data_dir: str,
    split: str = "val",
    output_dir: str | None = None,
    *,
    protocol=None,
    crf=None,
    jobs: int | None = None,
    save_logits: str | None = None,
    batch_size: int = 1,
    absent_classes: str | None = None,
    metrics: Sequence[str] | None = None,
    categories: Mapping[str, Sequence[str]] | None = None,
    group_by: str | None = None,
    replicates: int = 2000,
    suspects: int = 0,
    save_labels: bool = True,
    visualize: bool | Sequence[str] = False,
    strategy: str = "auto",
    replicas: int = 0,
    part: Part | None = None,
    progress: Callable[[int, int], None] | None = None,
    on_prediction: Callable[[str, list], None] | None = None,
) -> evaluated.Evaluation | Unfinished | None:
    """Scores a model on a split; writes metrics.json, report.html, images.npz and label maps.

    Args:
        model: a run directory, a release of the zoo or weights that say what they are; a
            `TrainedModel`; or a `Predictor`, whose own protocol and CRF count.
        data_dir: the data folder.
        split: which of its lists.
        output_dir: the folder for the results; default the run's own eval/SPLIT.
        protocol: a `tfseg.inference.Protocol`; default the one that a folder of `save_pretrained`
            states, or the images as they are.
        crf: a `tfseg.inference.crf.CRF` that refines the label maps, or None.
        jobs: processes for the CRF; default one a core.
        save_logits: a folder for each image's logits, or None.
        batch_size: images of one size that a device takes together.
        absent_classes: whether the means leave out classes that occur nowhere ("skip") or not in
            the truth ("truth"), or count them 0 ("zero"); default as the protocol has it.
        metrics: names of `tfseg.metrics.METRICS`; default those that only count pixels. Images'
            numbers are kept in images.npz, from which `tfseg.workflows.compare` takes them.
        categories, group_by, replicates, suspects: as for `tfseg.workflows.judge`.
        save_labels: keep each image's label map, an 8-bit PNG of class indices, in labels/.
        visualize: also write pictures of each image: True for both, or some of "panels" (image,
            truth and prediction side by side) and "overlays" (the prediction laid over the image),
            which are the folders' names.
        strategy, replicas: as for `create_strategy`.
        part: which share of the list to evaluate; None for all. The one that ends last puts the
            scores of all together, exactly those of the whole.
        progress: called as progress(done, total) with numbers of images.
        on_prediction: called as on_prediction(title, shares) for each image, where `shares` is what
            `class_shares` gives of its prediction.

    Returns:
        `Evaluation`; `Unfinished` while other parts are missing; None in workers that only help
        the first.

    Raises:
        TfsegError: whatever the user can put right.
    """
    if part and suspects:
        raise TfsegError("`suspects` are looked for in a whole list: leave out `part`")
    info = DataInfo.load(data_dir)
    pictures = _PICTURES if visualize is True else visualize or ()
    for kind in pictures:
        if kind not in _PICTURES:
            raise unknown("visualize", kind, _PICTURES)
    whole = image_list = read_split(data_dir, split)
    resampling = evaluated.resampling(whole.names, group_by, replicates)
    if part:
        image_list = whole.pick(part.of(len(whole)))
    probabilities = bool(suspects) or needs_probabilities(metrics)
    crf = crf or getattr(model, "crf", None)
    if probabilities and crf is not None:
        raise TfsegError("a CRF leaves no probabilities, for `suspects` or calibration")
    one_by_one = crf is not None or save_logits is not None or probabilities
    distribution = create_strategy(strategy, replicas, single=one_by_one)
    if one_by_one and distribution.num_replicas_in_sync > 1:
        raise TfsegError("`crf`, `save_logits`, `suspects` and calibration take one device")
    with distribution.scope():
        predictor = load_predictor(model, protocol, crf)
    run_dir = _run_dir(model)
    output_dir = output_dir or (run_dir and runs.evaluation_dir(run_dir, split))
    if not output_dir:
        raise TfsegError("`output_dir` is missing")
    classes = _classes(predictor.spec, info, data_dir)
    names = class_names(classes, predictor.spec.num_classes)
    if absent_classes is None:
        absent_classes = predictor.protocol.absent_classes
    require_counted(absent_classes)
    facts = _facts(predictor, info, data_dir, split, whole, _weights(model, run_dir))
    kept = evaluated.record_facts(facts, absent_classes, _LABELS if save_labels else None)
    recorder = Recorder(image_list.names, names, metrics, categories, kept, probabilities)
    gallery = Gallery(image_list.names, predictor.palette, names)
    truth = Truth(image_list, len(names), info.label_map, info.ignore_label)
    worst = Worst(len(names), suspects)
    writers = _writers(output_dir, image_list, save_labels, pictures, predictor.palette, names)
    takers = [recorder, *writers.values()]
    if suspects:
        takers.append(Behind(functools.partial(_look, worst, image_list)))
    if one_by_one:
        options = {"jobs": jobs or count_cores(), "logits_dir": save_logits}
        run = functools.partial(evaluate_refined, predictor, truth, predictor.crf, **options)
    else:
        evaluator = _evaluator(predictor, info, batch_size, distribution)
        run = functools.partial(evaluator, image_list)
    start = time.perf_counter()
    with contextlib.ExitStack() as stack:
        takers = [gallery, *(stack.enter_context(one) for one in takers)]
        if on_prediction:
            takers.append(_share_teller(on_prediction, image_list, classes))
        matrix = run(progress=progress, on_prediction=lambda one: [take(one) for take in takers])
        seconds = time.perf_counter() - start
    if count_workers(distribution) > 1:
        recorder.gather(evaluator.sum_over_workers)
    if not is_chief(distribution):
        return None
    records = recorder.records
    if part:
        records, missing = _joined(output_dir, part, whole, records, predictor)
        if missing:
            return Unfinished(part, len(image_list), missing, output_dir)
        matrix = records.matrix()[:, :-1]
        gallery = _pictures(output_dir, records, info, whole, predictor, names, save_labels)
    records.save(os.path.join(output_dir, FILE_NAME))
    values = evaluated.summarize(
        records, matrix, classes, facts, absent_classes, metrics=metrics, resampling=resampling
    )
    written = evaluated.write(output_dir, values, gallery.panels(), predictor.palette, run_dir)
    if suspects:
        written += evaluated.write_errors(output_dir, worst, truth, names, predictor.palette)
    written.append(os.path.join(output_dir, FILE_NAME))
    written += [*writers, *([os.path.join(save_logits, "")] if save_logits else [])]
    return evaluated.Evaluation(values, records, written, seconds, len(image_list))


def _writers(output_dir, image_list, save_labels, pictures, palette, names):
    """{folder: what writes a picture of each image to it}."""
    writers = {}
    if save_labels:
        folder = os.path.join(output_dir, _LABELS, "")
        writers[folder] = LabelWriter(image_list, folder)
    for kind in pictures:
        folder = os.path.join(output_dir, kind, "")
        writers[folder] = _PICTURES[kind](image_list, folder, palette, names)
    return writers


def _joined(output_dir, part, whole, records, predictor):
    """Keeps a part's records; returns those of the whole list, and which parts are missing."""
    kept = evaluated.part_files(output_dir, part, whole, records, weights_digest(predictor.model))
    records.save(kept.path())
    kept.tidy()
    paths, missing = kept.paths()
    if missing:
        return records, missing
    return Records.joined([Records.load(path) for path in paths]), ()


def _pictures(output_dir, records, info, whole, predictor, names, save_labels):
    """The `Gallery` of all parts, from the label maps that they have left."""
    if not save_labels:
        return Gallery(whole.names, predictor.palette, names)
    truth = Truth(whole, len(names), info.label_map, info.ignore_label)

    def labels_of(index):
        return read_label(os.path.join(output_dir, _LABELS, f"{whole.stems[index]}.png"))

    return evaluated.gallery(records, truth, labels_of, predictor.palette, names)


def _evaluator(predictor, info, batch_size, distribution):
    return Evaluator(
        predictor.model,
        predictor.spec.preprocessing,
        protocol=predictor.protocol,
        ignore_label=info.ignore_label,
        label_map=info.label_map,
        batch_size=batch_size,
        strategy=distribution,
    )


def _share_teller(on_prediction, image_list, classes):
    """What a prediction's shares of the classes are handed over by."""

    def tell(predicted):
        shares = summary.class_shares(predicted.labels, classes)
        on_prediction(image_list.image_titles[predicted.index], shares)

    return tell


def _look(worst, image_list, predicted):
    maps = predicted.truth, predicted.labels, predicted.probabilities
    worst.add(*look(image_list.names[predicted.index], *maps))


def _run_dir(model):
    """The run directory that a model comes from, or None."""
    source = _source(model)
    return source if source and os.path.isdir(source) else None


def _source(model):
    """Where a model comes from, or None of a `Predictor`."""
    if isinstance(model, Predictor):
        return None
    return os.fspath(getattr(model, "source", model))


def _weights(model, run_dir):
    best = run_dir and os.path.join(run_dir, runs.BEST_WEIGHTS)
    if best and os.path.isfile(best):
        return os.path.abspath(best)
    source = _source(model)
    # Several files, and releases of the zoo, have no one path.
    return os.path.abspath(source) if source and os.path.exists(source) else source


def _facts(predictor, info, data_dir, split, image_list, weights):
    """The protocol of the scores, as metrics.json has it."""
    spec = predictor.spec
    return {
        **predictor.inference.protocol,
        "crf": predictor.crf and predictor.crf.to_dict(),
        "ignore_label": info.ignore_label,
        "label_map": info.label_map,
        "model": spec.name,
        "model_options": spec.options,
        "data_dir": os.path.abspath(data_dir),
        "split": split,
        "images": len(image_list),
        "weights": weights,
    }


def _classes(spec, info, data_dir):
    """The class names; warns where model and data folder don't mean the same by a class.

    Raises:
        TfsegError: they don't have the same number of classes.
    """
    if info.classes not in (None, spec.classes) and len(info.classes) != spec.num_classes:
        raise TfsegError(
            f"the model tells {counted(spec.num_classes, 'class')} apart, {data_dir} has "
            f"{len(info.classes)}"
        )
    if other := spec.other_class(info.classes):
        logging.warning(
            "class %d is '%s' to the model and '%s' in %s/info.json: are these the same?",
            *(*other, data_dir),
        )
    return info.classes or spec.classes
