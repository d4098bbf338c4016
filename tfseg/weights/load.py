"""`load_weights`: one entry for every kind of source."""

import os
from collections.abc import Mapping

from tfseg.weights.assign import assign
from tfseg.weights.own import is_own, read_own


def load_weights(model, source, new_head=False):
    """Sets the weights of `model`; strict, all or nothing.

    Args:
        model: a `Segmenter`, `Classifier` or `Encoder`.
        source: a mapping {original name: array} in the names of the original code base, or the
            path of a .weights.h5 file, a .keras file or a run directory.
        new_head: what doesn't fit in the head (decoder or classifier) keeps its fresh values: for
            another number of classes, or to start a segmenter from a classifier.

    Returns:
        A `Report` of what was loaded, left out, and kept fresh.

    Raises:
        TfsegError: the source can't be read or doesn't fit; the model is as before.
    """
    if isinstance(source, Mapping):
        return assign(model, source, new_head)
    path = os.path.expanduser(os.fspath(source))
    if is_own(path):
        return assign(model, read_own(path, model), new_head, path)
    from tfseg.weights.readers import read

    return assign(model, read(path), new_head, path)
