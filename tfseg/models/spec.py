"""model.json: everything that rebuilds a model and says what its outputs mean."""

import dataclasses

from tfseg.digests import sealed, unsealed
from tfseg.errors import TfsegError
from tfseg.files import read_json, write_json
from tfseg.models.preprocessing import Preprocessing

FORMAT = 1


def plain_options(options):
    """A model's options as JSON has them: lists in place of tuples."""
    return {key: list(v) if isinstance(v, tuple) else v for key, v in options.items()}


@dataclasses.dataclass(frozen=True)
class ModelSpec:
    """A model's recipe: name, options, preprocessing, and the meaning of its classes.

    Attributes:
        name: a name that `create_model` knows, or `create_classifier` for a classifier.
        num_classes: how many classes the head tells apart.
        options: keyword options of `create_model`.
        preprocessing: `Preprocessing` of its input images.
        classes: the class names in index order, or None.
        palette: one [r, g, b] (0..255) per class, or None.
        ignore_label: the label value that neither loss nor metric counts.
        label_map: {value in the label files: class index}, or None.
        kind: "segmenter" or "classifier".
    """

    name: str
    num_classes: int
    options: dict = dataclasses.field(default_factory=dict)
    preprocessing: Preprocessing = dataclasses.field(default_factory=Preprocessing)
    classes: list | None = None
    palette: list | None = None
    ignore_label: int = 255
    label_map: dict | None = None
    kind: str = "segmenter"

    def __post_init__(self):
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
                    f"{name} has {len(value)} entries for a model of {self.num_classes} classes"
                )

    def build(self, **options):
        """A fresh model of this recipe; `options` override the stored ones."""
        from tfseg.models.factory import create_classifier, create_model

        create = create_classifier if self.kind == "classifier" else create_model
        return create(self.name, self.num_classes, **{**self.options, **options})

    def save(self, path):
        """Writes the recipe as JSON with a digest, atomically."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        values["preprocessing"] = self.preprocessing.to_dict()
        write_json(path, sealed({"format": FORMAT, **values}))

    @classmethod
    def load(cls, path, kind="segmenter"):
        """Reads what `save` wrote.

        Args:
            kind: what the model has to be.

        Raises:
            TfsegError: the file is missing, isn't JSON, has another digest than it states, does
                not describe a model or one of another kind, or was written by a newer tfseg; the
                message names it.
        """
        values = read_json(path)
        if not isinstance(values, dict) or "name" not in values or "num_classes" not in values:
            raise TfsegError(f"{path} does not describe a model: it has no name or num_classes")
        values = unsealed(values, path)
        if values.pop("format", FORMAT) != FORMAT:
            raise TfsegError(f"{path} was written by a newer tfseg; update to read it")
        surplus = set(values) - {field.name for field in dataclasses.fields(cls)}
        if surplus:
            raise TfsegError(f"{path} has unknown entries: {', '.join(sorted(surplus))}")
        if values.setdefault("kind", "segmenter") != kind:
            raise TfsegError(f"{path} describes a {values['kind']}, not a {kind}")
        from tfseg.models.table import resolve

        try:
            if kind == "segmenter":
                resolve(values["name"])
            values["preprocessing"] = Preprocessing.from_dict(values.get("preprocessing", {}))
            if values.get("label_map") is not None:
                values["label_map"] = {int(key): int(v) for key, v in values["label_map"].items()}
            return cls(**values)
        except TfsegError as error:
            raise TfsegError(f"{path}: {error}") from error
        except (TypeError, ValueError, AttributeError) as error:
            raise TfsegError(f"{path} does not describe a model: {error}") from error
