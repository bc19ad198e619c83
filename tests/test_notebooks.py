import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1] / "notebooks"
sys.path.insert(0, str(ROOT))
NOTEBOOKS = sorted(ROOT.glob("*.ipynb"))


def test_the_notebooks_are_there() -> None:
    assert [path.stem for path in NOTEBOOKS] == [
        *("01_the_data", "02_traditional_networks", "03_deep_architectures", "04_pixel_graph", "05_robustness"),
        *("06_read_a_page", "07_how_sure"),
    ]


@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::PendingDeprecationWarning", "ignore::ResourceWarning"
)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from execute import execute

    monkeypatch.setenv("INKDIGITS_QUICK", "1")
    monkeypatch.setenv("INKDIGITS_OFFLINE", "1")
    notebook = execute(path)
    assert any("image/png" in output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", []))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_with_its_outputs(path: Path) -> None:
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert sum("image/png" in output.get("data", {}) for cell in cells for output in cell.outputs) >= 3
    assert not any(output.output_type == "error" for cell in cells for output in cell.outputs)
