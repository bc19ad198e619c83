"""The report: one HTML file with its pictures inside, that opens anywhere and prints well."""

import base64
from importlib.metadata import version
from pathlib import Path

import jinja2

from inkdigits.errors import UsageError, unknown
from inkdigits.experiments.comparison import FIGURES as FOLDER
from inkdigits.experiments.comparison import REPORT, Comparison, Entry
from inkdigits.files import read_json, write_bytes, write_text
from inkdigits.models import model_spec
from inkdigits.report.figures import FIGURES, png
from inkdigits.report.graph_figures import GRAPH_FIGURES

ALL_FIGURES = FIGURES | GRAPH_FIGURES
ROBUST = "robust"  # where in a comparison's folder `inkdigits robust` puts what it measured
ROBUST_CAPTIONS = {
    "heat_map": "Accuracy by corruption and severity; the severity that MNIST-C publishes is bold.",
    "sweeps": "Accuracy as one distortion is turned up; dotted at 99 and 95 %.",
    "attacks": "Accuracy that is left under attack (projected gradient descent), by the size of the change allowed.",
    "reliability": "Accuracy against confidence, before and after temperature scaling.",
    "risk_coverage": "Error on the digits that are read, when the least sure are left to people.",
    "refusal": "AUROC of telling each kind of non-digit from the test digits, by score of refusal.",
    "corruptions": "One digit under every corruption, at severities 1 to 5.",
    "unseen_outliers": "The non-digits that refusal is measured on.",
}


def write_figures(comparison: Comparison, only: str | None = None, folder: Path | None = None) -> dict[str, bytes]:
    """Draw the figures of a comparison into its folder; return their PNG bytes by name.

    Parameters
    ----------
    only
        The name of a single figure.
    folder
        In place of the comparison's ``figures``.

    Raises
    ------
    UsageError
        When there is no such figure, or this comparison has nothing to draw in it.
    """
    if only is not None and only not in ALL_FIGURES:
        raise unknown("figure", only, ALL_FIGURES)
    drawn = {}
    for name in [only] if only else ALL_FIGURES:
        figure = ALL_FIGURES[name][0](comparison)
        if figure is not None:
            drawn[name] = png(figure)
            write_bytes((folder or comparison.folder / FOLDER) / f"{name}.png", drawn[name])
    if only is not None and not drawn:
        raise UsageError(f"this comparison has nothing to draw in {only}: it lacks the network, or the measurement")
    return drawn


def write_report(comparison: Comparison) -> Path:
    """Draw every figure and write the report of a comparison; return its path."""
    drawn = write_figures(comparison)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("inkdigits.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    first = next(iter(comparison.runs.values()))[0]
    robust = comparison.folder / ROBUST
    measured = read_json(robust / "robustness.json") if (robust / "robustness.json").exists() else None
    for name in ROBUST_CAPTIONS if measured else ():
        picture = robust / FOLDER / f"{name}.png"
        if picture.exists():
            drawn[name] = picture.read_bytes()
    text = environment.get_template("report.html.j2").render(
        comparison=comparison,
        dataset=comparison.dataset,
        first=first,
        runs={label: runs[0] for label, runs in comparison.runs.items()},
        n_test=len(comparison.dataset.test),
        images={name: base64.b64encode(content).decode() for name, content in drawn.items()},
        captions={name: caption for name, (_, caption) in ALL_FIGURES.items()} | ROBUST_CAPTIONS,
        robust=measured,
        robust_pictures=list(ROBUST_CAPTIONS),
        papers={label: model_spec(Entry.parse(label).model).paper for label in comparison.labels},
        version=version("inkdigits"),
    )
    path = comparison.folder / REPORT
    write_text(path, text)
    return path
