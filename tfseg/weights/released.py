"""Released weights by name: which model they belong to."""

from tfseg import zoo
from tfseg.data.catalog import DATASETS
from tfseg.models import ModelSpec, Preprocessing


def release_preprocessing(name):
    """The `Preprocessing` that a release's weights expect."""
    return zoo.RELEASES[name].preprocessing or Preprocessing()


def release_spec(name):
    """The `ModelSpec` of a release, with its data set's classes and palette where they are known.

    Args:
        name: a key of `tfseg.zoo.RELEASES`.
    """
    release = zoo.RELEASES[name]
    row = DATASETS.get(release.dataset)
    dataset = row and row.facts
    named = dataset is not None and len(dataset.classes) == release.num_classes
    return ModelSpec(
        release.model,
        release.num_classes,
        release.options,
        release_preprocessing(name),
        classes=list(dataset.classes) if named else None,
        palette=[list(colour) for colour in dataset.palette] if named else None,
        kind="classifier" if release.classifier else "segmenter",
    )
