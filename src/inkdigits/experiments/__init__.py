"""Experiments: many runs trained and measured side by side."""

from inkdigits.experiments.comparison import Comparison, compare, gather

__all__ = ["Comparison", "compare", "gather"]
