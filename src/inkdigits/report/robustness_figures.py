"""Figures of a robustness report, and the writing of its folder."""

from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

import numpy as np
from matplotlib.figure import Figure

from inkdigits.evaluation.calibration import TARGET
from inkdigits.experiments.robustness import RobustnessReport, write_tables
from inkdigits.files import write_bytes
from inkdigits.report.figures.plotting import COLOURS, new_figure, panels, plain, png, show_digit
from inkdigits.synthetic.corruptions import CORRUPTIONS, MNIST_C, SEVERITIES, corrupt
from inkdigits.synthetic.sweeps import SWEEPS
from inkdigits.synthetic.unseen_outliers import UNSEEN_OUTLIERS, Sources, make_unseen_outliers, matplotlib_fonts

ACROSS = 7  # panels of the heat map per row
RELIABLE = 10  # digits that a bin needs to be drawn


def heat_map(report: RobustnessReport) -> Figure | None:
    """Draw accuracy by corruption and severity, one panel per run; the published severity is bold."""
    names = list(next(iter(report.results.values())).corrupted)
    if not names:
        return None
    count = len(report.results)
    rows = -(-count // ACROSS)
    columns = -(-count // rows)
    figure = new_figure(2.4 + 2.2 * columns, rows * (0.8 + 0.26 * len(names)))
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    axes = list(grid.flat)
    for ax in axes[count:]:
        ax.set_axis_off()
    for ax, (label, result) in zip(axes, report.results.items(), strict=False):
        values = 100 * np.array([result.corrupted[name] for name in names])
        image = ax.imshow(values, cmap="RdYlGn", vmin=0, vmax=100, aspect="auto")
        for row, name in enumerate(names):
            for column in range(len(SEVERITIES)):
                published = name in MNIST_C and column == MNIST_C[name].published - 1
                text = f"{values[row, column]:.0f}" if values[row, column] < 99.95 else "100"
                ax.text(
                    column, row, text, ha="center", va="center", fontsize=6.5, weight="bold" if published else "normal"
                )
        ax.set_xticks(range(5), [str(severity) for severity in SEVERITIES])
        ax.set(xlabel="severity", title=plain(label))
        ax.tick_params(length=0)
    for ax in grid[:, 0]:
        ax.set_yticks(range(len(names)), [name.replace("_", " ") for name in names], fontsize=8)
    figure.colorbar(image, ax=axes, label="accuracy, %", shrink=0.5)
    return figure


def sweep_curves(report: RobustnessReport) -> Figure | None:
    """Draw accuracy against the amount of each distortion, one panel per distortion."""
    names = list(next(iter(report.results.values())).swept)
    if not names:
        return None
    figure, axes = panels(len(names), 4, 2.9, 2.5, sharey=True)
    for ax, name in zip(axes, names, strict=True):
        chosen = SWEEPS[name]
        for index, (label, result) in enumerate(report.results.items()):
            accuracies = 100 * np.array([result.clean, *result.swept[name]])
            ax.plot(
                [chosen.neutral, *chosen.amounts], accuracies, color=COLOURS[index % len(COLOURS)], label=plain(label)
            )
        for level in (99, 95):
            ax.axhline(level, color="#BBBBBB", linewidth=0.7, linestyle=":")
        ax.set(xlabel=f"{name}, {chosen.unit}", ylim=(0, 101))
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("accuracy, %")
    axes[0].legend(frameon=False, fontsize=7)
    return figure


def attack_curves(report: RobustnessReport) -> Figure | None:
    """Draw accuracy under attack against the size of the allowed change."""
    if not report.attacks:
        return None
    figure = new_figure(8, 3.2)
    axes = figure.subplots(1, len(report.settings.epsilons), sharey=True, squeeze=False)[0]
    for ax, (norm, epsilons) in zip(axes, report.settings.epsilons.items(), strict=True):
        for index, (label, found) in enumerate(report.attacks.items()):
            values = 100 * np.array(found[norm])
            ax.plot(epsilons, values, marker="o", markersize=3, color=COLOURS[index % len(COLOURS)], label=plain(label))
        ax.set(xlabel=f"epsilon, {'L-infinity' if norm == 'linf' else 'L2'}", ylabel="accuracy, %", ylim=(-2, 102))
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False, fontsize=7)
    return figure


def corruption_samples(report: RobustnessReport) -> Figure:
    """Draw one digit under every corruption at every severity."""
    image = report.digits.images[:1]
    figure = new_figure(11, 6.4)
    columns = 4
    rows = -(-len(CORRUPTIONS) // columns)
    outer = figure.add_gridspec(1, columns, wspace=0.02)
    for column in range(columns):
        inner = outer[column].subgridspec(rows, 6, wspace=0, hspace=0)
        for row, name in enumerate(list(CORRUPTIONS)[column * rows : (column + 1) * rows]):
            ax = figure.add_subplot(inner[row, 0])
            ax.text(1, 0.5, name.replace("_", "\n"), fontsize=6.5, ha="right", va="center")
            ax.set_axis_off()
            for severity in SEVERITIES:
                show_digit(figure.add_subplot(inner[row, severity]), corrupt(image, name, severity)[0])
    return figure


def reliability(report: RobustnessReport) -> Figure | None:
    """Draw accuracy against confidence, one panel per run, before and after temperature scaling."""
    if not report.calibrations:
        return None
    figure, axes = panels(len(report.calibrations), 4, 2.7, 2.7, sharey=True)
    for ax, (label, scaled) in zip(axes, report.calibrations.items(), strict=True):
        ax.plot([0, 1], [0, 1], color="#BBBBBB", linewidth=0.8)
        for name, found, shade in (("before", scaled.before, "#999999"), ("scaled", scaled.after, COLOURS[0])):
            enough = found.count >= RELIABLE
            ax.plot(
                found.confidence[enough],
                found.accuracy[enough],
                marker="o",
                markersize=3,
                color=shade,
                label=f"{name}: ECE {100 * found.ece:.2f} %",
            )
        ax.set(
            xlabel="confidence", title=f"{plain(label)}, T = {scaled.temperature:.2f}", xlim=(0, 1.02), ylim=(0, 1.02)
        )
        ax.legend(frameon=False, fontsize=6.5)
    axes[0].set_ylabel(f"accuracy, bins of {RELIABLE} digits or more")
    return figure


def risk_coverage(report: RobustnessReport) -> Figure | None:
    """Draw the error on the digits that are read against their share, the most confident first."""
    if not report.calibrations:
        return None
    figure = new_figure(6.4, 3.6)
    ax = figure.add_subplot()
    for index, (label, scaled) in enumerate(report.calibrations.items()):
        found = scaled.after
        ax.plot(100 * found.coverage, 100 * found.risk, color=COLOURS[index % len(COLOURS)], label=plain(label))
    ax.axhline(100 * (1 - TARGET), color="#BBBBBB", linewidth=0.8, linestyle=":")
    ax.set(
        xlabel="digits that are read, %, the most confident first", ylabel="error on them, %", xlim=(80, 100.2), ylim=0
    )
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=7)
    return figure


def refusal_map(report: RobustnessReport) -> Figure | None:
    """Draw the AUROC of every refusal score, by kind of outlier."""
    if not report.refusals:
        return None
    rows = [(label, name, found) for label, scores in report.refusals.items() for name, found in scores.items()]
    values = np.array([[found.auroc[kind] for kind in UNSEEN_OUTLIERS] for _, _, found in rows])
    figure = new_figure(8, 1 + 0.28 * len(rows))
    ax = figure.add_subplot()
    image = ax.imshow(values, cmap="RdYlGn", vmin=0.5, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        ax.text(column, row, f"{value:.3f}", ha="center", va="center", fontsize=6.5)
    ax.set_xticks(range(len(UNSEEN_OUTLIERS)), [kind.replace("_", "\n") for kind in UNSEEN_OUTLIERS], fontsize=8)
    ax.set_yticks(range(len(rows)), [f"{plain(label)}: {name}" for label, name, _ in rows], fontsize=8)
    ax.tick_params(length=0)
    figure.colorbar(image, ax=ax, label="AUROC")
    return figure


def unseen_outlier_samples(report: RobustnessReport) -> Figure | None:
    """Draw ten of each kind of outlier that refusal is measured on."""
    if not report.refusals:
        return None
    figure = new_figure(6.4, 5.6)
    grid = figure.add_gridspec(len(UNSEEN_OUTLIERS), 11, wspace=0, hspace=0)
    for row, kind in enumerate(UNSEEN_OUTLIERS):
        ax = figure.add_subplot(grid[row, 0])
        ax.text(1, 0.5, kind.replace("_", " "), fontsize=8, ha="right", va="center")
        ax.set_axis_off()
        for column, image in enumerate(
            make_unseen_outliers(kind, 10, Sources(report.digits.images, matplotlib_fonts()))
        ):
            show_digit(figure.add_subplot(grid[row, column + 1]), image)
    return figure


ROBUST_FIGURES: MappingProxyType[str, Callable[[RobustnessReport], Figure | None]] = MappingProxyType(
    {
        "heat_map": heat_map,
        "sweeps": sweep_curves,
        "attacks": attack_curves,
        "reliability": reliability,
        "risk_coverage": risk_coverage,
        "refusal": refusal_map,
        "corruptions": corruption_samples,
        "unseen_outliers": unseen_outlier_samples,
    }
)


def write_robustness(report: RobustnessReport, folder: Path) -> list[Path]:
    """Write the tables, and every figure that ``report`` has numbers for, to ``folder``; return their paths.

    A figure of an earlier measurement is removed when this report has no numbers for it.
    """
    paths = write_tables(report, folder)
    for name, draw in ROBUST_FIGURES.items():
        figure, path = draw(report), folder / "figures" / f"{name}.png"
        if figure is None:
            path.unlink(missing_ok=True)
            continue
        paths.append(path)
        write_bytes(path, png(figure))
    return paths
