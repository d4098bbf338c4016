"""Evaluation of one image after the other: dense CRFs, logits kept for later, probabilities."""

import os

import numpy as np

from tfseg.data.image_files import read_label
from tfseg.inference.crf import (
    count_classes_of,
    refine_file,
    run_jobs,
    save_logits,
    upsampled_probabilities,
)
from tfseg.inference.resume import Outputs
from tfseg.outputs import OutputFolder


def evaluate_refined(
    predictor, truth, crf=None, *, jobs=1, logits_dir=None, progress=None, on_prediction=None
):
    """The confusion matrix of a list of images, predicted one by one on this process' device.

    Args:
        predictor: a `Predictor`.
        truth: a `Truth`.
        crf: a `CRF` that refines the predictions, or None.
        jobs: processes for the CRF.
        logits_dir: folder for each image's logits (see `save_logits`), or None.
        progress, on_prediction: as for `Evaluator`; without a CRF, what is predicted has its
            probabilities.

    Returns:
        int64 [C, C], rows truth, columns prediction.

    Raises:
        TfsegError: a file can't be used, or would be written over; the CRF isn't installed; logits
            are asked for from a protocol of several views or tiles.
    """
    image_list = truth.image_list
    image_list.require_bands(predictor.bands)
    folder = logits_dir and OutputFolder(logits_dir, image_list.files)

    def seen(index):
        """An image as a CRF sees it, which is as people do, and its probabilities."""
        image = truth.image(index)
        picture = image_list.bands.picture(image)
        if folder is None:
            return picture, predictor.probabilities(image)
        logits = predictor.logits(image)
        geometry = (image.shape[:2], predictor.model.upsampling, predictor.model.output_stride)
        save_logits(folder.path(_logits(image_list, index)), logits, *geometry)
        return picture, upsampled_probabilities(logits, *geometry)

    def predictions():
        if crf is None:
            for index in range(len(image_list)):
                probabilities = seen(index)[1]
                yield index, probabilities.argmax(-1).astype(np.uint8), probabilities
            return
        calls = map(seen, range(len(image_list)))
        for index, labels in enumerate(run_jobs(jobs, crf.labels, calls)):
            yield index, labels, None

    total = _zeros(truth)
    for index, *found in predictions():
        predicted = truth.predicted(index, *found)
        total += predicted.matrix
        if on_prediction:
            on_prediction(predicted)
        if progress:
            progress(index + 1, len(image_list))
    return total


def count_classes(logits_dir, image_list):
    """The number of classes that a folder's logits tell apart.

    Raises:
        TfsegError: the first image's logits are missing or damaged.
    """
    return count_classes_of(os.path.join(logits_dir, _logits(image_list, 0)))


def refine_logits(crf, truth, logits_dir, labels_dir, jobs=1, progress=None):
    """The confusion matrix of kept logits after a CRF, in several processes.

    Label maps that are in `labels_dir` already and were made by the same CRF from these logits
    are taken as they are, so that an interrupted run goes on where it stopped.

    Args:
        crf: a `CRF`.
        truth: a `Truth`.
        logits_dir: folder that `evaluate_refined` wrote.
        labels_dir: folder for the label maps.
        jobs: how many processes.
        progress: called as progress(done, total) with numbers of images.

    Returns:
        int64 [C, C], rows truth, columns prediction; and how many images were refined now.

    Raises:
        TfsegError: logits are missing or damaged, or a file can't be written.
    """
    image_list = truth.image_list
    left = unrefined(crf, image_list, logits_dir, labels_dir)
    folder = OutputFolder(labels_dir, image_list.files)
    total = _zeros(truth)
    for index, stem in enumerate(image_list.stems):
        if index not in left:
            total += truth.matrix(index, read_label(os.path.join(labels_dir, f"{stem}.png")))
    missing = [(index, folder.path(f"{image_list.stems[index]}.png")) for index in left]
    count = len(image_list)
    done = count - len(missing)
    if progress and done:
        progress(done, count)
    results = _refined([crf], truth, logits_dir, missing, jobs)
    for number, (index, (labels,)) in enumerate(results, start=done + 1):
        total += truth.matrix(index, labels)
        if progress:
            progress(number, count)
    return total, len(missing)


def unrefined(crf, image_list, logits_dir, labels_dir):
    """The places of the images whose label maps aren't in `labels_dir` yet, as a dict's keys.

    Arguments and errors as for `refine_logits`.
    """
    settings = {"crf": crf.to_dict(), "logits_dir": os.path.abspath(logits_dir)}
    outputs = Outputs(labels_dir, settings)
    return {
        index: None
        for index, stem in enumerate(image_list.stems)
        if not outputs.has(os.path.join(logits_dir, _logits(image_list, index)), [f"{stem}.png"])
    }


def compare_crfs(crfs, truth, logits_dir, jobs=1, progress=None):
    """The confusion matrices of kept logits after each of some CRFs: a list of int64 [C, C].

    Arguments and errors as for `refine_logits`; no label maps are kept.
    """
    count = len(truth.image_list)
    totals = [_zeros(truth) for _ in crfs]
    everything = ((index, None) for index in range(count))
    for index, maps in _refined(crfs, truth, logits_dir, everything, jobs):
        for total, labels in zip(totals, maps, strict=True):
            total += truth.matrix(index, labels)
        if progress:
            progress(index + 1, count)
    return totals


def _refined(crfs, truth, logits_dir, wanted, jobs):
    """Yields (index, [label map of each CRF]) for `wanted`, pairs of index and path to write."""
    order = []

    def calls():
        for index, path in wanted:
            order.append(index)
            source = os.path.join(logits_dir, _logits(truth.image_list, index))
            yield crfs, truth.picture(index), source, path

    for number, maps in enumerate(run_jobs(jobs, refine_file, calls())):
        yield order[number], maps


def _logits(image_list, index):
    """What the logits of an image are called in their folder."""
    return f"{image_list.stems[index]}.npz"


def _zeros(truth):
    return np.zeros((truth.num_classes, truth.num_classes), np.int64)
