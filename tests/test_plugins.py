"""The package of docs/plugins.md, installed into an environment of its own, and plug-ins with faults."""

import csv
import json
import os
import re
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from torch import nn

import inkdigits
from inkdigits import plugins
from inkdigits.data import Dataset
from inkdigits.errors import PluginError, UsageError
from inkdigits.models.registry import MODELS
from inkdigits.plugins import PluginRegistry
from inkdigits.registry import Registry, calling_module
from inkdigits.synthetic.pages import make_page
from inkdigits.training.ensembling import ensemble

ROOT = Path(__file__).parents[1]
DOCS = (ROOT / "docs" / "plugins.md").read_text()
PACKAGE, LAYOUT = re.findall(r"```python\n(.*?)```", DOCS, re.S)
SOURCE = Path(inkdigits.__file__).parents[1]

Result = subprocess.CompletedProcess[str]
Command = Callable[..., Result]

DATA_SET = """
import inkdigits
from inkdigits.data import DatasetFacts
inkdigits.register_dataset(DatasetFacts("{name}", "", 1, 1, "", ""), lambda progress: None)
"""
MODEL = """
import inkdigits, torch

@inkdigits.register_model("{name}", paper="Nobody 2000", recipes={{"standard": {{"epochs": 1}}}})
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(784, {outputs})

    def forward(self, images):
        return self.layer(images.flatten(1))
"""


def clean_environment() -> dict[str, str]:
    """This process's environment, but no module is found through PYTHONPATH, or in the current folder by Python."""
    own = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", plugins.VARIABLE)}
    return own | {"PYTHONSAFEPATH": "1", "OMP_NUM_THREADS": "1"}


def run(*command: object, cwd: Path, **environment: str) -> Result:
    return subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=clean_environment() | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has the packages of this one, and the plug-in of the docs installed by pip."""
    folder = tmp_path_factory.mktemp("plugins")
    venv.create(folder / "env", symlinks=os.name != "nt")
    python = next(path for path in (folder / "env").glob("*/python*") if path.stem == "python")
    site = next((folder / "env").rglob("site-packages"))
    (site / "host.pth").write_text("\n".join([str(SOURCE), *(path for path in sys.path if "site-packages" in path)]))
    package = folder / "package"
    package.mkdir()
    (package / "pyproject.toml").write_text(re.findall(r"```toml\n(.*?)```", DOCS, re.S)[0])
    (package / "inkdigits_linear.py").write_text(PACKAGE)
    options = ["--quiet", "--disable-pip-version-check", "--no-index", "--no-build-isolation", "--no-deps"]
    done = run(sys.executable, "-m", "pip", "--python", python, "install", *options, package, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert (site / "inkdigits_linear.py").exists()
    return python


@pytest.fixture(scope="module")
def home(installed: Path) -> Path:
    return installed.parents[2]


@pytest.fixture(scope="module")
def with_plugin(installed: Path, home: Path) -> Command:
    """The command in the environment with the plug-in."""
    return lambda *arguments, **options: run(installed, "-m", "inkdigits.cli", *arguments, cwd=home, **options)


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """The command in this environment, run in an empty folder."""
    return lambda *arguments, **options: run(
        *(sys.executable, "-m", "inkdigits.cli", *arguments),
        cwd=tmp_path,
        PYTHONPATH=os.pathsep.join([str(SOURCE), str(tmp_path / "site")]),
        **options,
    )


@pytest.fixture(scope="module")
def trained(with_plugin: Command, home: Path) -> Path:
    done = with_plugin("train", "linear", "--data", "mnist-few", "--out", "run", "--device", "cpu", "--seed", 1)
    assert done.returncode == 0, done.stderr
    return home / "run"


def install_broken(site: Path, name: str, text: str) -> None:
    """Write the files that pip writes for a package with one module and an entry point."""
    site.mkdir(exist_ok=True)
    (site / f"{name}.py").write_text(text)
    info = site / f"{name}-0.3.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 0.3\n")
    (info / "entry_points.txt").write_text(f"[inkdigits.plugins]\nx = {name}\n")


def test_the_page_on_plugins_is_short() -> None:
    assert DOCS.count("\n") <= 105


def test_doctor_and_data_list_name_an_installed_plugin(with_plugin: Command) -> None:
    assert "plug-in inkdigits-linear 0.1 (inkdigits_linear)\tloads\n" in with_plugin("doctor").stdout
    last = json.loads(with_plugin("data", "list", "--json").stdout)[-1]
    assert (last["name"], last["train"], last["test"]) == ("mnist-few", 500, 1000)
    assert last["where"] == "in the plug-in inkdigits-linear 0.1"


def test_its_model_learns_its_data_with_its_augmentation(trained: Path) -> None:
    card = json.loads((trained / "model.json").read_text())
    assert card["options"] == {"bias": True}
    assert card["recipe"]["augment"] == "erase"
    assert card["data"] == card["data"] | {"name": "mnist-few", "train": 450, "validation": 50}
    assert card["metrics"]["test_acc"] > 0.7
    assert card["environment"]["plugins"] == {
        "model linear": "inkdigits-linear 0.1",
        "augmentation erase": "inkdigits-linear 0.1",
    }


def test_a_fresh_interpreter_loads_its_run(installed: Path, trained: Path) -> None:
    code = (
        "import sys, inkdigits; run = inkdigits.load_run(sys.argv[1]); "
        "print(type(run.model).__module__, run.model.layer.weight.shape, inkdigits.list_models()[-1])"
    )
    done = run(installed, "-c", code, trained, cwd=trained)
    assert done.stdout == "inkdigits_linear torch.Size([10, 784]) linear\n", done.stderr


def test_it_is_evaluated_and_exported(with_plugin: Command, trained: Path, home: Path) -> None:
    done = with_plugin("evaluate", trained, "--json")
    assert json.loads(done.stdout)["accuracy"] == pytest.approx(
        json.loads((trained / "model.json").read_text())["metrics"]["test_acc"]
    )
    done = with_plugin("export", trained, "--out", "linear.onnx", "--no-int8", "--json")
    assert done.returncode == 0, done.stderr
    assert inkdigits.Recognizer(home / "linear.onnx").card["model"] == "linear"


def test_its_corruption_is_measured(with_plugin: Command, trained: Path) -> None:
    done = with_plugin("robust", trained, "--suite", "corruptions", "--digits", 30, "--out", "robust", "--json")
    (row,) = json.loads(done.stdout)["runs"].values()
    assert len(row["published"]) == 29
    assert 0.3 < row["published"]["ink_blot"] < row["clean"]


def test_two_jobs_compare_the_models_of_a_package_and_of_a_named_module(with_plugin: Command, home: Path) -> None:
    (home / "tiny_model.py").write_text(MODEL.format(name="tiny", outputs=10))
    install_broken(home / "site", "broken", "import nowhere")
    settings = ["--data", "mnist-few", "--epochs", 1, "--jobs", 2, "--device", "cpu", "--out", "compared"]
    command = ("compare", "--models", "linear,tiny", *settings, "--plugin", "tiny_model")
    done = with_plugin(*command, PYTHONPATH=str(home / "site"))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("warning: the plug-in broken 0.3 (broken) does not load") == 1  # not by each child
    with (home / "compared" / "results.csv").open() as file:
        rows = {row["model"]: row for row in csv.DictReader(file)}
    assert {name: row["params"] for name, row in rows.items()} == {"linear": "7850", "tiny": "7850"}
    assert "Nobody 2000" in (home / "compared" / "report.html").read_text()
    card = json.loads((home / "compared" / "runs" / "tiny-s0" / "model.json").read_text())
    assert card["environment"]["plugins"] == {"model tiny": "tiny_model"}


def test_a_run_whose_plugin_is_missing_says_what_to_install(command: Command, trained: Path) -> None:
    done = command("evaluate", trained)
    assert done.returncode == 2
    assert done.stderr == (
        f"inkdigits: {trained} needs the model 'linear' of the plug-in inkdigits-linear 0.1; install it, "
        "or name its module with --plugin\n"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import nowhere", "ModuleNotFoundError: No module named 'nowhere'"),
        ("if:", "SyntaxError: "),
        ("import sys; sys.exit('goodbye')", "SystemExit: goodbye"),
        (
            DATA_SET.format(name="mnist"),
            "two data sets are called 'mnist': inkdigits.data.digits._load_mnist and bad.<lambda>",
        ),
        (
            MODEL.format(name="tiny", outputs=10).replace("epochs", "epoch"),
            "the recipe 'standard' of the model 'tiny': there is no setting 'epoch'; did you mean 'epochs'?",
        ),
        (DATA_SET.format(name="a,b"), "the name of a data set has letters, digits, '_', '-' and '.' only, not 'a,b'"),
    ],
)
def test_a_named_plugin_that_does_not_load_is_one_line(text: str, says: str, command: Command, tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(text)
    done = command("data", "list", "--plugin", "bad")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"inkdigits: the plug-in bad does not load: {says}")
    assert done.stderr.count("\n") == 1


def test_plugins_are_named_before_and_after_the_command_and_by_the_variable(command: Command, tmp_path: Path) -> None:
    for name in ("one", "two", "three", "four"):
        (tmp_path / f"{name}.py").write_text(DATA_SET.format(name=f"data-{name}"))
    done = command("--plugin", "one", "data", "list", "--plugin=two", INKDIGITS_PLUGINS="three, four")
    assert re.findall(r"^data-\w+", done.stdout, flags=re.M) == ["data-three", "data-four", "data-one", "data-two"]
    done = command("data", "list", "--plugin")
    assert (done.returncode, done.stderr) == (
        2,
        "inkdigits: --plugin takes the name of a module, such as my_package.digits\n",
    )
    done = command("data", "list", "--plugin", "./one.py")
    assert done.returncode == 2
    assert "named as a module, such as my_package.digits" in done.stderr


def test_a_function_is_called_and_doctor_shows_each_fault(command: Command, tmp_path: Path) -> None:
    lines = "".join(f"    {line}\n" for line in DATA_SET.format(name="late").splitlines())
    (tmp_path / "lazy.py").write_text(f"def register():\n{lines}")
    assert "\nlate\t" in command("data", "list", "--plugin", "lazy:register").stdout
    done = command("doctor", "--plugin", "lazy:nothing")
    assert done.returncode == 2
    assert re.search(r"^plug-in lazy:nothing\tdoes not load: AttributeError: .*nothing", done.stdout, flags=re.M)


def test_an_installed_plugin_that_does_not_load_is_left_out_with_one_warning(
    command: Command, tmp_path: Path, small_npz: Path
) -> None:
    install_broken(tmp_path / "site", "half_done", DATA_SET.format(name="half") + "import nowhere")
    warning = (
        "warning: the plug-in half-done 0.3 (half_done) does not load: ModuleNotFoundError: No module named 'nowhere'\n"
    )
    done = command("data", "list")
    assert (done.returncode, done.stderr) == (0, warning)
    assert "half" not in done.stdout
    done = command("train", "mlp", "--data", small_npz, "--epochs", 1, "--batch-size", 64, "--out", "run")
    assert done.returncode == 0
    assert done.stderr.count(warning) == done.stderr.count("warning") == 1
    assert command("data", "list", "--plugin", "half_done").returncode == 2


def test_help_and_the_reader_in_python_load_no_plugin(command: Command, tmp_path: Path) -> None:
    install_broken(tmp_path / "site", "costly", "open('loaded', 'w').close(); raise OSError('costly')")
    assert command("read", "--help").returncode == 0
    path = os.pathsep.join([str(SOURCE), str(tmp_path / "site")])
    assert run(sys.executable, "-c", "import inkdigits; inkdigits.Reader()", cwd=tmp_path, PYTHONPATH=path).stderr == ""
    assert not (tmp_path / "loaded").exists()
    assert command("data", "list").returncode == 0
    assert (tmp_path / "loaded").exists()


@pytest.fixture
def page(mnist_5k: Dataset, tmp_path: Path) -> str:
    """The path of a page with several numbers."""
    made = make_page("plain", mnist_5k.test.images, mnist_5k.test.labels, 3).image
    Image.fromarray(made).save(tmp_path / "page.png")
    return "page.png"


def test_read_finds_the_layouts_of_plugins_without_torch(command: Command, tmp_path: Path, page: str) -> None:
    whole = command("read", page).stdout.splitlines(keepends=True)
    assert len(whole) > 1
    (tmp_path / "my_layouts.py").write_text(LAYOUT)
    install_broken(tmp_path / "site", "their_layouts", LAYOUT.replace("first-line", "their-line"))
    (tmp_path / "site" / "torch.py").write_text("raise OSError('PyTorch was imported')")
    for options in (["--layout", "first-line", "--plugin", "my_layouts"], ["--layout", "their-line"]):
        done = command("read", page, *options)
        assert (done.returncode, done.stdout, done.stderr) == (0, whole[0], "")
    done = command("read", page, "--layout", "first-lin", INKDIGITS_PLUGINS="my_layouts")
    assert (done.returncode, done.stderr) == (
        2,
        "inkdigits: there is no layout 'first-lin'; did you mean 'first-line'?\n",
    )


def test_predict_read_and_serve_name_a_plugin_that_does_not_load(command: Command, tmp_path: Path, page: str) -> None:
    install_broken(tmp_path / "site", "half_done", LAYOUT.replace("first-line", "half") + "import nowhere")
    says = "the plug-in half-done 0.3 (half_done) does not load: ModuleNotFoundError: No module named 'nowhere'\n"
    for name, *arguments in (["predict", page], ["read", page], ["serve", "--port", 0]):
        done = command(name, *arguments, "--plugin", "half_done")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == "inkdigits: " + says.replace("half-done 0.3 (half_done)", "half_done")
    for name in ("predict", "read"):
        done = command(name, page)
        assert (done.returncode, done.stderr) == (0, f"warning: {says}")
    done = command("read", page, "--layout", "half")  # what it had registered is gone
    assert (done.returncode, done.stderr.splitlines()[1][:33]) == (2, "inkdigits: there is no layout 'ha")


def test_logits_of_a_wrong_shape_are_refused_before_anything_is_trained(
    command: Command, tmp_path: Path, small_npz: Path
) -> None:
    install_broken(tmp_path / "site", "nine_classes", MODEL.format(name="nine", outputs=9))
    says = (
        "the model 'nine' of the plug-in nine-classes 0.3 returns torch.float32 (2, 9) for 2 images, "
        "not logits torch.float32 (2, 10)\n"
    )
    done = command("compare", "--models", "mlp,nine", "--data", small_npz, "--out", "compared")
    assert done.returncode == 2
    assert done.stderr == f"inkdigits: {says}"
    assert not list(tmp_path.glob("compared/runs/*/history.csv"))
    done = command("models")
    assert (done.returncode, done.stderr) == (0, f"warning: {says}")
    assert "\nviews\t" in done.stdout


def test_the_examples_in_the_docstrings_run(tmp_path: Path) -> None:
    code = """
import doctest, inkdigits
for name in inkdigits.__all__:
    if name.startswith("register_"):
        doctest.run_docstring_examples(getattr(inkdigits, name), {}, name=name)
        assert ">>>" in getattr(inkdigits, name).__doc__
print("done")
"""
    done = run(sys.executable, "-c", code, cwd=tmp_path, PYTHONPATH=str(SOURCE))
    assert done.stdout == "done\n", done.stdout + done.stderr


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Registry[int]:
    """A registry in a process that has not loaded its plug-ins yet."""
    monkeypatch.setattr(plugins, "_loaded", None)
    monkeypatch.setattr(plugins, "_registries", {})
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv(plugins.VARIABLE, raising=False)
    return PluginRegistry("number")


def add(registry: Registry[int], name: str) -> None:
    registry.register(name, 1, add, calling_module())


def test_the_first_look_up_loads_the_plugins_once(
    registry: Registry[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "look_up", lambda: add(registry, f"n{len(registry)}"), raising=False)
    (tmp_path / "counted.py").write_text("import sys\nf = sys.look_up")  # looks a name up while it is loaded
    monkeypatch.setenv(plugins.VARIABLE, "counted:f")
    assert "n0" in registry
    assert list(registry) == ["n0"]
    with pytest.raises(UsageError, match="there is no number 'n1'; did you mean 'n0'"):
        registry.find("n1")


def test_a_named_plugin_that_does_not_load_fails_every_look_up(
    registry: Registry[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(plugins.VARIABLE, "nowhere_at_all")
    for _ in range(2):
        with pytest.raises(PluginError, match="nowhere_at_all does not load"):
            registry.find("one")


def test_an_ensemble_names_the_plugins_of_its_members(small: Dataset, tmp_path: Path) -> None:
    @inkdigits.register_model("flat", paper="", recipes={"standard": {"epochs": 1, "batch_size": 100}})
    def build() -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))

    try:
        for name in ("flat", "mlp"):
            inkdigits.train(name, small, epochs=1, batch_size=100, out=tmp_path / name, device="cpu")
        ensemble([tmp_path / "flat", tmp_path / "mlp"], small, tmp_path / "both", device="cpu")
        assert inkdigits.load_run(tmp_path / "both").environment["plugins"] == {"model flat": __name__}
    finally:
        MODELS.remove("flat")
    assert "plugins" not in inkdigits.load_run(tmp_path / "mlp").environment
    with pytest.raises(PluginError, match=f"both needs the model 'flat' of the plug-in {__name__}; install it"):
        inkdigits.load_run(tmp_path / "both")


def test_a_name_is_taken_once(registry: Registry[int]) -> None:
    add(registry, "one")
    with pytest.raises(UsageError, match=rf"two numbers are called 'one': {__name__}.add and {__name__}.add"):
        add(registry, "one")
