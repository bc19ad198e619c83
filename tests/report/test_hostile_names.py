"""Names of runs and data sets that are HTML, mathematics or formulas, in reports that a real browser opens."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inkdigits.errors import RunError
from inkdigits.experiments import Comparison
from inkdigits.experiments.comparison_folder import gather, write_tables
from inkdigits.experiments.robustness import measure_robustness
from inkdigits.report.html import write_report
from inkdigits.report.robustness_figures import write_robustness

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HTML = "=1+1<script>document.title='run'</script><img src=x onerror=\"document.title='run'\">$\\frac{$_&amp;"


def show(path: Path, browser: "Browser") -> tuple[str, list[str], str]:
    """The title, the requests and the visible text of a page, opened as a file."""
    page = browser.new_context().new_page()
    requests: list[str] = []
    page.on("request", lambda each: requests.append(each.url))
    page.goto(path.as_uri())
    text = page.inner_text("body")
    found = page.title(), [url for url in requests if not url.startswith("data:")], text
    assert page.locator("script").count() == page.locator("img:not([src^='data:'])").count() == 0
    page.context.close()
    return found


def test_names_are_text_in_figures_tables_and_the_report(
    comparison: Comparison, tmp_path: Path, browser: "Browser"
) -> None:
    folder = comparison.runs["mlp"][0].folder
    assert folder is not None
    report = measure_robustness([folder], comparison.dataset, suites=["calibration", "sweeps"], digits=50)
    (results,), (run,) = report.measured.values(), report.runs.values()
    data = report.data | {"notes": [HTML]}
    report = replace(report, measured={HTML: results}, runs={HTML: run}, data=data)
    write_robustness(report, tmp_path / "robust")
    rows = list(csv.reader((tmp_path / "robust" / "robustness.csv").read_text().splitlines()))
    assert {row[0] for row in rows[1:]} == {f"'{HTML}"}
    dataset = replace(comparison.dataset, name=HTML, notes=(HTML,))
    path = write_report(replace(comparison, dataset=dataset, folder=tmp_path))
    title, requests, text = show(path, browser)
    assert title == f"Comparison of digit classifiers on {HTML}"
    assert requests == [path.as_uri()]
    assert text.count(HTML) >= 4  # the heading, two notes, the run


def test_results_hold_no_formula(comparison: Comparison, tmp_path: Path) -> None:
    rows = [replace(row, data=HTML) for row in comparison.rows]
    write_tables(replace(comparison, rows=rows, folder=tmp_path))
    found = list(csv.DictReader((tmp_path / "results.csv").read_text().splitlines()))
    assert {row["data"] for row in found} == {f"'{HTML}"}


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("robust/robustness.json", {"n_test": "x"}, r"at `\$\.n_test`"),
        ("robust/robustness.json", {"n_test": 5, "base": None, "runs": {"a": {"augment": "", "clean": None}}}, "runs"),
        (
            "robust/robustness.json",
            {"n_test": 5, "base": None, "runs": {"a": {"augment": "", "clean": 1, "published": {"fog": 1}}}},
            "`published` stands without",
        ),
        (
            "robust/robustness.json",
            {"n_test": 5, "base": None, "runs": {"a": {"augment": "", "clean": 1, "calibration": {"nll": 1}}}},
            "`calibration` lacks",
        ),
    ],
)
def test_broken_figures_of_robustness_are_one_line(
    name: str, content: object, says: str, comparison: Comparison, tmp_path: Path
) -> None:
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).write_text(json.dumps(content))
    with pytest.raises(RunError, match=rf"cannot read .*{name}.*{says}"):
        write_report(replace(comparison, folder=tmp_path))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"seeds": "x"}, r"Expected `int`, got `str` - at `\$\.seeds`"),
        ({"seeds": 0}, "at least one network and one seed"),
        ({"models": []}, "at least one network and one seed"),
        ({"models": [1]}, r"at `\$\.models\[0\]`"),
        ({"notes": None}, r"at `\$\.notes`"),
        ({"data": {}}, r"at `\$\.data`"),
    ],
)
def test_a_broken_summary_is_one_line(
    change: dict[str, object], says: str, comparison: Comparison, tmp_path: Path
) -> None:
    plan = json.loads((comparison.folder / "summary.json").read_text()) | change
    (tmp_path / "summary.json").write_text(json.dumps(plan))
    with pytest.raises(RunError, match=rf"cannot read .*summary\.json.*{says}"):
        gather(tmp_path)


def test_broken_faithfulness_is_one_line(comparison: Comparison, tmp_path: Path) -> None:
    from inkdigits.experiments.comparison_folder import _read_faithfulness

    kept = json.loads((comparison.folder / "faithfulness.json").read_text())["gnn"]
    for broken in (
        {"rows": []},
        {"rows": [5]},
        {"rows": None},
        {"asked": "x"},
        {"rows": [kept["rows"][0] | {"n": "x"}]},
    ):
        (tmp_path / "faithfulness.json").write_text(json.dumps({"gnn": kept | broken}))
        with pytest.raises(RunError, match=r"faithfulness\.json is of another version"):
            _read_faithfulness(tmp_path, comparison.runs)
