"""The report: one HTML file with its pictures inside, that opens anywhere and prints well."""

import base64
from importlib.metadata import version
from pathlib import Path

import jinja2

from inkdigits.errors import UsageError, unknown
from inkdigits.files import write_bytes, write_text
from inkdigits.models import model_spec
from inkdigits.report.compare import FIGURES as FOLDER
from inkdigits.report.compare import REPORT, Comparison, Entry
from inkdigits.report.figures import FIGURES, png
from inkdigits.report.graph_figures import GRAPH_FIGURES

ALL_FIGURES = FIGURES | GRAPH_FIGURES


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
    text = environment.get_template("report.html.j2").render(
        comparison=comparison,
        dataset=comparison.dataset,
        first=first,
        runs={label: runs[0] for label, runs in comparison.runs.items()},
        n_test=len(comparison.dataset.test),
        images={name: base64.b64encode(content).decode() for name, content in drawn.items()},
        captions={name: caption for name, (_, caption) in ALL_FIGURES.items()},
        papers={label: model_spec(Entry.parse(label).model).paper for label in comparison.labels},
        version=version("inkdigits"),
    )
    path = comparison.folder / REPORT
    write_text(path, text)
    return path
