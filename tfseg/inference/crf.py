"""Dense conditional random fields: label maps that follow the edges of the image.

Krähenbühl and Koltun, "Efficient Inference in Fully Connected CRFs with Gaussian Edge Potentials",
NIPS 2011; as DeepLab applies it: Chen et al., TPAMI 2018, section 3.3.

pydensecrf does the work. It is an extra, which is why it is imported where it is used.
"""

import contextlib
import dataclasses
import itertools
import math
import typing
import zipfile

import numpy as np
from PIL import Image

from tfseg.checks import require_number
from tfseg.errors import TfsegError
from tfseg.files import atomic_write, damage_is_value_error, open_file
from tfseg.parallel import in_order, process_pool


@dataclasses.dataclass(frozen=True)
class CRF:
    """The energy of a dense CRF; the values are DeepLab's for PASCAL VOC and COCO-Stuff.

    Attributes:
        iterations: of mean-field inference.
        gaussian_weight, gaussian_xy: of the smoothness term, and its reach in pixels.
        bilateral_weight, bilateral_xy, bilateral_rgb: of the appearance term, and its reach in
            pixels and in colour, 0..255.

    Raises:
        TfsegError: a value that isn't positive, or iterations that aren't whole.
    """

    iterations: int = 10
    gaussian_weight: float = 3.0
    gaussian_xy: float = 1.0
    bilateral_weight: float = 4.0
    bilateral_xy: float = 67.0
    bilateral_rgb: float = 3.0

    def __post_init__(self):
        for name, value in self.to_dict().items():
            require_number(name, value, above=0, whole=name == "iterations")

    def refine(self, image, probabilities):
        """Class probabilities after inference.

        Args:
            image: uint8 RGB [H, W, 3].
            probabilities: [H, W, C], each pixel summing to one.

        Returns:
            float32 [H, W, C].

        Raises:
            TfsegError: pydensecrf isn't installed.
        """
        densecrf = _densecrf()
        height, width, classes = probabilities.shape
        unary = -np.log(np.maximum(probabilities, 1e-10)).astype(np.float32)
        unary = np.ascontiguousarray(unary.reshape(-1, classes).T)
        field = densecrf.DenseCRF2D(width, height, classes)
        field.setUnaryEnergy(unary)
        field.addPairwiseGaussian(sxy=self.gaussian_xy, compat=self.gaussian_weight)
        field.addPairwiseBilateral(
            sxy=self.bilateral_xy,
            srgb=self.bilateral_rgb,
            rgbim=np.array(image, order="C"),  # pydensecrf refuses read-only ones
            compat=self.bilateral_weight,
        )
        result = np.asarray(field.inference(self.iterations), np.float32)
        return np.ascontiguousarray(result.T).reshape(height, width, classes)

    def labels(self, image, probabilities):
        """The label map after inference, uint8 [H, W]; arguments as for `refine`."""
        return self.refine(image, probabilities).argmax(-1).astype(np.uint8)

    def to_dict(self):
        """Plain values for metrics.json."""
        return dataclasses.asdict(self)


def require_crf():
    """Raises a `TfsegError` that says how to install pydensecrf where it is missing."""
    _densecrf()


def _densecrf():
    try:
        import pydensecrf.densecrf
    except ImportError as error:
        raise TfsegError(
            "dense CRFs need pydensecrf: pip install 'pydensecrf2>=1.1,<2' (or tfseg's extra [crf])"
        ) from error
    return pydensecrf.densecrf


def grid(base, **values):
    """Every combination of values of some of a CRF's attributes, as a list of `CRF`.

    Args:
        base: a `CRF` that has the other attributes.
        **values: {attribute: list of values}.
    """
    names = list(values)
    return [
        dataclasses.replace(base, **dict(zip(names, one, strict=True)))
        for one in itertools.product(*values.values())
    ]


def save_logits(path, logits, size, upsampling, stride):
    """Writes one image's logits, compressed, with what brings them to its size; atomically.

    Args:
        path: of the file, *.npz.
        logits: [h, w, C]; they are stored as float16, which keeps three digits.
        size: (H, W) of the image.
        upsampling: "bilinear", "zero_border" or "legacy", as of a `Segmenter`.
        stride: pixels per cell, for "zero_border".
    """
    limit = float(np.finfo(np.float16).max)
    values = np.clip(logits, -limit, limit).astype(np.float16)
    with atomic_write(path) as file:
        np.savez_compressed(
            file,
            logits=values,
            size=np.array(size, np.int32),
            upsampling=np.array(upsampling),
            stride=np.array(stride, np.int32),
        )


def load_probabilities(path, size=None):
    """The class probabilities at the image's size, float32 [H, W, C], of a file of logits.

    Args:
        path: of the file.
        size: (H, W) of the image, which the file must be of; None takes the file's word.

    Raises:
        TfsegError: the file is missing, damaged, something else, or of an image of another size.
    """
    with _opened(path) as archive:
        facts = _facts(archive)
        if size is not None and facts.size != tuple(size):
            raise TfsegError(
                f"{path} belongs to an image of {facts.size[1]}x{facts.size[0]}, "
                f"but the data set's is {size[1]}x{size[0]}"
            )
        logits = _array(archive, "logits").astype(np.float32)
        if not np.isfinite(logits).all():
            raise ValueError("values that aren't finite")
    return upsampled_probabilities(logits, *facts[:3])


def count_classes_of(path):
    """The number of classes that a file of logits tells apart, by its header.

    Raises:
        TfsegError: the file is missing, damaged or something else.
    """
    with _opened(path) as archive:
        return _facts(archive).classes


class _Facts(typing.NamedTuple):
    size: tuple
    upsampling: str
    stride: int
    classes: int


@contextlib.contextmanager
def _opened(path):
    try:
        with damage_is_value_error(), open_file(path) as file, zipfile.ZipFile(file) as archive:
            yield archive
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TfsegError(
            f"{path} isn't a whole file of logits as evaluation keeps them: {reason}"
        ) from error


def _facts(archive):
    """What the small entries of a file of logits say, once the shape of the large one fits it."""
    height, width = _array(archive, "size").astype(int).tolist()
    upsampling, stride = str(_array(archive, "upsampling")), int(_array(archive, "stride"))
    shape, dtype = _header(archive, "logits")
    # Nothing is read that is larger than the image; a network's map may be a cell wider.
    fits = len(shape) == 3 and 1 <= shape[0] <= height + 1 and 1 <= shape[1] <= width + 1
    if not fits or not 1 <= shape[2] <= 256 or dtype.kind != "f" or dtype.itemsize > 8:
        raise ValueError(f"{dtype} {list(shape)} for an image of {width}x{height}")
    if upsampling not in ("bilinear", "zero_border", "legacy") or stride < 1:
        raise ValueError(f"upsampling {upsampling[:20]} with stride {stride}")
    return _Facts((height, width), upsampling, stride, shape[2])


def _header(archive, name):
    """The (shape, dtype) of an entry."""
    with archive.open(f"{name}.npy") as file:
        major, _ = np.lib.format.read_magic(file)
        if major != 1:
            raise ValueError(f"format {major} of {name}")
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    return shape, dtype


def _array(archive, name):
    """An entry; all but the logits, whose shape `_facts` has looked at, are at most 1000 bytes."""
    shape, dtype = _header(archive, name)
    if dtype.hasobject or (name != "logits" and math.prod(shape) * dtype.itemsize > 1000):
        raise ValueError(f"{dtype} {list(shape)} of {name}")
    with archive.open(f"{name}.npy") as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def upsampled_probabilities(logits, size, upsampling, stride):
    """Softmax at the image's size, float32 [H, W, C], of one image's logits [h, w, C].

    The others as for `save_logits`.
    """
    height, width = size
    h, w, _ = logits.shape
    if upsampling == "zero_border":
        logits = np.pad(logits, ((1, 1), (1, 1), (0, 0)))
        rows = (np.arange(height) + 0.5) / stride + 0.5
        columns = (np.arange(width) + 0.5) / stride + 0.5
    elif upsampling == "legacy":
        rows, columns = np.arange(height) * h / height, np.arange(width) * w / width
    else:
        rows = (np.arange(height) + 0.5) * h / height - 0.5
        columns = (np.arange(width) + 0.5) * w / width - 0.5
    scores = _interpolate(_interpolate(logits, rows, 0), columns, 1)
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    return scores / scores.sum(-1, keepdims=True)


def _interpolate(maps, positions, axis):
    positions = np.clip(positions, 0, maps.shape[axis] - 1)
    before = np.floor(positions).astype(int)
    after = np.minimum(before + 1, maps.shape[axis] - 1)
    share = (positions - before).astype(np.float32)
    share = share.reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
    first, last = np.take(maps, before, axis), np.take(maps, after, axis)
    return first + (last - first) * share


def refine_file(crfs, image, path, output_path=None):
    """Refines what a file of logits says of an image, by each of some CRFs.

    Args:
        crfs: list of `CRF`.
        image: uint8 RGB [H, W, 3].
        path: the file of logits.
        output_path: PNG of class indices to write of the first CRF, or None.

    Returns:
        [uint8 [H, W]], one for each CRF.

    Raises:
        TfsegError: a file can't be used, or logits of an image of another size.
    """
    probabilities = load_probabilities(path, image.shape[:2])
    maps = [crf.labels(image, probabilities) for crf in crfs]
    if output_path:
        with atomic_write(output_path) as file:
            Image.fromarray(maps[0]).save(file, "PNG")
    return maps


def run_jobs(jobs, function, calls):
    """Yields the results of function(*arguments), in order, from processes.

    Args:
        jobs: how many processes.
        function: of an importable module, or a method of an object of one; `process_pool` says why
            not of the script that runs.
        calls: iterable of arguments, drawn a few ahead.
    """
    with process_pool(jobs) as pool:
        yield from in_order(pool, function, calls, 2 * jobs)
