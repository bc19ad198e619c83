"""Evaluation: functions from arrays to numbers; nothing is drawn, printed or written."""

from inkdigits.evaluation.metrics import Evaluation, evaluate
from inkdigits.evaluation.statistics import compare_pairs, holm, mcnemar_exact, wilson

__all__ = ["Evaluation", "compare_pairs", "evaluate", "holm", "mcnemar_exact", "wilson"]
