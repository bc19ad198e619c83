"""Every picture but those of graphs (graph_figures.py). A plot takes axes or makes its own, and returns its figure."""

import io
import math
from collections.abc import Callable, Sequence
from types import MappingProxyType

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from inkdigits.data import Dataset, DigitSet
from inkdigits.errors import UsageError
from inkdigits.evaluation.metrics import confusion_matrix
from inkdigits.evaluation.statistics import ALPHA
from inkdigits.experiments.comparison import Comparison
from inkdigits.models.autoencoder import Autoencoder
from inkdigits.training import Run
from inkdigits.training.checkpoint import EpochRow
from inkdigits.training.inference import to_input

# Okabe and Ito's colours, told apart by colour-blind readers too
COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#E69F00",
    "#000000",
    "#7F7F7F",
    "#8C564B",
    "#B8A800",
)
TRAIN, TEST = "#999999", "#0072B2"
LABEL = {"ce": "cross-entropy, nats", "mse": "MSE", "acc": "accuracy, %"}


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of that many inches."""
    return Figure(figsize=(width, height), layout="constrained", dpi=110)


def png(figure: Figure) -> bytes:
    """Return a figure as the bytes of a PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, facecolor="white")
    return buffer.getvalue()


def _axes(ax: Axes | None, width: float = 6.4, height: float = 4.0) -> tuple[Figure, Axes]:
    if ax is None:
        ax = new_figure(width, height).add_subplot()
    figure = ax.get_figure(root=True)
    assert figure is not None
    ax.spines[["top", "right"]].set_visible(False)
    return figure, ax


def panels(count: int, columns: int, width: float, height: float, sharey: bool = False) -> tuple[Figure, list[Axes]]:
    """Return a figure with a grid of axes, each of that many inches, the last row perhaps not full."""
    rows = math.ceil(count / columns)
    figure = new_figure(width * columns, height * rows)
    grid = figure.subplots(rows, columns, squeeze=False, sharey=sharey)
    axes = list(grid.flat)
    for spare in axes[count:]:
        spare.remove()
    return figure, axes[:count]


def colour(comparison: Comparison, label: str) -> str:
    """Return the colour that a network has in every figure."""
    return COLOURS[comparison.labels.index(label) % len(COLOURS)]


# ── the data ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def show_digit(ax: Axes, image: NDArray[np.generic], title: str = "") -> None:
    """Draw one digit as ink on paper, without axes."""
    ax.imshow(image, cmap="gray_r", vmin=0, vmax=255 if image.dtype == np.uint8 else 1, interpolation="nearest")
    ax.set_title(title, fontsize=8, pad=2)
    ax.set_axis_off()


def samples(digits: DigitSet, per_class: int = 10) -> Figure:
    """Draw the first digits of each class, a class to a row."""
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
    """Draw how many digits of each class there are, as shares of the training and the test set."""
    figure, ax = _axes(ax, 6.4, 3.2)
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


# ── training ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _series(histories: Sequence[Sequence[EpochRow]], name: str) -> NDArray[np.float64]:
    """Return one quantity per run and epoch, (runs, epochs), accuracies in %."""
    values = np.array([[getattr(row, name) for row in history] for history in histories])
    return values * 100 if name.endswith("_acc") else values


def curve(histories: Sequence[Sequence[EpochRow]], quantity: str = "acc", ax: Axes | None = None) -> Figure:
    """Draw train and test of one network per epoch: the mean over seeds, and the range between them.

    Parameters
    ----------
    quantity
        ``ce``, ``mse`` or ``acc``.
    """
    alone = ax is None
    figure, ax = _axes(ax)
    for part, tint, style in (("train", TRAIN, "--"), ("test", TEST, "-")):
        values = _series(histories, f"{part}_{quantity}")
        epochs = np.arange(1, values.shape[1] + 1)
        ax.plot(epochs, values.mean(0), style, color=tint, label=part, marker="o" if len(epochs) == 1 else None)
        ax.fill_between(epochs, values.min(0), values.max(0), color=tint, alpha=0.25, linewidth=0)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    ax.set(xlabel="epoch", ylabel=LABEL[quantity])
    if quantity != "acc":
        ax.set_yscale("log")
        _plain_numbers(ax)
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
    """Draw cross-entropy on train and test per epoch, a panel to a network."""
    return _curves(comparison, "ce")


def mse_curves(comparison: Comparison) -> Figure:
    """Draw MSE on train and test per epoch, a panel to a network."""
    return _curves(comparison, "mse")


def accuracy_curves(comparison: Comparison) -> Figure:
    """Draw accuracy on train and test per epoch, a panel to a network."""
    return _curves(comparison, "acc")


def convergence(comparison: Comparison, ax: Axes | None = None) -> Figure:
    """Draw the test error of all networks against the seconds of training spent."""
    figure, ax = _axes(ax, 7.2, 4.4)
    for label in comparison.labels:
        histories = [run.history for run in comparison.runs[label]]
        seconds = _series(histories, "seconds").mean(0).cumsum()
        error = 100 - _series(histories, "test_acc").mean(0)
        ax.plot(seconds, error.clip(0.01), color=colour(comparison, label), label=label, marker=".", markersize=4)
    ax.set(xscale="log", yscale="log", xlabel="seconds of training", ylabel="test error, %")
    _plain_numbers(ax)
    ax.grid(alpha=0.25, which="both")
    ax.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _plain_numbers(ax: Axes) -> None:
    """Write 0.5 and 20 on logarithmic axes; between powers of ten all of them where there is room, else 2 and 5."""
    for axis, (low, high) in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
        if axis.get_scale() != "log":
            continue
        shown = "23456789" if high / low < 8 else "25"
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(
            FuncFormatter(lambda value, _, shown=shown: f"{value:g}" if f"{value:e}"[0] in shown else "")
        )


# ── the comparison ───────────────────────────────────────────────────────────────────────────────────────────────────


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
    """Draw train and test losses, cross-entropy and MSE, as bars."""
    figure, axes = panels(2, 2, 4.4, 0.42 * len(comparison.labels) + 1.2, sharey=True)
    for ax, quantity in zip(axes, ("ce", "mse"), strict=True):
        ax.spines[["top", "right"]].set_visible(False)
        _bars(comparison, ax, quantity, LABEL[quantity])
    axes[0].invert_yaxis()  # the axis is shared: it was turned twice
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, ncols=2, loc="outside upper center")
    return figure


def accuracies(comparison: Comparison, ax: Axes | None = None) -> Figure:
    """Draw test accuracies with their Wilson intervals, each seed as a dot, and the train accuracy."""
    figure, ax = _axes(ax, 7.2, 0.45 * len(comparison.labels) + 1.3)
    for index, summary in enumerate(comparison.summaries):
        tint = colour(comparison, summary.model)
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
    ax.set_xlabel("accuracy, %\ndot: a seed on test · band: Wilson 95 % interval of their mean · grey bar: train")
    ax.grid(axis="x", alpha=0.25)
    return figure


def _against(comparison: Comparison, cost: str, title: str, ax: Axes | None) -> Figure:
    figure, ax = _axes(ax, 6.4, 4.2)
    points = sorted(comparison.summaries, key=lambda summary: summary.test_acc)
    places = {s.model: (getattr(s, cost), max(100 - 100 * s.test_acc, 0.01)) for s in points}
    for summary in points:
        x, error = places[summary.model]
        low, high = 100 - 100 * summary.acc_high, 100 - 100 * summary.acc_low
        tint = colour(comparison, summary.model)
        ax.errorbar(
            x,
            error,
            [[max(error - low, 0)], [max(high - error, 0)]],
            fmt="o",
            color=tint,
            alpha=0.8,
            capsize=2,
        )
        # of two points close by, the left one is named to its left
        crowded = any(x < other_x < 1.6 * x and 0.7 < other / error < 1.4 for other_x, other in places.values())
        side = {"xytext": (-7, 3), "ha": "right"} if crowded else {"xytext": (7, 3), "ha": "left"}
        ax.annotate(summary.model, (x, error), textcoords="offset points", fontsize=8, **side)  # type: ignore[arg-type]
    ax.set(xscale="log", yscale="log", xlabel=title, ylabel="test error, % (Wilson 95 %)")
    ax.margins(x=0.2, y=0.12)
    _plain_numbers(ax)
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
    """Draw confusion counts (10, 10); the colour shows the errors only, which the diagonal would drown."""
    figure, ax = _axes(ax, 4.2, 4.2)
    errors = matrix.astype(float)
    np.fill_diagonal(errors, 0)
    ax.imshow(errors, cmap="Oranges", vmin=0, vmax=max(errors.max(), 1))
    for true in range(10):
        for read in range(10):
            count = int(matrix[true, read])
            if count:
                dark = true != read and errors[true, read] > 0.6 * errors.max()
                ax.text(
                    read,
                    true,
                    str(count),
                    ha="center",
                    va="center",
                    fontsize=5.5,
                    color="white" if dark else "#777777" if true == read else "black",
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
        errors = int((~comparison.right(label)).sum())
        ax.set_title(f"{label}: {errors:,} errors", fontsize=10)
    return figure


def most_misread(comparison: Comparison, count: int = 24) -> Figure:
    """Draw the test digits that most networks, over all seeds, read wrongly, each with its commonest misreading."""
    test = comparison.dataset.test
    votes = np.concatenate([p.argmax(2) for p in comparison.probabilities.values()])  # (networks, N)
    wrong = votes != test.labels
    doubt = np.mean([p[:, np.arange(len(test)), test.labels].mean(0) for p in comparison.probabilities.values()], 0)
    order = np.lexsort((doubt, -wrong.sum(0)))[: min(count, int(wrong.any(0).sum()))]
    if not len(order):
        figure, ax = _axes(None, 4, 1)
        ax.text(0.5, 0.5, "every digit was read rightly by every network", ha="center")
        ax.set_axis_off()
        return figure
    figure, axes = panels(len(order), 8, 1.15, 1.4)
    for ax, index in zip(axes, order, strict=True):
        misread = np.bincount(votes[wrong[:, index], index], minlength=10).argmax()
        title = f"{test.labels[index]} read as {misread}\n{wrong[:, index].sum()} of {len(votes)}"
        show_digit(ax, test.images[index], title)
    return figure


def pairs(comparison: Comparison, ax: Axes | None = None) -> Figure:
    """Draw for each pair of networks who is ahead by how many digits, and whether these digits show it."""
    names = comparison.labels
    figure, ax = _axes(ax, 0.8 * len(names) + 1.8, 0.55 * len(names) + 1.6)
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
        "Digits by which the row's network leads the column's;\n"
        f"green or pink: shown at {100 * ALPHA:g} % over all pairs, white: not",
        fontsize=9,
    )
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return figure


def reconstructions(run: Run, digits: DigitSet, count: int = 10) -> Figure:
    """Draw digits above what an autoencoder makes of them.

    Raises
    ------
    UsageError
        When the run's network is no autoencoder.
    """
    if not isinstance(run.model, Autoencoder):
        raise UsageError(f"{run.name} draws no digits; give a run of the autoencoder")
    first = [int(np.flatnonzero(digits.labels == digit)[0]) for digit in range(10) if (digits.labels == digit).any()]
    chosen = digits.images[first[:count]]
    device = next(run.model.parameters()).device
    images = to_input(torch.tensor(chosen, device=device))
    with torch.inference_mode():
        drawn = run.model.decode(run.model.encode(images))  # (count, 1, 28, 28)
        errors = (drawn - images).square().mean((1, 2, 3))
    figure = new_figure(0.85 * len(chosen), 2.1)
    axes = figure.subplots(2, len(chosen), squeeze=False)
    for column, (image, copy, error) in enumerate(zip(chosen, drawn.cpu(), errors, strict=True)):
        show_digit(axes[0, column], image)
        show_digit(axes[1, column], copy[0].numpy(), f"MSE {error:.4f}")
    return figure


def autoencoder_reconstructions(comparison: Comparison) -> Figure | None:
    """Draw the reconstructions of the comparison's first autoencoder; None where it has none."""
    for runs in comparison.runs.values():
        if isinstance(runs[0].model, Autoencoder):
            return reconstructions(runs[0], comparison.dataset.test)
    return None


FIGURES: MappingProxyType[str, tuple[Callable[[Comparison], Figure | None], str]] = MappingProxyType(
    {
        "samples": (lambda c: samples(c.dataset.train), "Digits of the training set, one class to a row."),
        "class_counts": (lambda c: class_counts(c.dataset), "How many digits of each class there are."),
        "accuracies": (accuracies, "Accuracy on the test set, with what chance alone could change of it."),
        "losses": (losses, "Cross-entropy and MSE on training and test digits after the last epoch."),
        "loss_curves": (
            loss_curves,
            "Cross-entropy per epoch. A test curve that turns up again is overfitting.",
        ),
        "mse_curves": (mse_curves, "MSE per epoch."),
        "accuracy_curves": (
            accuracy_curves,
            "Accuracy per epoch; the lowest early values may lie below the frame.",
        ),
        "convergence": (
            convergence,
            "How fast each network's test error falls with the time spent on training.",
        ),
        "error_against_parameters": (error_against_parameters, "Is a larger network a better one?"),
        "error_against_time": (error_against_time, "What does longer training buy?"),
        "pairs": (pairs, "Each pair of networks by the exact McNemar test, with Holm's correction."),
        "confusions": (
            confusions,
            "Which digits are taken for which, first seed; colour counts errors only, on each network's own scale.",
        ),
        "most_misread": (
            most_misread,
            "The test digits that most of the trained networks, all seeds counted, read wrongly.",
        ),
        "reconstructions": (
            autoencoder_reconstructions,
            "Test digits, and below them what the autoencoder kept.",
        ),
    }
)
