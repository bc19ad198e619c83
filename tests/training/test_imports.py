"""What can be imported with and without PyTorch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from inkdigits import training


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, check=False)


@pytest.fixture
def without_torch(tmp_path: Path) -> str:
    """A search path on which PyTorch is missing."""
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')")
    return os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])


@pytest.mark.parametrize("name", ["train", "compare", "create_model"])
def test_without_the_lab_a_name_says_how_to_install_it(name: str, without_torch: str) -> None:
    code = f"import inkdigits\ntry: inkdigits.{name}\nexcept inkdigits.InkdigitsError as error: print(error)"
    done = run(code, PYTHONPATH=without_torch)
    assert done.stdout == f"inkdigits.{name} needs torch: pip install 'inkdigits[lab]'\n", done.stderr


def test_a_missing_module_of_the_package_itself_stays_what_it_is() -> None:
    code = "import inkdigits; inkdigits._HOMES['train'] = 'inkdigits.nowhere'; inkdigits.train"
    assert "ModuleNotFoundError: No module named 'inkdigits.nowhere'" in run(code).stderr.splitlines()[-1]


def test_the_help_of_train_needs_no_torch(without_torch: str) -> None:
    code = "import sys; from inkdigits import cli; sys.argv[1:] = ['train', '--help']; cli.main()"
    done = run(code, PYTHONPATH=without_torch, COLUMNS="200")
    assert "--attack-steps" in done.stdout, done.stderr


def test_all_public_names_of_training_are_there() -> None:
    assert training.__all__ == sorted(training.__all__) == sorted(training._MODULES)
    for name in training.__all__:
        assert callable(getattr(training, name))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        training.nothing  # noqa: B018
