"""Shared parts of all figures: colours, empty figures and axes, one digit, numbers on logarithmic axes."""

import io
import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from inkdigits.escape import printable

# colours of Okabe and Ito, distinguishable with colour-vision deficiency
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
    """Return an empty figure; width and height in inches."""
    return Figure(figsize=(width, height), layout="constrained", dpi=110)


def plain(name: str) -> str:
    """Return a name, such as a folder's, as the text of a figure: no mathematics, and not left out of a legend."""
    text = printable(name).replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def png(figure: Figure) -> bytes:
    """Return a figure as the bytes of a PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, facecolor="white")
    return buffer.getvalue()


def figure_and_axes(ax: Axes | None, width: float = 6.4, height: float = 4.0) -> tuple[Figure, Axes]:
    """Return the given axes and their figure, or new ones, without the upper and the right border."""
    if ax is None:
        ax = new_figure(width, height).add_subplot()
    figure = ax.get_figure(root=True)
    assert figure is not None
    ax.spines[["top", "right"]].set_visible(False)
    return figure, ax


def panels(count: int, columns: int, width: float, height: float, sharey: bool = False) -> tuple[Figure, list[Axes]]:
    """Return a figure with ``count`` axes in a grid; width and height of each in inches."""
    rows = math.ceil(count / columns)
    figure = new_figure(width * columns, height * rows)
    grid = figure.subplots(rows, columns, squeeze=False, sharey=sharey)
    axes = list(grid.flat)
    for spare in axes[count:]:
        spare.remove()
    return figure, axes[:count]


def colour(labels: Sequence[str], label: str) -> str:
    """Return the colour of one of several labels, the same in every figure."""
    return COLOURS[labels.index(label) % len(COLOURS)]


def show_digit(ax: Axes, image: NDArray[np.generic], title: str = "") -> None:
    """Draw one digit, uint8 or float in [0, 1], as dark ink on white paper, without axes."""
    ax.imshow(image, cmap="gray_r", vmin=0, vmax=255 if image.dtype == np.uint8 else 1, interpolation="nearest")
    ax.set_title(title, fontsize=8, pad=2)
    ax.set_axis_off()


def plain_numbers(ax: Axes) -> None:
    """Label logarithmic axes with plain numbers: all digits on a short axis, else 1, 2 and 5."""
    for axis, (low, high) in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
        if axis.get_scale() != "log":
            continue
        shown = "23456789" if high / low < 8 else "25"
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(
            FuncFormatter(lambda value, _, shown=shown: f"{value:g}" if f"{value:e}"[0] in shown else "")
        )
