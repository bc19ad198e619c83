"""Figures of digits as graphs, of explanations and of their faithfulness, and of errors by number of holes."""

import io
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from PIL import Image

from inkdigits.evaluation.connectivity import Connectivity, Cut
from inkdigits.evaluation.explain import UNSIGNED
from inkdigits.evaluation.faithfulness import SHARES, Faithfulness
from inkdigits.evaluation.topology import Form, Topology, crossing_numbers, skeletons
from inkdigits.report.figures.plotting import COLOURS, new_figure, panels

NODE, EDGE, CUT, REACHED = "#0072B2", "#56B4E9", "#D55E00", "#E69F00"
SIGNED, UNSIGNED_COLOURS = "RdBu", "Greens"  # red is negative and blue positive; green where there is no sign


def digit_panels(count: int, columns: int, side: float) -> tuple[Figure, list[Axes]]:
    """Return a figure with a grid of square axes of ``side`` inches, with space for titles of two lines."""
    figure, axes = panels(count, columns, side, side + 0.5)
    figure.set_layout_engine("compressed")
    return figure, axes


def faint(ax: Axes, image: NDArray[np.generic], title: str = "") -> None:
    """Draw a digit as faint ink, as the background of a graph, in a square of its size."""
    top = 255 if image.dtype == np.uint8 else 1
    ax.imshow(image, cmap="gray_r", vmin=0, vmax=top * 4, interpolation="nearest")
    ax.set_title(title, fontsize=9)
    ink = np.argwhere(image)
    low, high = (ink.min(0), ink.max(0)) if len(ink) else (np.zeros(2), np.array(image.shape) - 1)
    middle, half = (low + high) / 2, (high - low).max() / 2 + 2
    ax.set(xlim=(middle[1] - half, middle[1] + half), ylim=(middle[0] + half, middle[0] - half), xticks=[], yticks=[])
    ax.spines[:].set_color("#E5E5E5")


def draw_edges(
    ax: Axes,
    pos: NDArray[np.floating],
    edge_index: NDArray[np.int64],
    value: NDArray[np.floating] | None = None,
    colour: str = EDGE,
    signed: bool = True,
) -> None:
    """Draw each pair of touching nodes as a line; ``value`` (E,) colours it by the sum of the pair's two edges."""
    if value is None:
        both_ends = np.unique(np.sort(edge_index.T, axis=1), axis=0)
        ax.add_collection(LineCollection(list(pos[both_ends]), colors=colour, linewidths=0.9))
        return
    both_ends, number = np.unique(np.sort(edge_index.T, axis=1), axis=0, return_inverse=True)
    strength = np.bincount(number.ravel(), weights=value, minlength=len(both_ends))
    scale = float(np.quantile(np.abs(strength), 0.99)) if strength.size else 1.0
    order = np.argsort(np.abs(strength))  # the strongest on top
    lines = LineCollection(
        list(pos[both_ends[order]]),
        cmap=SIGNED if signed else UNSIGNED_COLOURS,
        clim=(-scale if signed else 0, scale),
        linewidths=list(0.4 + 3 * (np.abs(strength[order]) / max(scale, 1e-12)).clip(0, 1)),
    )
    lines.set_array(strength[order])
    ax.add_collection(lines)


def _answer(c: Connectivity) -> str:
    return f"read as {c.digit}, {100 * c.probabilities[c.digit]:.1f} %"


def graph_plot(ax: Axes, c: Connectivity, index: int = 0) -> None:
    """Draw the nodes and edges of one level, with the answer of the network; level 0 has the pixels."""
    level = c.levels[index]
    counts = f"{len(level.pos)} nodes, {level.edge_index.shape[1] // 2} pairs"
    faint(ax, c.image, f"{level.name if index else _answer(c)}\n{counts}")
    draw_edges(ax, level.pos, level.edge_index)
    ax.scatter(level.pos[:, 0], level.pos[:, 1], s=5 * level.side, color=NODE, zorder=3, linewidths=0)


def shape_plot(ax: Axes, c: Connectivity) -> None:
    """Draw the skeleton of the stroke with its end points and junctions."""
    faint(ax, c.image, f"topology\n{Topology.describe(c.shape)}")
    skeleton = skeletons(c.image[None])
    crossings = crossing_numbers(skeleton)[0]
    for mask, marker, size, tint, label in (
        (skeleton[0], "s", 6, "#7F7F7F", None),
        (crossings == 1, "o", 38, COLOURS[2], "end"),
        (crossings >= 3, "D", 38, CUT, "junction"),
    ):
        rows, columns = np.nonzero(mask)
        ax.scatter(columns, rows, s=size, color=tint, marker=marker, linewidths=0, label=label)
    ax.legend(fontsize=7, frameon=False, loc="upper right")


def cut_plot(ax: Axes, c: Connectivity, cut: Cut) -> None:
    """Draw the pairs of pixels whose removal changes the answer."""
    faint(ax, c.image, cut.describe(len(c.pairs)).replace(" of touching pixels", "").replace(" without", "\nwithout"))
    draw_edges(ax, c.pos, c.edge_index, colour="#D0D0D0")
    if len(cut.pairs):
        ax.add_collection(LineCollection(list(c.pos[cut.pairs]), colors=CUT, linewidths=2.2))


def importance_plot(ax: Axes, c: Connectivity, method: str) -> None:
    """Draw importance: blue supports the target, red opposes it; green for methods without a sign."""
    signed = method not in UNSIGNED
    question = f"why a {c.target}?" if c.against is None else f"why a {c.target}, not a {c.against}?"
    asked = {"attention": "attention of the nodes", "gnn-explainer": f"mask for a {c.target}"}
    faint(ax, c.image, f"{method}\n{asked.get(method, question)}")
    draw_edges(ax, c.pos, c.edge_index, c.edges[method], signed=signed)
    value = c.nodes[method]
    scale = float(np.quantile(np.abs(value), 0.99)) if value.size else 1.0
    points = ax.scatter(c.pos[:, 0], c.pos[:, 1], s=14, c=value, zorder=3, linewidths=0.15, edgecolors="k")
    points.set(cmap=SIGNED if signed else UNSIGNED_COLOURS, clim=(-scale if signed else 0, scale))


def connectivity_figure(c: Connectivity) -> Figure:
    """Draw a digit as a graph: its pixels, its cells after pooling, its topology, and its cut."""
    pooled = next((index for index, level in enumerate(c.levels) if level.side == 2), None)
    plots: list[Callable[[Axes], None]] = [lambda ax: graph_plot(ax, c)]
    if pooled is not None:
        plots.append(lambda ax: graph_plot(ax, c, pooled))
    plots.append(lambda ax: shape_plot(ax, c))
    if c.cut is not None:
        cut = c.cut
        plots.append(lambda ax: cut_plot(ax, c, cut))
    figure, axes = digit_panels(len(plots), len(plots), 2.9)
    for ax, plot in zip(axes, plots, strict=True):
        plot(ax)
    return figure


def importance_figure(c: Connectivity) -> Figure:
    """Draw the importance of nodes and edges by each method."""
    figure, axes = digit_panels(len(c.edges), min(4, len(c.edges)), 3.2)
    for ax, method in zip(axes, c.edges, strict=True):
        importance_plot(ax, c, method)
    return figure


def start_of(c: Connectivity) -> int | None:
    """Return the node whose messages are shown: the most important one, or the first; None without nodes."""
    if not len(c.pos):
        return None
    return int(next(iter(c.nodes.values())).argmax()) if c.nodes else 0


def level_plot(ax: Axes, c: Connectivity, index: int, start: int | None) -> None:
    """Draw the nodes of one level that a message from pixel ``start`` has reached."""
    level = c.levels[index]
    reached = level.reached[:, start] if start is not None else np.zeros(len(level.pos), bool)
    faint(ax, c.image, f"{level.name}\n{int(reached.sum())} of {len(reached)}")
    for mask, face, edge in ((~reached, "none", "#B0B0B0"), (reached, REACHED, "#8A5A00")):
        squares = [
            Rectangle((x - level.side / 2, y - level.side / 2), level.side, level.side) for x, y in level.pos[mask]
        ]
        ax.add_collection(PatchCollection(squares, facecolor=face, edgecolor=edge, linewidth=0.5, alpha=0.75))
    if start is not None:
        ax.plot(*c.pos[start], marker="*", color="k", markersize=8)


def messages_figure(c: Connectivity) -> Figure:
    """Draw the nodes that a message from one pixel has reached, after each layer and pooling."""
    figure, axes = digit_panels(len(c.levels), 5, 2.2)
    for index, ax in enumerate(axes):
        level_plot(ax, c, index, start_of(c))
    return figure


def messages_gif(c: Connectivity) -> bytes:
    """Return :func:`messages_figure` as the bytes of an animated GIF, one level per second."""
    figure = new_figure(3.2, 3.7)
    figure.set_layout_engine("compressed")
    canvas, ax = FigureCanvasAgg(figure), figure.add_subplot()
    frames = []
    for index in range(len(c.levels)):
        ax.clear()
        level_plot(ax, c, index, start_of(c))
        canvas.draw()
        frames.append(Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB"))
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=1000, loop=0)
    return buffer.getvalue()


def gallery(found: Sequence[Connectivity], method: str) -> Figure:
    """Draw the importance of the edges of several digits, five per row."""
    figure, axes = digit_panels(len(found), 5, 2.2)
    for ax, c in zip(axes, found, strict=True):
        importance_plot(ax, c, method)
        ax.set_title(_answer(c) if c.against is None else f"why a {c.target}, not a {c.against}?", fontsize=9)
    return figure


def faithfulness_curves(rows: Sequence[Faithfulness]) -> Figure:
    """Draw the answer's probability while nodes or edges are removed, or inserted, the most important first."""
    names = list(dict.fromkeys(row.method for row in rows))
    figure = new_figure(9.6, 6.4)
    axes = figure.subplots(2, 2, sharex=True, sharey=True)
    for row in rows:
        baseline = row.method in ("random", "intensity")
        line = axes[0 if row.part == "edges" else 1]
        tint = COLOURS[names.index(row.method)]
        for ax, curve in zip(line, (row.deletion_curve, row.insertion_curve), strict=True):
            ax.plot(np.array(SHARES) * 100, curve, "--" if baseline else "-", color=tint, label=row.method)
            ax.spines[["top", "right"]].set_visible(False)
    for part, line in zip(("edges", "nodes"), axes, strict=True):
        line[0].set(ylabel="probability of the answer", title=f"{part} removed, the most important first")
        line[1].set(title=f"{part} inserted, the most important first")
    for ax in axes[1]:
        ax.set_xlabel("share, %")
    axes[0, 0].legend(frameon=False, fontsize=8)
    return figure


def forms_plot(forms: Sequence[Form]) -> Figure:
    """Draw the share of digits by class and number of holes, and how often they are misread."""
    figure = new_figure(9.6, 5.6)
    above, below = figure.subplots(2, 1, sharex=True)
    most = max((form.holes for form in forms), default=0)
    shown = min(most, 3)
    width = 0.8 / (shown + 1)
    totals = {digit: sum(form.n for form in forms if form.digit == digit) for digit in range(10)}
    for holes in range(shown + 1):
        rows = [form for form in forms if form.holes == holes]
        at = [form.digit + (holes - shown / 2) * width for form in rows]
        tint = COLOURS[holes]
        above.bar(at, [100 * form.n / totals[form.digit] for form in rows], width, color=tint, label=holes_text(holes))
        error = np.array([[100 * form.error, 100 * form.error_low, 100 * form.error_high] for form in rows]).reshape(
            -1, 3
        )
        spread = np.abs(error[:, 1:] - error[:, :1]).T
        enough = np.array([form.n >= 10 for form in rows], bool)
        where = np.array(at)[enough]
        below.errorbar(where, error[enough, 0], spread[:, enough], fmt="o", color=tint, markersize=4, capsize=2)
    above.set(ylabel="share of the class, %")
    above.legend(frameon=False, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    below.set(ylabel="misread, %", xlabel="digit", xticks=range(10))
    below.set_yscale("symlog", linthresh=1)
    below.set_ylim(0, 100)
    below.set_yticks([0, 0.5, 1, 2, 5, 10, 20, 50, 100], ["0", "0.5", "1", "2", "5", "10", "20", "50", "100"])
    for ax in (above, below):
        ax.spines[["top", "right"]].set_visible(False)
    return figure


def holes_text(count: int) -> str:
    """Return a number of holes in words."""
    return "no hole" if count == 0 else "1 hole" if count == 1 else f"{count} holes"
