"""The grid of networks and seeds, its figures and its report."""

from inkdigits.report.compare import Comparison, compare, gather

__all__ = ["Comparison", "compare", "gather"]
