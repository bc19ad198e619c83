"""Training data: data sets, their checks and splits, and their augmentations."""

from inkdigits.data.catalog import CATALOG, DatasetFacts, register_dataset
from inkdigits.data.digits import Dataset, DigitSet, data_folder, fetch, load

__all__ = ["CATALOG", "Dataset", "DatasetFacts", "DigitSet", "data_folder", "fetch", "load", "register_dataset"]
