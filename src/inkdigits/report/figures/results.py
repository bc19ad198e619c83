"""Figures of the results of a comparison: losses, accuracies, costs, tests of pairs, confusions, misread digits."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from inkdigits.data import DigitSet
from inkdigits.errors import UsageError
from inkdigits.evaluation.metrics import confusion_matrix, reconstruct
from inkdigits.evaluation.statistics import ALPHA
from inkdigits.experiments.comparison import Comparison
from inkdigits.models.autoencoder import Autoencoder
from inkdigits.report.figures.plotting import (
    LABEL,
    TEST,
    TRAIN,
    colour,
    figure_and_axes,
    new_figure,
    panels,
    plain_numbers,
    show_digit,
)
from inkdigits.training import Run


def _bars(comparison: Comparison, ax: Axes, quantity: str, title: str) -> None:
    position = np.arange(len(comparison.labels))
    for offset, part, tint in ((0.2, "train", TRAIN), (-0.2, "test", TEST)):
        values = [getattr(summary, f"{part}_{quantity}") for summary in comparison.summaries]
        bars = ax.barh(position + offset, values, 0.4, color=tint, label=part)
        ax.bar_label(bars, [f"{value:.2g}" for value in values], fontsize=7, padding=2)
    ax.set_yticks(position, comparison.labels)
    ax.set_xlabel(title)
    ax.invert_yaxis()
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.margins(x=0.2)


def losses(comparison: Comparison) -> Figure:
    """Draw cross-entropy and MSE on training and test digits as bars."""
    figure, axes = panels(2, 2, 4.4, 0.42 * len(comparison.labels) + 1.2, sharey=True)
    for ax, quantity in zip(axes, ("ce", "mse"), strict=True):
        ax.spines[["top", "right"]].set_visible(False)
        _bars(comparison, ax, quantity, LABEL[quantity])
    axes[0].invert_yaxis()  # the axes share y, which each of the two calls inverted
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, ncols=2, loc="outside upper center")
    return figure


def accuracies(comparison: Comparison, ax: Axes | None = None) -> Figure:
    """Draw test accuracies with their Wilson intervals, each seed as a dot, and the training accuracy."""
    figure, ax = figure_and_axes(ax, 7.2, 0.45 * len(comparison.labels) + 1.3)
    for index, summary in enumerate(comparison.summaries):
        tint = colour(comparison.labels, summary.model)
        mean = 100 * summary.test_acc
        ax.plot(
            [100 * summary.acc_low, 100 * summary.acc_high],
            [index, index],
            color=tint,
            alpha=0.35,
            linewidth=9,
        )
        seeds = [100 * row.test_acc for row in comparison.rows if row.model == summary.model]
        ax.plot(seeds, [index] * len(seeds), "o", color=tint, markersize=4)
        ax.plot(100 * summary.train_acc, index, "|", color=TRAIN, markersize=12, markeredgewidth=2)
        ax.annotate(f"{mean:.2f}", (mean, index - 0.3), ha="center", va="bottom", fontsize=8)
    ax.set_yticks(range(len(comparison.labels)), comparison.labels)
    ax.set(ylim=(len(comparison.labels) - 0.5, -0.8))
    ax.set_xlabel("accuracy, %\ndot: test, one seed · band: Wilson 95 % interval of the mean · grey bar: train")
    ax.grid(axis="x", alpha=0.25)
    return figure


def _against(comparison: Comparison, cost: str, title: str, ax: Axes | None) -> Figure:
    figure, ax = figure_and_axes(ax, 6.4, 4.2)
    points = sorted(comparison.summaries, key=lambda summary: summary.test_acc)
    places = {s.model: (getattr(s, cost), max(100 - 100 * s.test_acc, 0.01)) for s in points}
    for summary in points:
        x, error = places[summary.model]
        low, high = 100 - 100 * summary.acc_high, 100 - 100 * summary.acc_low
        tint = colour(comparison.labels, summary.model)
        ax.errorbar(
            x,
            error,
            [[max(error - low, 0)], [max(high - error, 0)]],
            fmt="o",
            color=tint,
            alpha=0.8,
            capsize=2,
        )
        # of two points close to each other, the left one has its name on the left
        crowded = any(x < other_x < 1.6 * x and 0.7 < other / error < 1.4 for other_x, other in places.values())
        side = {"xytext": (-7, 3), "ha": "right"} if crowded else {"xytext": (7, 3), "ha": "left"}
        ax.annotate(summary.model, (x, error), textcoords="offset points", fontsize=8, **side)  # type: ignore[arg-type]
    ax.set(xscale="log", yscale="log", xlabel=title, ylabel="test error, % (Wilson 95 %)")
    ax.margins(x=0.2, y=0.12)
    plain_numbers(ax)
    if cost == "params":
        ax.xaxis.set_minor_formatter("")
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    ax.grid(alpha=0.25, which="both")
    return figure


def error_against_parameters(comparison: Comparison, ax: Axes | None = None) -> Figure:
    """Draw test error against the number of parameters."""
    return _against(comparison, "params", "parameters", ax)


def error_against_time(comparison: Comparison, ax: Axes | None = None) -> Figure:
    """Draw test error against training time."""
    return _against(comparison, "train_s", "seconds of training", ax)


def confusion(matrix: NDArray[np.int64], ax: Axes | None = None) -> Figure:
    """Draw confusion counts (10, 10); the colour shows the errors only, because the diagonal is much larger."""
    figure, ax = figure_and_axes(ax, 4.2, 4.2)
    errors = matrix.astype(float)
    np.fill_diagonal(errors, 0)
    ax.imshow(errors, cmap="Oranges", vmin=0, vmax=max(errors.max(), 1))
    for true in range(10):
        for predicted in range(10):
            count = int(matrix[true, predicted])
            if count:
                dark = true != predicted and errors[true, predicted] > 0.6 * errors.max()
                ax.text(
                    predicted,
                    true,
                    str(count),
                    ha="center",
                    va="center",
                    fontsize=5.5,
                    color="white" if dark else "#777777" if true == predicted else "black",
                )
    ax.set(xticks=range(10), yticks=range(10), xlabel="read as", ylabel="true digit")
    ax.tick_params(length=0, labelsize=7)
    ax.spines[:].set_visible(False)
    return figure


def confusions(comparison: Comparison) -> Figure:
    """Draw the confusion matrix of each network's first seed."""
    figure, axes = panels(len(comparison.labels), 3, 3.1, 3.2)
    for ax, label in zip(axes, comparison.labels, strict=True):
        predicted = comparison.probabilities[label][0].argmax(1)
        confusion(confusion_matrix(comparison.dataset.test.labels, predicted), ax)
        errors = int((~comparison.correct(label)).sum())
        ax.set_title(f"{label}: {errors:,} errors", fontsize=10)
    return figure


def most_misread(comparison: Comparison, count: int = 24) -> Figure:
    """Draw the test digits that most runs (all seeds) misread, each with its most frequent wrong answer."""
    test = comparison.dataset.test
    answers = np.concatenate([p.argmax(2) for p in comparison.probabilities.values()])  # (networks, N)
    wrong = answers != test.labels
    confidence = np.mean(
        [p[:, np.arange(len(test)), test.labels].mean(0) for p in comparison.probabilities.values()], 0
    )
    order = np.lexsort((confidence, -wrong.sum(0)))[: min(count, int(wrong.any(0).sum()))]
    if not len(order):
        figure, ax = figure_and_axes(None, 4, 1)
        ax.text(0.5, 0.5, "every network classified every digit correctly", ha="center")
        ax.set_axis_off()
        return figure
    figure, axes = panels(len(order), 8, 1.15, 1.4)
    for ax, index in zip(axes, order, strict=True):
        misread = np.bincount(answers[wrong[:, index], index], minlength=10).argmax()
        title = f"{test.labels[index]} read as {misread}\n{wrong[:, index].sum()} of {len(answers)}"
        show_digit(ax, test.images[index], title)
    return figure


def pairs(comparison: Comparison, ax: Axes | None = None) -> Figure:
    """Draw for each pair of networks the difference in correct digits, and whether it is significant."""
    names = comparison.labels
    figure, ax = figure_and_axes(ax, 0.8 * len(names) + 1.8, 0.55 * len(names) + 1.6)
    ahead = np.zeros((len(names), len(names)))
    for pair in comparison.pairs:
        i, j = names.index(pair.first), names.index(pair.second)
        sign = {"first": 1.0, "second": -1.0, "none": 0.0}[pair.verdict]
        ahead[i, j], ahead[j, i] = sign, -sign
        lead = pair.only_first - pair.only_second
        p = "<0.001" if pair.p_holm < 0.001 else f"{pair.p_holm:.2g}"
        for x, y, value in ((j, i, lead), (i, j, -lead)):
            ax.text(x, y, f"{value:+d}\np {p}", ha="center", va="center", fontsize=7)
    ax.imshow(ahead, cmap="PiYG", vmin=-2, vmax=2, aspect="auto")
    ax.set_xticks(range(len(names)), names, rotation=30, ha="right")
    ax.set_yticks(range(len(names)), names)
    ax.set_title(
        "Correct digits of the row's network minus those of the column's;\n"
        f"green or pink: significant at {100 * ALPHA:g} % over all pairs, white: not",
        fontsize=9,
    )
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return figure


def reconstructions(run: Run, digits: DigitSet, count: int = 10) -> Figure:
    """Draw digits, and below them their reconstructions by an autoencoder.

    Raises
    ------
    UsageError
        When the run is not one of an autoencoder.
    """
    if not isinstance(run.model, Autoencoder):
        raise UsageError(f"{run.name} reconstructs no digits; give a run of the autoencoder")
    first = [int(np.flatnonzero(digits.labels == digit)[0]) for digit in range(10) if (digits.labels == digit).any()]
    chosen = digits.images[first[:count]]
    copies = reconstruct(run.model, chosen)
    errors = np.square(copies - chosen / np.float32(255)).mean((1, 2))
    figure = new_figure(0.85 * len(chosen), 2.1)
    axes = figure.subplots(2, len(chosen), squeeze=False)
    for column, (image, copy, error) in enumerate(zip(chosen, copies, errors, strict=True)):
        show_digit(axes[0, column], image)
        show_digit(axes[1, column], copy, f"MSE {error:.4f}")
    return figure


def autoencoder_reconstructions(comparison: Comparison) -> Figure | None:
    """Draw the reconstructions of the first autoencoder of a comparison; None without one."""
    for runs in comparison.runs.values():
        if isinstance(runs[0].model, Autoencoder):
            return reconstructions(runs[0], comparison.dataset.test)
    return None
