import dataclasses
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from inkdigits.errors import UsageError
from inkdigits.experiments import Comparison
from inkdigits.report import figures
from inkdigits.report.figures import reconstructions
from inkdigits.report.html import ALL_FIGURES, write_figures, write_report


@pytest.fixture(scope="module")
def report(comparison: Comparison) -> str:
    return write_report(comparison).read_text()


@pytest.mark.usefixtures("report")
@pytest.mark.parametrize("name", ALL_FIGURES)
def test_every_figure_of_the_report_is_drawn_alone_and_shows_something(
    name: str, comparison: Comparison, tmp_path: Path
) -> None:
    drawn = write_figures(comparison, name, tmp_path)
    (path,) = tmp_path.iterdir()
    kept = path.read_bytes()
    assert drawn == {name: kept}
    assert kept == (comparison.folder / "figures" / f"{name}.png").read_bytes()
    pixels = np.asarray(Image.open(io.BytesIO(kept)).convert("L"))
    assert min(pixels.shape) > 100
    assert 0.002 < (pixels < 200).mean() < 0.7


@pytest.mark.parametrize("plot", [figures.accuracies, figures.convergence, figures.error_against_time, figures.pairs])
def test_a_plot_draws_in_the_axes_it_is_given(plot: object, comparison: Comparison) -> None:
    figure = Figure()
    ax = figure.add_subplot()
    assert plot(comparison, ax=ax) is figure  # type: ignore[operator]
    assert ax.has_data() or ax.texts


def test_the_curves_are_the_history(comparison: Comparison) -> None:
    histories = [run.history for run in comparison.runs["mlp"]]
    ax = figures.curve(histories, "acc").axes[0]
    test_line = next(line for line in ax.lines if line.get_label() == "test")
    expected = np.mean([[100 * row.test_acc for row in history] for history in histories], axis=0)
    np.testing.assert_allclose(test_line.get_ydata(), expected)


def test_confusion_shows_the_counts() -> None:
    matrix = np.diag(np.arange(10) + 90).astype(np.int64)
    matrix[4, 9] = 17
    texts = [text.get_text() for text in figures.confusion(matrix).axes[0].texts]
    assert sorted(texts) == sorted([*map(str, np.diag(matrix)), "17"])


def test_reconstructions_need_an_autoencoder(comparison: Comparison) -> None:
    with pytest.raises(UsageError, match="mlp reconstructs no digits"):
        reconstructions(comparison.runs["mlp"][0], comparison.dataset.test)


def test_an_unknown_figure_suggests_the_nearest(comparison: Comparison, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'confusions'"):
        write_figures(comparison, "confusion", tmp_path)


def test_a_figure_that_there_is_nothing_for_is_said(comparison: Comparison, tmp_path: Path) -> None:
    plain = dataclasses.replace(comparison, runs={"mlp": comparison.runs["mlp"]})
    with pytest.raises(UsageError, match="nothing to draw in faithfulness"):
        write_figures(plain, "faithfulness", tmp_path)


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.links: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in ("meta", "img", "br", "link"):
            self.open.append(tag)
        if tag == "img":
            self.images.append(given)
        self.ids += [value for key, value in attrs if key == "id" and value]
        self.links += [value for key, value in attrs if key in ("href", "src") and value]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_report_is_one_well_formed_file_that_needs_no_other(report: str) -> None:
    page = Page()
    page.feed(report)
    assert page.open == []
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in page.links)
    assert all(link[1:] in page.ids for link in page.links if link.startswith("#"))
    assert len(page.images) == len(ALL_FIGURES)
    assert all(image["alt"] for image in page.images)


def test_the_report_says_what_was_run_on_what_and_what_it_shows(report: str, comparison: Comparison) -> None:
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", report))
    for summary in comparison.summaries:
        assert f"{100 * summary.test_acc:.2f} ± {100 * summary.test_acc_sd:.2f}" in text
        assert f"{100 * summary.acc_low:.2f} – {100 * summary.acc_high:.2f}" in text
        assert f"{summary.params:,}" in text
    for fact in (comparison.dataset.sha256, "Rumelhart", "one-cycle", "torch", "0, 1", "540 digits", "200 others"):
        assert fact in text
    for pair in comparison.pairs:
        assert pair.sentence(200).split("(")[0].strip() in text


def test_the_report_shows_the_faithfulness_of_explanations(report: str, comparison: Comparison) -> None:
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", report))
    assert "Faithfulness of the explanations of gnn" in text
    for row in comparison.faithfulness["gnn"].rows:
        assert f"{row.method} {row.part} {row.fidelity_plus[0]:.3f}" in text
        assert all(doubt in text for doubt in row.doubts if row.method not in ("random", "intensity"))
    for form in comparison.forms:
        assert form.n < 10 or f"{form.digit} {form.holes} {'yes' if form.classic else '–'} {form.n}" in text
