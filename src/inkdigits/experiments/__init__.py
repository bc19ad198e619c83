"""Experiments: many runs trained and measured side by side."""

from inkdigits.experiments.comparing import compare
from inkdigits.experiments.comparison import Comparison
from inkdigits.experiments.comparison_folder import gather

__all__ = ["Comparison", "compare", "gather"]
