"""The data sets that tfseg knows, as a table."""

from tfseg.data.catalog.classes import Dataset, read_classes
from tfseg.data.catalog.table import DATASETS, DatasetRow

__all__ = ["DATASETS", "Dataset", "DatasetRow", "read_classes"]
