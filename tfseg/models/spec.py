"""The recipe of a model: everything that rebuilds it and says what its outputs mean."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from tfseg.bands import Bands
from tfseg.digests import sealed, unsealed
from tfseg.errors import TfsegError
from tfseg.files import read_json, write_json
from tfseg.models.preprocessing import Preprocessing
from tfseg.models.table import KINDS, resolve
from tfseg.words import counted

FORMAT = 1


def plain_options(options: dict[str, Any]) -> dict[str, Any]:
    """A model's options as JSON has them: lists in place of tuples."""
    return {key: list(v) if isinstance(v, tuple) else v for key, v in options.items()}


def with_channels(options: dict[str, Any], bands: Bands) -> dict[str, Any]:
    """A model's options with the number of channels of its images, which for RGB goes unsaid.

    Raises:
        TfsegError: they state another number.
    """
    stated = options.get("channels", bands.channels)
    if stated != bands.channels:
        raise TfsegError(f"channels={stated} is not what the images have: {bands.describe()}")
    return options if bands.channels == 3 else {**options, "channels": bands.channels}


@dataclasses.dataclass(frozen=True)
class ModelSpec:
    """A model's recipe: name, options, preprocessing, and the meaning of its classes.

    A model has it as `model.spec`; model.json, weight files and .keras files keep it.

    Attributes:
        name: a name that `create_model` knows, or `create_classifier` for a classifier; of a
            model made from objects, "encoder+decoder" with their own names.
        num_classes: how many classes the head tells apart.
        options: keyword options of `create_model`.
        preprocessing: `Preprocessing` of its input images; None where a model or a file of
            weights doesn't say it.
        classes: the class names in index order, or None.
        palette: one [r, g, b] (0..255) per class, or None.
        ignore_label: the label value that neither loss nor metric counts.
        label_map: {value in the label files: class index}, or None.
        kind: "segmenter" or "classifier".
    """

    name: str
    num_classes: int
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    preprocessing: Preprocessing | None = dataclasses.field(default_factory=Preprocessing)
    classes: list[str] | None = None
    palette: list[list[int]] | None = None
    ignore_label: int = 255
    label_map: dict[int, int] | None = None
    kind: str = "segmenter"

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise TfsegError(f"a model's name must be text, not {self.name!r}"[:200])
        if not isinstance(self.num_classes, int) or not isinstance(self.options, dict):
            raise TfsegError(
                "num_classes must be a whole number and options a dict, not "
                f"{self.num_classes!r} and {self.options!r}"
            )
        # What is compared with a file must not have tuples either.
        object.__setattr__(self, "options", plain_options(self.options))
        for name in ("classes", "palette"):
            value = getattr(self, name)
            if value is not None and len(value) < self.num_classes:
                raise TfsegError(
                    f"{name} has {counted(len(value), 'entry')} for a model of "
                    f"{counted(self.num_classes, 'class')}"
                )

    def build(self, **options: Any) -> Any:
        """A fresh `Segmenter` or `Classifier` of this recipe; `options` override the stored ones.

        Raises:
            TfsegError: no such name or option, or a bad value.
        """
        spec = dataclasses.replace(self, options={**self.options, **options})
        model = KINDS.find(self.kind).load()(spec.name, spec.num_classes, **spec.options)
        model.spec = spec
        return model

    def build_to_load(self, **options: Any) -> Any:
        """What `build` returns, sooner: its kernels are zeros until weights are loaded."""
        from tfseg.layers.conv import zero_kernels  # a recipe is read without Keras

        with zero_kernels():
            return self.build(**options)

    def other_class(self, classes: Sequence[str] | None) -> tuple[int, str, str] | None:
        """The first class that has another name among `classes`: its index, our name and theirs.

        None where all are called the same, or one of the two has no names.
        """
        pairs = enumerate(zip(self.classes or (), classes or (), strict=False))
        return next(((index, *names) for index, names in pairs if len(set(names)) > 1), None)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON has them; with the version of their meaning."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        values["preprocessing"] = self.preprocessing and self.preprocessing.to_dict()
        return {"format": FORMAT, **values}

    @classmethod
    def from_dict(cls, values: Any) -> "ModelSpec":
        """The inverse of `to_dict`, through JSON or not.

        Raises:
            TfsegError: it doesn't describe a model, or was written by a newer tfseg.
        """
        if not isinstance(values, dict) or "num_classes" not in values:
            raise TfsegError("it does not describe a model: it has no name or num_classes")
        values = _of_today(values)
        if "name" not in values:
            raise TfsegError("it does not describe a model: it has no name or num_classes")
        if values.pop("format", FORMAT) != FORMAT:
            raise TfsegError("it was written by a newer tfseg; update to read it")
        surplus = set(values) - {field.name for field in dataclasses.fields(cls)}
        if surplus:
            raise TfsegError(f"it has unknown entries: {', '.join(sorted(surplus))}")
        try:
            if values.get("preprocessing") is not None:
                values["preprocessing"] = Preprocessing.from_dict(values["preprocessing"])
            if values.get("label_map") is not None:
                values["label_map"] = {int(key): int(v) for key, v in values["label_map"].items()}
            return cls(**values)
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise TfsegError(f"it does not describe a model: {error}") from error

    def save(self, path: str) -> None:
        """Writes the recipe as JSON with a digest, atomically."""
        write_json(path, sealed(self.to_dict()))

    @classmethod
    def load(cls, path: str, kind: str = "segmenter") -> "ModelSpec":
        """Reads what `save` wrote.

        Args:
            kind: what the model has to be.

        Raises:
            TfsegError: the file is missing, isn't JSON, has another digest than it states, does
                not describe a model or one of another kind, or was written by a newer tfseg; the
                message names it.
        """
        values = read_json(path)
        if isinstance(values, dict):
            values = unsealed(values, path)
        try:
            if isinstance(values, dict) and values.get("preprocessing") is None:
                values = {**values, "preprocessing": {}}
            spec = cls.from_dict(values)
            if spec.kind != kind:
                raise TfsegError(f"it describes a {spec.kind}, not a {kind}")
            if kind == "segmenter":
                resolve(spec.name)
            return spec
        except TfsegError as error:
            raise TfsegError(f"{path}: {error}") from error
        except TypeError as error:  # a name that can't be looked up
            raise TfsegError(f"{path} does not describe a model: {error}") from error


def _of_today(values: dict[str, Any]) -> dict[str, Any]:
    """What version 0.1.0 wrote into weight files and .keras files, in today's names."""
    values = dict(values)
    if "classifier" in values:
        values["kind"] = "classifier" if values.pop("classifier") else "segmenter"
    if "model" in values:
        values["name"] = values.pop("model")
        values.pop("precision", None)
    return values
