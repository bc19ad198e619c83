"""Figures of the graph networks of a comparison, and of its errors by number of holes."""

from collections.abc import Callable
from types import MappingProxyType

import numpy as np
from matplotlib.figure import Figure

from inkdigits.evaluation.connectivity import Connectivity
from inkdigits.evaluation.topology import CLASSIC_HOLES
from inkdigits.experiments.comparison import Comparison
from inkdigits.report.figures import Draw
from inkdigits.report.figures.plotting import panels, show_digit
from inkdigits.report.graph_figures import (
    connectivity_figure,
    faithfulness_curves,
    forms_plot,
    gallery,
    holes_text,
    messages_figure,
)


def unusual_forms(comparison: Comparison, count: int = 20) -> Figure | None:
    """Draw misread digits with a number of holes that is unusual for their class; None when there are none."""
    holes, labels = comparison.shapes.holes, comparison.dataset.test.labels
    unusual = np.array([n not in CLASSIC_HOLES[label] for n, label in zip(holes, labels, strict=True)], bool)
    chosen = np.random.default_rng(0).permutation(np.flatnonzero(comparison.misread & unusual))[:count]
    if not len(chosen):
        return None
    figure, axes = panels(len(chosen), 10, 0.95, 1.25)
    for ax, index in zip(axes, chosen, strict=True):
        show_digit(ax, comparison.dataset.test.images[index], f"a {labels[index]}, {holes_text(holes[index])}")
    return figure


def edge_importance(comparison: Comparison) -> Figure | None:
    """Draw the importance of edges for the first graph network, the first test digit of each class."""
    if not comparison.graph_networks:
        return None
    _, first = np.unique(comparison.dataset.test.labels, return_index=True)
    return gallery([comparison.explain(int(index), cut=False) for index in first], "integrated-gradients")


def one_digit(comparison: Comparison, draw: Callable[[Connectivity], Figure], cut: bool) -> Figure | None:
    """Draw the first test digit as the first graph network processes it."""
    return draw(comparison.explain(0, cut)) if comparison.graph_networks else None


def faithfulness_figure(comparison: Comparison) -> Figure | None:
    """Draw the deletion and insertion curves of the first graph network that has them; None without one."""
    for label in comparison.graph_networks:
        if label in comparison.faithfulness:
            figure = faithfulness_curves(comparison.faithfulness[label].rows)
            figure.suptitle(label)
            return figure
    return None


GRAPH_FIGURES: MappingProxyType[str, tuple[Draw, str]] = MappingProxyType(
    {
        "forms": (
            lambda c: forms_plot(c.forms),
            "Above, the share of digits of a class by number of holes; below, how often at least one network misreads "
            "them, with the Wilson 95 % interval, where there are at least ten.",
        ),
        "unusual_forms": (unusual_forms, "Misread digits with a number of holes that is unusual for their class."),
        "connectivity": (
            lambda c: one_digit(c, connectivity_figure, cut=True),
            "The first test digit as a graph of ink pixels, its cells after pooling, its skeleton, and a few edges "
            "whose removal changes the answer.",
        ),
        "messages": (
            lambda c: one_digit(c, messages_figure, cut=False),
            "The nodes that a message from the starred pixel has reached after each layer.",
        ),
        "edge_importance": (
            edge_importance,
            "Integrated gradients of edges and pixels: blue supports the answer, red opposes it.",
        ),
        "faithfulness": (
            faithfulness_figure,
            "With a faithful explanation, the probability of the answer falls early on the left and rises early on the "
            "right. Dashed: the baselines, random importance and brightness.",
        ),
    }
)
