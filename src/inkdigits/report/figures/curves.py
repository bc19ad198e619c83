"""Figures of training: losses and accuracy per epoch, and test error against time."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from inkdigits.experiments.comparison import Comparison
from inkdigits.report.figures.plotting import (
    LABEL,
    TEST,
    TRAIN,
    colour,
    figure_and_axes,
    panels,
    plain_numbers,
)
from inkdigits.training.checkpoint import EpochRow


def _series(histories: Sequence[Sequence[EpochRow]], name: str) -> NDArray[np.float64]:
    """Return one quantity per run and epoch, (runs, epochs), accuracies in %."""
    values = np.array([[getattr(row, name) for row in history] for history in histories])
    return values * 100 if name.endswith("_acc") else values


def curve(histories: Sequence[Sequence[EpochRow]], quantity: str = "acc", ax: Axes | None = None) -> Figure:
    """Draw one network on training and test digits per epoch: the mean over seeds, and the range between them.

    Parameters
    ----------
    quantity
        ``ce``, ``mse`` or ``acc``.
    """
    alone = ax is None
    figure, ax = figure_and_axes(ax)
    for part, tint, style in (("train", TRAIN, "--"), ("test", TEST, "-")):
        values = _series(histories, f"{part}_{quantity}")
        epochs = np.arange(1, values.shape[1] + 1)
        ax.plot(epochs, values.mean(0), style, color=tint, label=part, marker="o" if len(epochs) == 1 else None)
        ax.fill_between(epochs, values.min(0), values.max(0), color=tint, alpha=0.25, linewidth=0)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    ax.set(xlabel="epoch", ylabel=LABEL[quantity])
    if quantity != "acc":
        ax.set_yscale("log")
        plain_numbers(ax)
    if alone:
        ax.legend(frameon=False)
    return figure


def _curves(comparison: Comparison, quantity: str) -> Figure:
    figure, axes = panels(len(comparison.labels), 4, 2.7, 2.3, sharey=True)
    for ax, label in zip(axes, comparison.labels, strict=True):
        histories = [run.history for run in comparison.runs[label]]
        curve(histories, quantity, ax)
        ax.set_title(label, fontsize=10)
        if ax.get_subplotspec() is not None and not ax.get_subplotspec().is_first_col():  # type: ignore[union-attr]
            ax.set_ylabel("")
    if quantity == "acc":
        error = max(100 - 100 * min(s.test_acc for s in comparison.summaries), 0.1)
        axes[0].set_ylim(max(0, 100 - 3 * error), 100 + 0.05 * error)
    axes[0].legend(frameon=False)
    return figure


def loss_curves(comparison: Comparison) -> Figure:
    """Draw cross-entropy on training and test digits per epoch, one panel per network."""
    return _curves(comparison, "ce")


def mse_curves(comparison: Comparison) -> Figure:
    """Draw MSE on training and test digits per epoch, one panel per network."""
    return _curves(comparison, "mse")


def accuracy_curves(comparison: Comparison) -> Figure:
    """Draw accuracy on training and test digits per epoch, one panel per network."""
    return _curves(comparison, "acc")


def convergence(comparison: Comparison, ax: Axes | None = None) -> Figure:
    """Draw the test error of all networks against the seconds of training."""
    figure, ax = figure_and_axes(ax, 7.2, 4.4)
    for label in comparison.labels:
        histories = [run.history for run in comparison.runs[label]]
        seconds = _series(histories, "seconds").mean(0).cumsum()
        error = 100 - _series(histories, "test_acc").mean(0)
        tint = colour(comparison.labels, label)
        ax.plot(seconds, error.clip(0.01), color=tint, label=label, marker=".", markersize=4)
    ax.set(xscale="log", yscale="log", xlabel="seconds of training", ylabel="test error, %")
    plain_numbers(ax)
    ax.grid(alpha=0.25, which="both")
    ax.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    return figure
