"""The way back: a model's weights in the names and axes of the original code."""

import re

import numpy as np

from tfseg.errors import TfsegError, unknown
from tfseg.files import replacing
from tfseg.weights.assign import weights_of
from tfseg.weights.layouts.families import layouts
from tfseg.words import counted


def to_original(model, layout=None):
    """A model's weights as the original code names them; the inverse of `load_weights`.

    Entries that the original's strict load asks for but that hold nothing of ours are added:
    PyTorch's `num_batches_tracked` (0), the fixed upsampling kernel of DRN segmenters, DRN-C's
    projections that are never applied (zeros), and the sums behind the averages of the ADE20K
    code's batch norm (as after one batch).

    Args:
        model: a `Segmenter`, `Classifier` or `Encoder`.
        layout: name of the layout, such as "DRN segmenter"; default the first in which every
            variable has a name. "ADE20K PPM files" has the names of the encoder's and decoder's
            own files, which share none.

    Returns:
        {original name: array}; PyTorch's and Caffe's convolutions are OIHW.

    Raises:
        TfsegError: no such layout, or the original has no names for a part of the model, or can't
            do what it learned (smooth_GI mixes all groups only here).
    """
    variables = weights_of(model)
    layout, names = _find(model, variables, layout)
    arrays = {}
    for path, variable in variables.items():
        array = np.asarray(variable.numpy())
        convert = layout.arrays.get(path.rpartition("/")[2])
        if convert and not np.array_equal(convert(array), array):
            raise TfsegError(f"the original code can't express the values of {path}")
        if layout.kernels == "OIHW" and array.ndim == 4:
            array = array.transpose(3, 2, 0, 1)
        if re.search(layout.linear, names[path]):
            array = array[:, :, 0, 0]
        arrays[names[path]] = np.ascontiguousarray(array)
    for extra in layout.extras:
        arrays |= extra(arrays)
    return arrays


def _find(model, variables, wanted):
    known = [layout for layout in layouts(model) if layout.name != "tfseg"]
    if wanted is not None and wanted not in [layout.name for layout in known]:
        raise unknown("layout", wanted, [layout.name for layout in known])
    nameless = list(variables)
    for layout in known:
        if wanted not in (None, layout.name):
            continue
        names = {path: layout.original(path) for path in variables}
        lacking = [path for path, name in names.items() if name is None]
        if not lacking:
            return layout, names
        nameless = min(nameless, lacking, key=len)
    raise TfsegError(
        f"the original code has no name for {counted(len(nameless), 'variable')} of this model, "
        f"such as {nameless[0]}"
    )


def save_original(model, path, layout=None):
    """Writes `to_original` as a .safetensors file, which PyTorch loads into the original model.

        model.load_state_dict(safetensors.torch.load_file(path))

    Args:
        model, layout: as for `to_original`.
        path: of the file, *.safetensors; it appears only when it is complete.

    Raises:
        TfsegError: as `to_original`, or the file can't be written.
    """
    from safetensors.numpy import save_file

    if not str(path).endswith(".safetensors"):
        raise TfsegError(f"weights in original names are written to *.safetensors, not {path}")
    arrays = to_original(model, layout)
    with replacing(path) as temporary:
        save_file(arrays, temporary, {"format": "pt"})
