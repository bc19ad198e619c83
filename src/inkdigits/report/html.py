"""The report of a comparison: one HTML file that contains its figures."""

import base64
from importlib.metadata import version
from pathlib import Path

import jinja2

from inkdigits.errors import UsageError, unknown
from inkdigits.experiments.comparison import Comparison
from inkdigits.experiments.grid import Entry
from inkdigits.experiments.robustness import FIGURES_JSON, RobustnessFile
from inkdigits.files import locked, read_json, remove_temporary_files, write_bytes, write_text
from inkdigits.models import model_spec
from inkdigits.report.figures import FIGURES, png
from inkdigits.report.graph_comparison_figures import GRAPH_FIGURES

ALL_FIGURES = FIGURES | GRAPH_FIGURES
REPORT, FOLDER = "report.html", "figures"  # the report and its figures in the folder of a comparison
ROBUST = "robust"  # the folder in it that `inkdigits robust` writes
ROBUST_CAPTIONS = {
    "heat_map": "Accuracy by corruption and severity; the severity published in MNIST-C is bold.",
    "sweeps": "Accuracy against the strength of one distortion; dotted at 99 and 95 %.",
    "attacks": "Accuracy under attack (projected gradient descent), by the size of the allowed change.",
    "reliability": "Accuracy against confidence, before and after temperature scaling.",
    "risk_coverage": "Error on the digits that are read, when the least confident are left to people.",
    "refusal": "AUROC of separating each kind of outlier from the test digits, by refusal score.",
    "corruptions": "One digit under every corruption, at severities 1 to 5.",
    "unseen_outliers": "The outliers that refusal is measured on.",
}


def write_figures(comparison: Comparison, only: str | None = None, folder: Path | None = None) -> dict[str, bytes]:
    """Draw the figures of a comparison into its folder; return their PNG bytes by name.

    Parameters
    ----------
    only
        The name of a single figure.
    folder
        Folder of the figures; ``figures`` in the comparison's folder by default.

    Raises
    ------
    UsageError
        When the figure does not exist, or this comparison has nothing to draw in it.
    RunError
        When the folder is in use by another process, or cannot be written.
    """
    if only is not None and only not in ALL_FIGURES:
        raise unknown("figure", only, ALL_FIGURES)
    drawn = {}
    with locked(folder or comparison.folder):
        for name in [only] if only else ALL_FIGURES:
            figure, path = ALL_FIGURES[name][0](comparison), (folder or comparison.folder / FOLDER) / f"{name}.png"
            remove_temporary_files(path)
            if figure is not None:
                drawn[name] = png(figure)
                write_bytes(path, drawn[name])
    if only is not None and not drawn:
        raise UsageError(f"this comparison has nothing to draw in {only}: the network or the measurement is missing")
    return drawn


def write_report(comparison: Comparison) -> Path:
    """Draw every figure and write the report of a comparison; return its path.

    Raises
    ------
    RunError
        When the folder is in use by another process, or cannot be written.
    """
    with locked(comparison.folder):
        return _write_report(comparison)


def _write_report(comparison: Comparison) -> Path:
    robust, robust_figures = _robustness(comparison.folder / ROBUST)  # first, as drawing takes long
    drawn = write_figures(comparison) | robust_figures
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("inkdigits.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = environment.get_template("report.html.j2").render(
        comparison=comparison,
        dataset=comparison.dataset,
        first=next(iter(comparison.runs.values()))[0],
        runs={label: runs[0] for label, runs in comparison.runs.items()},
        n_test=len(comparison.dataset.test),
        images={name: base64.b64encode(content).decode() for name, content in drawn.items()},
        captions={name: caption for name, (_, caption) in ALL_FIGURES.items()} | ROBUST_CAPTIONS,
        robust=robust,
        robust_pictures=list(ROBUST_CAPTIONS),
        papers={label: model_spec(Entry.parse(label).model).paper for label in comparison.labels},
        version=version("inkdigits"),
    )
    path = comparison.folder / REPORT
    remove_temporary_files(path)
    write_text(path, text)
    return path


def _robustness(folder: Path) -> tuple[RobustnessFile | None, dict[str, bytes]]:
    """Return the robustness.json of a folder and its figures; None and no figures when there is none."""
    path = folder / FIGURES_JSON
    if not path.exists():
        return None, {}
    pictures = {name: folder / FOLDER / f"{name}.png" for name in ROBUST_CAPTIONS}
    figures = {name: picture.read_bytes() for name, picture in pictures.items() if picture.is_file()}
    return read_json(path, RobustnessFile), figures
