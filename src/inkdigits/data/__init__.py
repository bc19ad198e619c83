"""What we learn from: data sets, their checks and splits, and their distortions."""

from inkdigits.data.catalog import CATALOG, DatasetFacts
from inkdigits.data.digits import Dataset, DigitSet, data_folder, fetch, load

__all__ = ["CATALOG", "Dataset", "DatasetFacts", "DigitSet", "data_folder", "fetch", "load"]
