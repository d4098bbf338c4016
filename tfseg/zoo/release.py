"""What the table of releases states of each."""

import dataclasses

from tfseg.models.preprocessing import Preprocessing


@dataclasses.dataclass(frozen=True)
class File:
    """One released file.

    Attributes:
        name: the file's own name.
        url: where plain HTTP gets it, or None.
        sha256: its hexadecimal digest, or as much of its beginning as was published, or None.
        size: in bytes, or None.
        member: path inside the archive (.zip, .tar.gz) that the file is, or None.
    """

    name: str
    url: str | None = None
    sha256: str | None = None
    size: int | None = None
    member: str | None = None


@dataclasses.dataclass(frozen=True)
class Release:
    """Weights that were published.

    Attributes:
        files: of `File`; more than one if they hold the model together.
        model: name for `create_model`, or for `create_classifier`.
        num_classes: of the model.
        source: the GitHub repository, or site, that released them.
        page: where a person finds the file.
        licence: of the repository that released them; data sets have terms of their own.
        classifier: whether it is an image classifier.
        options: options of the model.
        preprocessing: what the images went through, or None for the data set's own.
        dataset: what it was trained on, under the name in `DATASETS` where it has one.
        protocol: how the score was measured.
        scores: {metric: published value}, percent.
    """

    files: tuple
    model: str
    num_classes: int
    source: str
    page: str
    licence: str | None
    classifier: bool = False
    options: dict = dataclasses.field(default_factory=dict)
    preprocessing: Preprocessing | None = None
    dataset: str | None = None
    protocol: str | None = None
    scores: dict = dataclasses.field(default_factory=dict)
