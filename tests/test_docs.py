import json
import re
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "inkdigits"
DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS))

from check_docs import DOCUMENTS, NOTEBOOKS, check, check_document  # noqa: E402


def faults(text: str, folder: Path) -> list[str]:
    """What the check says of a document with this text."""
    path = folder / "README.md"
    path.write_text(text)
    return [message for _, message in check_document(path)]


def block(text: str, marker: str) -> str:
    """The code block after ``<!-- marker -->``."""
    return text.split(f"<!-- {marker} -->\n```\n")[1].split("```")[0]


def test_a_long_line_of_prose_is_refused(tmp_path: Path) -> None:
    assert faults(f"{'word ' * 20}\n", tmp_path) == []
    assert faults(f"{'word ' * 20}x\n", tmp_path) == ["101 columns; prose has at most 100"]
    assert faults(f"- {'word ' * 25}\n", tmp_path) == ["127 columns; prose has at most 100"]


def test_long_lines_are_allowed_in_tables_and_code_alone(tmp_path: Path) -> None:
    long = "word " * 25
    assert faults(f"| {long} |\n\n```\n{long}\n```\n\n    {long}\n    {long}\n", tmp_path) == []
    assert len(faults(f"```\n```\n{long}\n", tmp_path)) == 1
    assert len(faults(f"- an item\n    {long}\n", tmp_path)) == 1  # the rest of an item is no code


def test_the_metadata_of_a_model_card_is_no_prose(tmp_path: Path) -> None:
    long = "word " * 25
    assert faults(f"---\nmetadata: {long}\n---\n\nshort\n", tmp_path) == []
    assert len(faults(f"---\nmetadata: x\n---\n\n{long}\n", tmp_path)) == 1
    assert len(faults(f"---\nno metadata, as nothing ends it: {long}\n", tmp_path)) == 1
    assert len(faults(f"short\n\n---\n{long}\n---\n", tmp_path)) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("5,000 digits are set aside.", "validation or held-out digits"),
        ("| a | written by other hands |", "other writers"),
        ("The Foreign suite.", "cross-dataset"),
        ("Three networks vote.", "ensembling"),
        ("Pictures of non-digits.", "outlier"),
        ("It learned at three schools.", "augmentation"),
    ],
)
def test_a_private_word_is_refused(text: str, says: str, tmp_path: Path) -> None:
    (message,) = faults(f"{text}\n", tmp_path)
    assert "is a private word" in message
    assert says in message


def test_code_and_words_of_another_meaning_are_no_private_words(tmp_path: Path) -> None:
    text = "High-school students wrote `foreign` and ``set aside``; there is room for a [link](README.md).\n"
    assert faults(f"{text}\n```\nset aside\n```\n", tmp_path) == []


def test_a_broken_link_is_refused(tmp_path: Path) -> None:
    text = "# A title, of *two* parts\n[a](other.md) [b](#a-title-of-two-parts) [c](#no) [d](https://e.org/no)\n"
    assert faults(text, tmp_path) == ["other.md does not exist", "README.md has no heading #no"]


def test_docstrings_are_checked_with_their_line(tmp_path: Path) -> None:
    (tmp_path / "src" / "inkdigits").mkdir(parents=True)
    code = 'x = "set aside"\n\n\ndef f() -> None:\n    """Return ``foreign``.\n\n    Made by other hands.\n    """\n'
    (tmp_path / "src" / "inkdigits" / "a.py").write_text(code)
    (fault,) = check(tmp_path)
    assert fault.startswith("src/inkdigits/a.py:5: 'other hands'")


def test_the_text_of_a_notebook_is_checked_and_its_code_is_not(tmp_path: Path) -> None:
    cells = [("markdown", "A title\n"), ("code", "x = 1  # set aside\n"), ("markdown", "Some text.\nThey vote.")]
    notebook = {"cells": [{"cell_type": kind, "source": text.splitlines(keepends=True)} for kind, text in cells]}
    (tmp_path / "a.ipynb").write_text(json.dumps(notebook))
    ((number, message),) = check_document(tmp_path / "a.ipynb")
    assert (number, message[:6]) == (5, "'vote'")


@pytest.mark.parametrize(
    "path",
    [path for pattern in (*DOCUMENTS, NOTEBOOKS) for path in sorted(ROOT.glob(pattern))],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_the_documents_pass_the_check(path: Path) -> None:
    assert list(check_document(path)) == []


def test_the_readme_is_short() -> None:
    assert (ROOT / "README.md").read_text().count("\n") <= 150


def test_the_map_names_every_module_once() -> None:
    packages, named = [""], []
    for line in block((DOCS / "architecture.md").read_text(), "map").splitlines()[1:]:
        if not line.strip():
            continue
        depth, name = (len(line) - len(line.lstrip())) // 2, line.split()[0]
        assert len(line.split()) > 1, f"{name} has no purpose"
        path = "".join(packages[:depth]) + name
        if name.endswith("/"):
            packages[depth:] = [name]
            assert (SOURCE / path).is_dir(), path
        else:
            named.append(path)
    texts = {str(path.relative_to(SOURCE)): path.read_text() for path in SOURCE.rglob("*.py")}
    modules = {name for name in texts if not name.endswith("__init__.py")}
    found_by_name = {name for name in modules if re.search(r"^@register_(model|layout)\b", texts[name], flags=re.M)}
    assert len(named) == len(set(named))
    assert set(named) <= modules
    assert modules - set(named) <= found_by_name  # a new network or layout is one file and nothing else


def test_the_layers_are_those_that_import_linter_holds() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    shown = block((DOCS / "architecture.md").read_text(), "layers").splitlines()
    assert shown == [layer.replace("inkdigits.", "") for layer in layers]


def glossary() -> list[tuple[str, str]]:
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| `([\w.]+)` \|$", (DOCS / "glossary.md").read_text(), flags=re.M)
    assert all(meaning.count(". ") == 0 and meaning.endswith(".") for _, meaning, _ in rows)
    return [(term, name) for term, _, name in rows]


def test_the_glossary_is_short_and_sorted() -> None:
    terms = [term.lower() for term, _ in glossary()]
    assert 20 <= len(terms) <= 40
    assert terms == sorted(set(terms))
    assert len(terms) == (DOCS / "glossary.md").read_text().count("\n| ") - 1  # every row was understood


@pytest.mark.parametrize(("term", "name"), glossary())
def test_a_term_of_the_glossary_is_in_the_code(term: str, name: str) -> None:
    found: object = import_module("inkdigits")
    path = "inkdigits"
    for part in name.split("."):
        path += f".{part}"
        if isinstance(found, ModuleType) and not hasattr(found, part):
            found = import_module(path)
        elif part in getattr(found, "__dataclass_fields__", {}):
            found = part
        else:
            found = getattr(found, part)


def test_the_table_of_results_is_that_of_the_files() -> None:
    text = (DOCS / "results.md").read_text()
    rows = text.split("<!-- results -->\n")[1].split("\n\n")[0].splitlines()[2:]
    results = json.loads((ROOT / "results" / "summary.json").read_text())["results"]
    results += json.loads((ROOT / "results" / "graph" / "summary.json").read_text())["results"]
    assert len(rows) == len(results)
    for row, result in zip(rows, results, strict=True):
        spread = "" if result["test_acc_sd"] is None else f" ± {100 * result['test_acc_sd']:.2f}"
        assert row == (
            f"| {result['model']} | {100 * result['test_acc']:.2f}{spread} "
            f"| {100 * result['acc_low']:.2f} – {100 * result['acc_high']:.2f} "
            f"| {result['test_ce']:.4f} | {result['test_mse']:.5f} | {result['params']:,} | {result['train_s']:.0f} |"
        )


def test_the_readmes_table_is_that_of_the_files() -> None:
    results, benchmarks = ROOT / "results", ROOT / "benchmarks"
    by_model = {
        result["model"]: result
        for part in ("", "graph")
        for result in json.loads((results / part / "summary.json").read_text())["results"]
    }
    student = json.loads((results / "robust" / "student" / "robustness.json").read_text())["runs"]["student"]
    reading = json.loads((benchmarks / "reading.json").read_text())["photos"]["as it is"]["second_half"]
    expected = [
        *(
            f"{100 * by_model[m]['test_acc']:.2f} ± {100 * by_model[m]['test_acc_sd']:.2f} %"
            for m in ("densenet", "gnn")
        ),
        f"{100 * json.loads((results / 'robust' / 'ensemble.json').read_text())['accuracy']:.2f} %",
        f"{100 * student['published_mean']:.1f} %",
        f"{100 * student['cross_dataset']['uci-digits']:.1f} %",
        f"{100 * reading['pooled']:.1f} %",
        f"{json.loads((benchmarks / 'service.json').read_text())['predict']['per_second']:,.0f} requests/s",
    ]
    rows = (ROOT / "README.md").read_text().split("## Results\n\n")[1].split("\n\n")[0].splitlines()[2:]
    assert [row.split(" | ")[2][: len(value)] for row, value in zip(rows, expected, strict=True)] == expected
    assert rows[5].endswith(f"| {reading['pages']} pages, {reading['digits']} digits |")


@pytest.mark.parametrize(("marker", "name"), [("handwriting fonts", "FONTS"), ("print fonts", "PRINT_FONTS")])
def test_the_fonts_are_those_of_the_code(marker: str, name: str) -> None:
    from inkdigits.data import fonts

    table = (DOCS / "line-reader.md").read_text().split(f"<!-- {marker} -->\n")[1].rstrip().split("\n\n")[0]
    rows = [f"| {font.name} | {font.version} | {fonts.LICENCE} |" for font in getattr(fonts, name)]
    assert table.splitlines()[2:] == rows


def test_every_suite_and_augmentation_is_documented() -> None:
    from inkdigits.data.augment import AUGMENTATIONS
    from inkdigits.experiments.suites import SUITES

    text = (DOCS / "command-line.md").read_text()
    for name in [*SUITES, *AUGMENTATIONS]:
        assert f"\n| `{name}` | " in text, name


def test_every_corruption_degradation_and_outlier_is_documented() -> None:
    from inkdigits.data.degrade import DEGRADATIONS
    from inkdigits.synthetic.corruptions import CORRUPTIONS
    from inkdigits.synthetic.unseen_outliers import UNSEEN_OUTLIERS

    text = (DOCS / "robustness.md").read_text()
    for name in [*CORRUPTIONS, *(degrade.__name__ for degrade in DEGRADATIONS), *UNSEEN_OUTLIERS]:
        assert f"| `{name}` |" in text
