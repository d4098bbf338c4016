"""`load_weights`: one entry for every kind of source."""

import dataclasses
import os
import re
from collections.abc import Mapping

from tfseg import zoo
from tfseg.errors import TfsegError, unknown
from tfseg.weights import readers
from tfseg.weights.applications import IMAGENET, load_imagenet
from tfseg.weights.assign import assign
from tfseg.weights.own import is_own, load_own
from tfseg.weights.released import release_preprocessing
from tfseg.weights.sources import Joined


def load_weights(model, source, new_head=False):
    """Sets the weights of `model`; strict, all or nothing.

    Args:
        model: a `Segmenter`, `Classifier` or `Encoder`.
        source: where they come from:
            a mapping {original name: array} in the names of the original code base;
            the path of a file: PyTorch, safetensors, .caffemodel, a TensorFlow 1 checkpoint,
            .weights.h5, .keras, a run directory, or a checkpoint in it;
            a list of such mappings and foreign files that together hold the model, such as
            ADE20K's encoder and decoder, or its text with commas between the paths;
            the name of a release in `tfseg.zoo`, or "hf://owner/name" on the Hugging Face hub,
            which are downloaded once; a folder that `Predictor.save_pretrained` wrote;
            "imagenet", for encoders out of Keras Applications, whose weights Keras downloads.
        new_head: what doesn't fit in the head (decoder or classifier) keeps its fresh values: for
            another number of classes, or to start a segmenter from a classifier.

    Returns:
        A `Report` of what was loaded, left out, and kept fresh.

    Raises:
        TfsegError: the source can't be read or doesn't fit; the model is as before.
    """
    if isinstance(source, Mapping):
        return assign(model, source, new_head)
    if not isinstance(source, list | tuple):
        source = _split(source)
    if not source:
        raise TfsegError("no file of weights is named")
    if len(source) == 1:
        return _load_one(model, source[0], new_head)
    parts = {}
    for number, part in enumerate(source, 1):
        origin = f"part {number}" if isinstance(part, Mapping) else os.fspath(part)
        if origin in parts:
            raise TfsegError(f"{origin} is named twice among the files of weights")
        parts[origin] = part if isinstance(part, Mapping) else _open(part)
    return assign(model, Joined(parts), new_head, ", ".join(parts))


def _split(source):
    text = os.fspath(source)
    if "," not in text or os.path.exists(text):
        return [text]
    return [part.strip() for part in text.split(",") if part.strip()]


def _load_one(model, source, new_head):
    if isinstance(source, Mapping):
        return assign(model, source, new_head)
    path = os.path.expanduser(os.fspath(source))
    if zoo.is_hub(path):
        path = zoo.fetch_hub(path)
    if not os.path.exists(path):
        if path == IMAGENET:
            return load_imagenet(model, new_head)
        if path in zoo.RELEASES:
            report = load_weights(model, zoo.fetch(path), new_head)
            return dataclasses.replace(report, preprocessing=release_preprocessing(path))
        if re.fullmatch(r"\w+", path) and not os.path.exists(f"{path}.index"):
            raise TfsegError(f"there is no file {path}; {unknown('release', path, zoo.RELEASES)}")
    if is_own(path):
        return load_own(model, path, new_head)
    return assign(model, _open(path), new_head, path)


def _open(path):
    path = os.path.expanduser(os.fspath(path))
    if is_own(path):
        raise TfsegError(f"{path} holds a whole model: it can't be one of several files")
    return readers.read(path)
