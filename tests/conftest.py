"""Real digits in small portions, networks that are trained once, the command line in-process, and a real browser."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from filelock import FileLock

from inkdigits import cli
from inkdigits.data import Dataset, load
from inkdigits.evaluation import faithfulness
from inkdigits.evaluation.planted import auroc_of_planted
from inkdigits.experiments import Comparison, compare, gather
from inkdigits.training import line_task, train

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = Path("/usr/bin/chromium")
LONGEST = (  # modules below tests/, the longest first
    *("test_notebooks.py", "reader/test_batch.py", "experiments/test_robustness.py", "test_plugins.py"),
    *("experiments/test_killed.py", "report/test_figures.py", "evaluation/test_faithfulness.py", "bulk/test_bulk.py"),
    *("training/test_line_training.py", "training/test_training_data.py", "report/test_hostile_names.py"),
    *("training/test_classifier.py", "test_package.py", "models/test_models.py", "reader/test_line_reading.py"),
    *("exporting/test_finetuned.py", "server/test_process.py", "evaluation/test_refusal.py"),
    *("exporting/test_line_file.py", "server/test_hostile_files.py", "training/test_line_task.py", "test_cli.py"),
    *("server/test_reliability.py", "server/test_schemathesis.py", "reader/test_reader.py", "forms/test_template.py"),
)


def pytest_configure(config: pytest.Config) -> None:
    """Let pytest-xdist give out modules in the order below, not those with the most tests first."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest modules: one that is begun last would keep one worker busy while the others have ended."""
    place = {Path(__file__).parent / module: index for index, module in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], AbstractContextManager[Path]]:
    """Returns a folder of that name which all workers of pytest-xdist share; one of them at a time is in it."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent

    @contextmanager
    def enter(name: str) -> Iterator[Path]:
        with FileLock(base / f"{name}.lock"):
            yield base / name

    return enter


@pytest.fixture(scope="session")
def mnist_5k() -> Dataset:
    return load("mnist-5k")


@pytest.fixture(scope="session")
def small(mnist_5k: Dataset) -> Dataset:
    """600 digits to learn from, 200 to test on."""
    parts = (mnist_5k.train.split(600, seed=0)[1], mnist_5k.test.split(200, seed=0)[1])
    train, test = (part[np.random.default_rng(0).permutation(len(part))] for part in parts)
    return Dataset("small", train, test)


@pytest.fixture(scope="session")
def small_npz(small: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "small.npz"
    np.savez(
        path,
        x_train=small.train.images,
        y_train=small.train.labels,
        x_test=small.test.images,
        y_test=small.test.labels,
    )
    return path


@pytest.fixture(scope="session")
def mnist_folder() -> Path:
    """The real MNIST files; without them a test is skipped, but where INKDIGITS_REQUIRE_MNIST is set it fails."""
    folder = Path(os.environ.get("INKDIGITS_DATA", "")) / "mnist"
    if not (folder / "train-images-idx3-ubyte.gz").exists():
        if os.environ.get("INKDIGITS_REQUIRE_MNIST"):
            pytest.fail(f"real MNIST is required, but is not in {folder}")
        pytest.skip("needs real MNIST in $INKDIGITS_DATA/mnist")
    return folder


@pytest.fixture(scope="session")
def comparison(small_npz: Path, shared_folder: Callable[[str], AbstractContextManager[Path]]) -> Comparison:
    """Four networks and two seeds on 600 real digits, trained by the first worker that asks."""
    models = ["mlp", "lenet5", "autoencoder", "gnn"]
    with shared_folder("comparison") as out:
        if (out / "summary.json").exists():  # it is written last
            return gather(out)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(faithfulness, "auroc_of_planted", partial(auroc_of_planted, train=1000, test=20))
            return compare(models, str(small_npz), seeds=2, epochs=3, faithfulness=10, device="cpu", out=out)


@pytest.fixture(scope="session")
def line_run(small_npz: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small network that learned 64 lines, without fonts, and is far from reading them."""
    folder = tmp_path_factory.mktemp("lines") / "run"
    options = {"channels": [4, 4, 8], "features": 16, "dilations": [1]}
    settings = {"preset": "fast", "epochs": 1, "lines": 64, "batch_size": 16, "device": "cpu"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_task, "fonts_or_reason", lambda *_: ((), "no fonts"))
        patch.setattr(line_task, "MEASURED", 16)
        patch.setattr(line_task, "SORTED", 2)  # lines are made in groups of so many batches
        train("line-ctc", str(small_npz), options=options, out=folder, **settings)
    return folder


@pytest.fixture
def run_cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command in-process; returns exit code, stdout and stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["inkdigits", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        out, err = capsys.readouterr()
        return int(stop.value.code or 0), out, err

    return run


@contextmanager
def launched(*options: str) -> Iterator["Browser"]:
    """Debian's Chromium; without it a test is skipped, but where INKDIGITS_REQUIRE_BROWSER is set it fails."""
    if find_spec("playwright") is None or not CHROMIUM.exists():
        reason = f"needs {CHROMIUM} (apt-get install chromium) and the Python package playwright"
        pytest.fail(reason) if os.environ.get("INKDIGITS_REQUIRE_BROWSER") else pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *options])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """A real browser."""
    with launched() as browser:
        yield browser
