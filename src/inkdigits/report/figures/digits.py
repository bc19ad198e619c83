"""Figures of a data set: samples of each class, and the number of digits per class."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from inkdigits.data import Dataset, DigitSet
from inkdigits.report.figures.plotting import TEST, TRAIN, figure_and_axes, new_figure


def samples(digits: DigitSet, per_class: int = 10) -> Figure:
    """Draw the first digits of each class, one class per row."""
    tiles = np.zeros((10 * 30, per_class * 30), np.uint8)
    for digit in range(10):
        for column, index in enumerate(np.flatnonzero(digits.labels == digit)[:per_class]):
            tiles[digit * 30 + 1 : digit * 30 + 29, column * 30 + 1 : column * 30 + 29] = digits.images[index]
    figure = new_figure(0.5 * per_class + 0.5, 5.2)
    ax = figure.add_subplot()
    ax.imshow(tiles, cmap="gray_r", interpolation="nearest")
    ax.set_yticks(np.arange(10) * 30 + 15, [str(digit) for digit in range(10)])
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_ylabel("label")
    return figure


def class_counts(dataset: Dataset, ax: Axes | None = None) -> Figure:
    """Draw the number of digits per class, as shares of the training and the test set."""
    figure, ax = figure_and_axes(ax, 6.4, 3.2)
    for offset, part, name, tint in (
        (-0.2, dataset.train, "train", TRAIN),
        (0.2, dataset.test, "test", TEST),
    ):
        bars = ax.bar(
            np.arange(10) + offset,
            100 * part.counts / len(part),
            0.4,
            color=tint,
            label=f"{name} ({len(part):,})",
        )
        ax.bar_label(bars, [f"{count:,}" for count in part.counts], fontsize=6, rotation=90, padding=2)
    highest = 100 * max((part.counts / len(part)).max() for part in (dataset.train, dataset.test))
    ax.set(xticks=range(10), xlabel="digit", ylabel="share, %", ylim=(0, 1.3 * highest))
    ax.legend(frameon=False, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return figure
