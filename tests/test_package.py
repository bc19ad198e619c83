import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import inkdigits

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src" / "inkdigits").rglob("*.py"))
NETWORK = '''"""One linear layer.

Y. LeCun et al., Proc. IEEE 86(11), 1998, doi:10.1109/5.726791, section III.C.
"""

from torch import Tensor, nn

from inkdigits.models.registry import CLASSES, Normalize, register_model


@register_model("brand-new", paper="LeCun et al. 1998", recipes={"standard": {"epochs": 5}, "fast": {"epochs": 1}})
class BrandNew(nn.Module):
    """All pixels, weighted for each class."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(Normalize(), nn.Flatten(), nn.Linear(784, CLASSES))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, 10) of images (B, 1, 28, 28)."""
        logits: Tensor = self.layers(images)
        return logits
'''


def test_all_is_sorted_and_everything_in_it_is_there() -> None:
    assert inkdigits.__all__ == sorted(inkdigits.__all__)
    assert set(inkdigits.__all__) == set(inkdigits._HOMES)
    for name in inkdigits.__all__:
        assert callable(getattr(inkdigits, name))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        inkdigits.nothing  # noqa: B018


def test_importing_the_package_and_the_command_brings_no_torch() -> None:
    code = "import sys, inkdigits.cli, inkdigits.data; print({'torch', 'scipy', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_without_the_lab_the_command_says_how_to_install_it(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')")
    done = subprocess.run(
        [sys.executable, "-m", "inkdigits.cli", "train", "mlp"],
        env={"PYTHONPATH": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["inkdigits: this needs torch: pip install 'inkdigits[lab]'"]


def test_a_new_network_is_one_file_and_nothing_else(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copytree(ROOT / "tests" / "models", tmp_path / "tests" / "models")
    for name in ("tests/conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "src" / "inkdigits" / "models" / "brand_new.py").write_text(NETWORK)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-rA", "tests/models/test_models.py", "-k", "brand-new or comparison"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert len(re.findall(r"^PASSED .*\[brand-new\]$", done.stdout, flags=re.M)) == 6
    assert re.search(r"^PASSED .*new_files_after_them$", done.stdout, flags=re.M)


def test_files_and_functions_stay_readable() -> None:
    for path in SOURCES:
        text = path.read_text()
        assert text.count("\n") <= 520, path
        if path.parent.name == "models" and path.name != "registry.py":
            assert text.count("\n") <= 130, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno is not None
                assert node.end_lineno - node.lineno < 130, f"{path}: {node.name}"


def test_the_report_is_small_enough_to_be_sent_around() -> None:
    for report in (ROOT / "results").rglob("report.html"):
        assert report.stat().st_size < 3_000_000


def test_contributing_is_short_and_the_licence_is_there() -> None:
    assert (ROOT / "CONTRIBUTING.md").read_text().count("\n") <= 60
    assert "Apache License" in (ROOT / "LICENSE").read_text()


def test_the_project_speaks_of_itself_alone() -> None:
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in tracked.split("\0"):
        path = ROOT / name
        if (
            name
            and path.suffix in {".py", ".md", ".toml", ".ipynb", ".html", ".json", ".csv"}
            and path != Path(__file__)
        ):
            text = path.read_text()
            assert "/work/" not in text, name
            assert "../shared" not in text, name
