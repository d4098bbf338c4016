"""info.json: what a data folder says about its images and classes."""

import dataclasses
import functools
import os
import reprlib

from tfseg.bands import Bands
from tfseg.checks import are_numbers, is_whole
from tfseg.errors import TfsegError
from tfseg.files import read_json, write_json
from tfseg.words import counted

FILE_NAME = "info.json"


def _is_colour(value):
    return are_numbers(value, 0, 255) and len(value) == 3 and all(x == int(x) for x in value)


@dataclasses.dataclass(frozen=True)
class DataInfo:
    """The facts of a data folder.

    Attributes:
        mean: the training images' mean of each channel, as fractions of `value_range`.
        std: their standard deviation, likewise.
        classes: class names in index order, or None.
        palette: one [r, g, b] (0..255) per class, or None.
        ignore_label: the label value that neither loss nor metric counts.
        label_map: {value in the label files: class index or ignore_label}, or None for label
            files that hold class indices. A value that it does not list is an error, except
            `ignore_label`, which then means itself.
        class_weights: {rule: one weight per class}, as `data.prepare.class_weights` makes
            them from the training labels, or None.
        channels, value_range, rgb_bands: what the images' numbers mean: see `tfseg.bands.Bands`.

    Raises:
        TfsegError: on values outside these ranges.
    """

    mean: tuple
    std: tuple
    classes: list | None = None
    palette: list | None = None
    ignore_label: int = 255
    label_map: dict | None = None
    class_weights: dict | None = None
    channels: int = 3
    value_range: tuple = (0, 255)
    rgb_bands: tuple | None = None

    def __post_init__(self):
        bands = self.bands
        object.__setattr__(self, "value_range", bands.value_range)
        object.__setattr__(self, "rgb_bands", bands.rgb_bands)
        for name in ("mean", "std"):
            value = getattr(self, name)
            if not are_numbers(value, 0, 1) or len(value) != bands.channels:
                count = "three" if bands.channels == 3 else bands.channels
                kind = " (RGB)" if bands.channels == 3 else ", one for each channel"
                raise TfsegError(
                    f"{name} must be {count} fractions of one{kind}, not {_shown(value)}"
                )
            object.__setattr__(self, name, tuple(float(x) for x in value))
        if min(self.std) <= 0:
            raise TfsegError(f"std must be positive, not {list(self.std)}")
        self._check_classes()
        if not is_label(self.ignore_label):
            raise TfsegError(
                f"ignore_label must be a value in 0..255, not {_shown(self.ignore_label)}"
            )
        object.__setattr__(self, "label_map", _parse_label_map(self.label_map))
        weights = self.class_weights
        if weights is not None and not (
            isinstance(weights, dict) and all(are_numbers(row, 0) for row in weights.values())
        ):
            raise TfsegError(
                f"class_weights must be lists of numbers by rule, not {_shown(weights)}"
            )

    @functools.cached_property
    def bands(self):
        """`Bands` of the images."""
        return Bands(self.channels, self.value_range, self.rgb_bands)

    def _check_classes(self):
        classes, palette = self.classes, self.palette
        if classes is not None:
            if not isinstance(classes, list | tuple) or not classes:
                raise TfsegError(f"classes must be a list of names, not {_shown(classes)}")
            for name in classes:
                if not isinstance(name, str | int) or not _is_text(str(name)):
                    raise TfsegError(f"classes must be a list of names, not of {_shown(name)}")
            classes = require_distinct([str(name) for name in classes])
            object.__setattr__(self, "classes", classes)
        if palette is not None:
            if not isinstance(palette, list | tuple) or not all(map(_is_colour, palette)):
                raise TfsegError("palette must be a list of [r, g, b] in 0..255")
            object.__setattr__(self, "palette", [[int(x) for x in colour] for colour in palette])
        if classes is not None and palette is not None and len(palette) < len(classes):
            raise TfsegError(
                f"palette has {counted(len(palette), 'colour')} for "
                f"{counted(len(classes), 'class')}"
            )

    @classmethod
    def load(cls, data_dir):
        """Reads `data_dir`/info.json.

        Raises:
            TfsegError: it is missing, is not JSON, or has unknown or impossible entries.
        """
        path = os.path.join(data_dir, FILE_NAME)
        if not os.path.isdir(data_dir):
            raise TfsegError(f"there is no data folder {data_dir}")
        if not os.path.exists(path) and not _has_lists(data_dir):
            name = os.path.basename(os.path.abspath(data_dir))
            raise TfsegError(
                f"{data_dir} is no data folder: it has neither lists of images nor {FILE_NAME}; of "
                "images and labels, an own folder is made",
                remedy=("prepare", {"source": data_dir, "data_dir": f"data/{name}"}),
            )
        if not os.path.exists(path):
            raise TfsegError(
                f"{path} is missing: it states mean and std of the training images, and "
                "preparing the folder computes it",
                remedy=("prepare", {"dataset": "folder", "data_dir": data_dir}),
            )
        values = read_json(path)
        names = [field.name for field in dataclasses.fields(cls)]
        if not isinstance(values, dict) or "mean" not in values or "std" not in values:
            raise TfsegError(f"{path} must be an object with mean and std")
        surplus = sorted(set(values) - set(names))
        if surplus:
            raise TfsegError(
                f"{path} has unknown entries: {', '.join(surplus)}; it may have {', '.join(names)}"
            )
        try:
            return cls(**values)
        except TfsegError as error:
            raise TfsegError(f"{path}: {error}") from error

    def save(self, data_dir):
        """Writes `data_dir`/info.json, atomically, without the entries that say nothing."""
        values = dataclasses.asdict(self)
        for name in ("channels", "value_range", "rgb_bands"):
            del values[name]
        values = {**values, **self.bands.to_dict()}
        values = {name: value for name, value in values.items() if value is not None}
        write_json(os.path.join(data_dir, FILE_NAME), values)


def read_bands(data_dir):
    """`Bands` of a data folder's images; those of 8-bit RGB where info.json doesn't say, or is not
    there.

    Raises:
        TfsegError: info.json is damaged, or they are impossible.
    """
    path = os.path.join(data_dir, FILE_NAME)
    values = read_json(path) if os.path.isfile(path) else {}
    names = [field.name for field in dataclasses.fields(Bands)]
    try:
        return Bands(**{name: values[name] for name in names if name in values})
    except TfsegError as error:
        raise TfsegError(f"{path}: {error}") from error


def require_distinct(names):
    """`names`, if they can tell classes apart.

    Raises:
        TfsegError: two classes have one name.
    """
    places = {}
    for index, name in enumerate(names):
        if places.setdefault(name, index) != index:
            raise TfsegError(
                f"the classes {places[name]} and {index} are both called '{name}': "
                "each needs a name of its own"
            )
    return names


def is_label(value):
    """Whether `value` can stand in a label file: an integer in 0..255."""
    return is_whole(value, 0, 255)


def _parse_label_map(label_map):
    if label_map is None:
        return None
    try:
        # JSON's keys are strings.
        parsed = {int(key): value for key, value in label_map.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise TfsegError(
            f"label_map must map label values to class indices, not {_shown(label_map)}"
        ) from error
    if len(parsed) < len(label_map):
        raise TfsegError("label_map names a label value twice")
    for key, value in parsed.items():
        if not is_label(key) or not is_label(value):
            raise TfsegError(
                f"label_map must map 0..255 to 0..255, not {_shown(key)} to {_shown(value)}"
            )
    return parsed


def _is_text(value):
    """Whether a string can be written as UTF-8; JSON can hold halves of characters."""
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


def _shown(value):
    """A value for a message, shortened: files may hold anything, of any size and depth."""
    try:
        return reprlib.repr(value)
    except ValueError:  # whole numbers of thousands of digits
        return f"a {type(value).__name__} of enormous size"


def _has_lists(folder):
    """Whether a folder has files that may be lists of images."""
    return any(name.endswith((".txt", ".odgt")) for name in os.listdir(folder))
