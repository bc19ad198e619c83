import csv
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image

from inkdigits import cli
from inkdigits.cli import checking
from inkdigits.data import Dataset
from inkdigits.exporting import line_file
from inkdigits.exporting.line_file import ExportedLines
from inkdigits.reader import Reader
from inkdigits.training import Recipe

Cli = Callable[..., tuple[int, str, str]]
ROOT = Path(__file__).parents[1]
README, DOCS = ROOT / "README.md", ROOT / "docs"
COMMAND_LINE = (DOCS / "command-line.md").read_text()


def leaves(command: object, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], object]]:
    """Every command of the command line with its path."""
    children = getattr(command, "commands", None)
    if not children:
        return [(path, command)]
    return [leaf for name, child in children.items() for leaf in leaves(child, (*path, name))]


COMMANDS = leaves(typer.main.get_command(cli.app))


def used_commands(text: str) -> list[str]:
    """The arguments of every ``inkdigits`` command in the code of a Markdown text."""
    blocks = re.findall(r"^```\n(.*?)^```", text, flags=re.M | re.S)
    lines = [line for block in blocks for line in re.findall(r"^inkdigits ([^#\n|]*)", block, flags=re.M)]
    return lines + re.findall(r"`inkdigits\s([^`]*)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))


DOCUMENTS = [path for path in (README, *DOCS.glob("*.md")) if used_commands(path.read_text())]


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=[" ".join(path) for path, _ in COMMANDS])
def test_every_command_and_option_is_documented(path: tuple[str, ...], command: object) -> None:
    section = re.split(r"^## ", COMMAND_LINE, flags=re.M)
    mine = next((text for text in section if text.startswith(f"inkdigits {' '.join(path)}\n")), None)
    assert mine is not None, f"docs/command-line.md has no section on inkdigits {' '.join(path)}"
    options = {o for parameter in command.params for o in (*parameter.opts, *parameter.secondary_opts)}  # type: ignore[attr-defined]
    documented = set(re.findall(r"(?<![\w`-])`(--[a-z0-9-]+)", mine))
    assert {option for option in options if option.startswith("--")} <= documented
    rows = re.findall(r"^\| (.*?) \|", mine, flags=re.M)
    assert {option for row in rows for option in re.findall(r"`(--[a-z0-9-]+)", row)} <= options


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_the_commands_of_the_documents_exist(path: Path) -> None:
    known = {path for path, _ in COMMANDS}
    by_path = dict(COMMANDS)
    groups = {path[:1] for path in known if len(path) > 1}
    whole = {option for parameter in typer.main.get_command(cli.app).params for option in parameter.opts}
    used = used_commands(path.read_text())
    assert len(used) >= (12 if path.name == "README.md" else 1)
    for line in used:
        words = line.split()
        if tuple(words) in groups or words[0] in whole:
            continue
        command = tuple(words[:2]) if tuple(words[:2]) in known else tuple(words[:1])
        assert command in known, line
        options = {option for parameter in by_path[command].params for option in parameter.opts}  # type: ignore[attr-defined]
        options |= {option for parameter in by_path[command].params for option in parameter.secondary_opts}  # type: ignore[attr-defined]
        for word in words:
            if word.startswith("--"):
                assert word.split("=")[0] in options | {"--help", "--debug", "--plugin"}, line  # of every command


def test_the_make_targets_of_the_documents_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    texts = [path.read_text() for path in (README, ROOT / "CONTRIBUTING.md", *DOCS.glob("*.md"))]
    targets = {target for text in texts for target in re.findall(r"(?:`|^ *)make ([a-z]+)", text, flags=re.M)}
    assert {"compare", "test", "check", "bench", "reproduce"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, flags=re.M), target


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["train", "cn"], 2, "did you mean 'cnn'"),
        (["train", "mlp", "--loss", "mae"], 2, "did you mean 'mse'"),
        (["train", "mlp", "--data", "mnits"], 2, "did you mean 'mnist'"),
        (["train", "mlp", "--epochs", "0"], 2, "epochs must be at least 1"),
        (["train", "mlp", "--lr", "-1"], 2, "lr must be above 0"),
        (["train", "mlp", "--epochs", "many"], 2, "'--epochs'"),
        (["train", "mlp", "--seed", "-1"], 2, "'--seed'"),
        (["train", "mlp", "--optimiser", "sgd"], 2, "--optimi"),
        (["train", "mlp", "--preset", "bets"], 2, "did you mean 'best'"),
        (["train", "mlp", "-O", "hidden"], 2, "key=value"),
        (["train", "mlp", "--lines", "100"], 2, "mlp reads digits; --lines is for networks that read lines"),
        (["train", "line-ctc", "--augment", "robust"], 2, "line-ctc reads lines; --augment is for networks that read"),
        (["train"], 2, "Missing argument"),
        (["compare", "--models", "mlp,mpl"], 2, "did you mean 'mlp'"),
        (["compare", "--models", ""], 2, "at least one"),
        (
            ["compare", "--models", "mlp,line-ctc"],
            2,
            "line-ctc reads lines; `compare` trains networks that read digits",
        ),
        (["evaluate", "nowhere"], 1, "does not exist"),
        (["figures", "nowhere"], 1, "does not exist"),
        (["explain", "nowhere", "--index", "7"], 1, "does not exist"),
        (["robust", "nowhere"], 1, "does not exist"),
        (["robust", "nowhere", "--suite", "sweep"], 2, "did you mean 'sweeps'"),
        (["export", "nowhere", "--format", "web", "--out", "page"], 2, "export the run first"),
        (["robust", "nowhere", "--epsilon", "0.1"], 2, "add --suite adversarial"),
        (["robust", "nowhere", "--suite", "sweeps", "--cross-dataset", "uci-digits"], 2, "--suite cross-dataset"),
        (["explain", "nowhere"], 2, "--index 7 of the test digits, or --image FILE"),
        (["explain", "nowhere", "--index", "7", "--digit", "10"], 2, "'--digit'"),
        (["data", "info", "no.csv"], 2, "no file or folder no.csv"),
        (["data", "fetch", "minst"], 2, "did you mean 'mnist'"),
        (["tran"], 2, "tran"),
    ],
)
def test_a_mistake_is_one_line_with_help(
    arguments: list[str], code: int, says: str, run_cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given, out, err = run_cli(*arguments)
    assert given == code
    assert out == ""
    last = err.strip().splitlines()[-1]
    assert last.startswith("inkdigits: ")
    assert says in last
    assert "Traceback" not in err
    assert not (tmp_path / "runs").exists()


def test_debug_shows_the_traceback(run_cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["inkdigits", "evaluate", "nowhere", "--debug"])
    with pytest.raises(Exception, match="does not exist"):
        cli.main()


def test_train_then_evaluate_on_own_digits(run_cli: Cli, small_npz: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    settings = ["--data", small_npz, "--epochs", 3, "--batch-size", 32, "-O", "activation=sigmoid", "-O", "hidden=64"]
    code, text, err = run_cli("train", "mlp", *settings, "--out", out, "--device", "cpu")
    assert code == 0
    assert re.fullmatch(r"test accuracy \d+\.\d\d % \(Wilson .*, learned from 540 digits of small\.npz, .*\n", text)
    assert err.count("epoch ") == 3
    code, text, _ = run_cli("evaluate", out, "--data", small_npz, "--json")
    result = json.loads(text)
    assert code == 0
    assert result["n"] == 200
    card = json.loads((out / "model.json").read_text())
    assert card["options"] == {"activation": "sigmoid", "hidden": 64, "dropout": 0.3}
    assert result["accuracy"] == pytest.approx(card["metrics"]["test_acc"])
    code, text, _ = run_cli("evaluate", out, "--data", "uci-digits", "--part", "all", "--json")
    assert json.loads(text)["n"] == 1797
    code, _, err = run_cli("evaluate", out, "--part", "half")
    assert (code, "test, train or all" in err) == (2, True)


def test_every_setting_of_a_recipe_is_an_option_with_help() -> None:
    train = dict(COMMANDS)[("train",)]
    options = {option: parameter for parameter in train.params for option in parameter.opts}  # type: ignore[attr-defined]
    for field in fields(Recipe):
        option = options[f"--{field.name.replace('_', '-')}"]
        assert option.help == field.metadata["help"] != ""
        assert option.default is None  # the preset decides


def test_the_options_of_a_recipe_reach_the_run(run_cli: Cli, small_npz: Path, tmp_path: Path) -> None:
    given = {"epochs": 1, "batch_size": 50, "writing_styles": 0.2, "epsilon": 0.1, "attack_steps": 2, "loss": "mse"}
    options = [word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", value)]
    assert run_cli("train", "lenet5", "--data", small_npz, "--out", tmp_path / "run", *options)[0] == 0
    recipe = json.loads((tmp_path / "run" / "model.json").read_text())["recipe"]
    assert {name: recipe[name] for name in given} == given


def test_the_same_folder_is_not_taken_twice(
    run_cli: Cli, small_npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert (
            run_cli("train", "mlp", "--data", small_npz, "--epochs", 1, "--batch-size", 64, "--device", "cpu")[0] == 0
        )
    assert sorted(p.name for p in (tmp_path / "runs").iterdir()) == ["mlp-small.npz-s0", "mlp-small.npz-s0-2"]


def test_compare_and_figures(run_cli: Cli, small_npz: Path, tmp_path: Path) -> None:
    out = tmp_path / "cmp"
    command = ["compare", "--models", "mlp,lenet5", "--data", small_npz, "--epochs", 1, "--device", "cpu", "--out", out]
    code, table, err = run_cli(*command)
    assert code == 0
    assert err.strip().splitlines()[-1] == f"learned from 540 digits of small.npz; report: {out / 'report.html'}"
    lines = [line.split("\t") for line in table.splitlines()]
    assert [line[0] for line in lines] == ["network", "mlp", "lenet5"]
    with (out / "results.csv").open() as file:
        assert [row["model"] for row in csv.DictReader(file)] == ["mlp", "lenet5"]
    code, paths, _ = run_cli("figures", out, "--only", "pairs", "--out", tmp_path / "alone")
    assert (code, paths.split()) == (0, ["pairs"])
    assert [p.name for p in (tmp_path / "alone").iterdir()] == ["pairs.png"]


def test_explain_a_test_digit_and_a_picture(run_cli: Cli, small_npz: Path, small: Dataset, tmp_path: Path) -> None:
    run = tmp_path / "run"
    settings = ["--data", small_npz, "--epochs", 1, "--batch-size", 64, "--device", "cpu", "--out", run]
    assert run_cli("train", "gnn", *settings, "-O", "widths=[4,8]")[0] == 0
    code, out, _ = run_cli("explain", run, "--index", 7)
    assert code == 0
    first = r"read as \d with probability 0\.\d{4}\n\d components?, .*\n.* pairs of touching pixels\nlabelled \d\n"
    assert re.match(first, out), out
    paths = [Path(line) for line in out.splitlines()[4:]]
    assert {path.parent for path in paths} == {run / "explain" / "index-7"}
    assert all(path.exists() for path in paths)
    picture = tmp_path / "mine.png"
    Image.fromarray(255 - np.kron(small.test.images[7], np.ones((4, 4), np.uint8))).convert("RGB").save(picture)
    code, out, _ = run_cli("explain", run, "--image", picture, "--digit", 9, "--method", "occlusion", "--json")
    shown = json.loads(out)
    assert (code, shown["target"], shown["label"]) == (0, 9, None)
    assert list(shown["edges"]) == ["occlusion"]
    assert Path(shown["out"]) == run / "explain" / "mine-why-9"
    for wrong, exit_code, says in (
        (["--index", 200], 2, "--index is at most 199"),
        (["--index", 0, "--method", "attention"], 2, "train gnn-attention"),
        (["--image", small_npz], 1, "is no image that can be read here"),
        (["--index", 0, "--image", picture], 2, "name one digit"),
    ):
        code, _, err = run_cli("explain", run, *wrong)
        assert (code, says in err) == (exit_code, True), err


def test_robust_of_one_run(run_cli: Cli, small_npz: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    settings = ["--data", small_npz, "--epochs", 1, "--batch-size", 64, "--device", "cpu", "--out", run]
    assert run_cli("train", "mlp", *settings, "--augment", "robust")[0] == 0
    code, out, _ = run_cli("robust", run, "--suite", "corruptions", "--suite", "cross-dataset", "--digits", 10)
    assert code == 0
    assert out.splitlines()[0].split("\t") == [
        *("run", "training", "clean %", "mean of 15 %", "mCE %", "relative mCE %", "uci-digits")
    ]
    row = out.splitlines()[1].split("\t")
    assert row[:2] == ["run", "robust"]
    assert 0 <= float(row[-1]) <= 100  # uci-digits
    assert (run / "robust" / "figures" / "heat_map.png").exists()
    code, _, err = run_cli("robust", run, "--mnist-c", tmp_path / "none")
    assert (code, "shot_noise/test_images.npy" in err) == (1, True)


def test_only_graph_networks_are_explained(run_cli: Cli, small_npz: Path, tmp_path: Path) -> None:
    settings = ["--data", small_npz, "--epochs", 1, "--batch-size", 64, "--device", "cpu", "--out", tmp_path / "run"]
    assert run_cli("train", "mlp", *settings)[0] == 0
    code, _, err = run_cli("explain", tmp_path / "run", "--index", 7)
    assert (code, "explain a run of gnn or gnn-attention" in err) == (2, True)


def test_data_commands(run_cli: Cli, small: Dataset, small_npz: Path, tmp_path: Path) -> None:
    code, text, _ = run_cli("data", "list", "--json")
    assert [entry["name"] for entry in json.loads(text)] == ["mnist", "mnist-5k", "uci-digits"]
    code, text, _ = run_cli("data", "info", small_npz, "--json")
    info = json.loads(text)
    assert info["train_counts"] == small.train.counts.tolist()
    code, text, err = run_cli("data", "fetch", "uci-digits")
    assert (code, text) == (0, "")
    assert "nothing to fetch" in err


def test_fetch_checks_the_files_that_are_there(run_cli: Cli, mnist_folder: Path) -> None:
    code, text, _ = run_cli("data", "fetch", "mnist")
    assert code == 0
    assert len(text.split()) == 4


def test_models_and_doctor(run_cli: Cli) -> None:
    code, text, _ = run_cli("models", "--json")
    networks = {entry["name"]: entry for entry in json.loads(text)}
    assert networks["lenet5"]["parameters"] == 61_706
    assert networks["lenet5"]["task"] == "digit"
    assert networks["line-ctc"]["task"] == "line"
    assert networks["line-ctc"]["macs"] > 1e8
    code, text, _ = run_cli("doctor")
    assert code == 0
    assert re.search(r"^torch\t\d", text, flags=re.M)
    assert re.search(r"^httpx\t\d", text, flags=re.M)
    assert "\t20746 is read\n" in text
    assert Reader().name in text
    names = [line.split("\t")[0] for line in text.splitlines()]
    assert len(set(names)) == len(names)


def test_doctor_fails_where_the_models_do_not_read(run_cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "_picture", lambda: np.full((110, 330), 255, np.uint8))
    code, text, err = run_cli("doctor")
    assert (code, err) == (1, "inkdigits: the built-in picture is read wrongly; install inkdigits again\n")
    assert "nothing is read" in text


def test_the_version_is_shown(run_cli: Cli) -> None:
    assert run_cli("--version") == (0, f"inkdigits {version('inkdigits')}\n", "")


def test_a_shell_completes_the_commands() -> None:
    asked = {"_INKDIGITS_COMPLETE": "complete_bash", "COMP_WORDS": "inkdigits pre", "COMP_CWORD": "1"}
    command = [sys.executable, "-c", "from inkdigits.cli import main; main()"]
    done = subprocess.run(command, env=os.environ | asked, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["predict"]


def test_without_network_and_files_the_first_line_says_what_it_runs_on(
    run_cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INKDIGITS_DATA", str(tmp_path))
    monkeypatch.setenv("INKDIGITS_OFFLINE", "1")
    code, _, err = run_cli("train", "mlp", "--epochs", 1, "--device", "cpu", "--out", tmp_path / "run")
    assert code == 0
    assert err.splitlines()[0].startswith("mnist-5k: 4,000 training digits")
    assert "not the 70,000 of MNIST" in err


def test_a_terminal_shows_a_bar_with_speed_and_time_left(small_npz: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "inkdigits.cli", "train", "cnn", "--data", small_npz, "--epochs", "8"]
    ours, theirs = pty.openpty()
    env = os.environ | {"TERM": "xterm-256color", "COLUMNS": "150", "INKDIGITS_OFFLINE": "1"}
    with subprocess.Popen(
        [*map(str, command), "--out", str(tmp_path / "run")], stderr=theirs, stdout=subprocess.PIPE, env=env
    ) as process:
        os.close(theirs)
        seen = b""
        while chunk := _read(ours):
            seen += chunk
    os.close(ours)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode())
    assert process.returncode == 0
    assert re.search(r"epoch \d/8 .*loss \d\.\d+  acc +\d+\.\d+%  [\d,]+ images/s", text)


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the other side is closed
        return b""


@pytest.fixture
def heeded_ctrl_c() -> Iterator[None]:
    """Let child processes heed SIGINT, which shells make their background jobs ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeded_ctrl_c")
def test_ctrl_c_says_how_to_continue(small_npz: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = [sys.executable, "-m", "inkdigits.cli", "train", "cnn", "--data", small_npz, "--epochs", "500"]
    with subprocess.Popen([*map(str, command), "--out", str(out)], stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 120
        while not (out / "history.csv").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.strip().splitlines()[-1] == (
        f"stopped; the same command with --resume --out {out} continues after the last complete epoch"
    )
    assert "Traceback" not in err


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the workers through Linux's /proc")
def test_workers_end_with_a_killed_comparison(small_npz: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "inkdigits.cli", "compare", "--models", "cnn,lenet5", "--epochs", "5000"]
    settings = ["--data", str(small_npz), "--jobs", "2", "--device", "cpu", "--out", str(tmp_path)]
    with subprocess.Popen([*command, *settings], stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob("runs/*/history.csv")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.kill()
    assert len(children) >= 2

    def running(pid: str) -> bool:
        status = Path(f"/proc/{pid}/stat")
        try:
            return status.read_text().rpartition(")")[2].split()[0] != "Z"
        except (FileNotFoundError, ProcessLookupError):
            return False

    while any(running(pid) for pid in children):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def pictures(tmp_path: Path, mnist_5k: Dataset) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index in (0, 300, 600):
        image, label = mnist_5k.test.images[index], mnist_5k.test.labels[index]
        Image.fromarray(255 - np.kron(image, np.ones((3, 3), np.uint8))).save(folder / f"{label}.png")
    Image.new("L", (50, 50), 240).save(folder / "paper.jpg")
    return folder


def test_predict_reads_pictures_and_refuses_paper(run_cli: Cli, pictures: Path) -> None:
    code, out, _ = run_cli("predict", pictures, "--format", "json")
    assert code == 0
    rows = {Path(row["source"]).stem: row for row in json.loads(out)}
    assert rows.pop("paper")["reject"] == "blank"
    assert {name: row["digit"] for name, row in rows.items()} == {name: int(name) for name in rows}
    assert all(row["confidence"] > 0.9 and row["reject"] is None for row in rows.values())
    code, out, _ = run_cli("predict", pictures / "paper.jpg", "--strict")
    assert code == 3
    assert out.split() == [str(pictures / "paper.jpg"), "?", "blank"]
    code, out, _ = run_cli("predict", pictures, "--format", "csv")
    table = list(csv.DictReader(out.splitlines()))
    assert [row["digit"] for row in table] == [*(row for row in sorted(rows)), ""]


def test_predict_reads_on_past_what_is_no_picture(run_cli: Cli, pictures: Path) -> None:
    (pictures / "notes.txt").write_text("not a picture")
    (pictures / "broken.png").write_text("not a picture either")
    Image.new("1", (20_000, 20_000)).save(pictures / "vast.png")
    Image.new("L", (1, 1), 0).save(pictures / "one.png")
    code, out, err = run_cli("predict", pictures, pictures / "none.png")
    assert code == 1
    assert len(out.splitlines()) == 5  # three digits, the paper and the single pixel
    lines = err.splitlines()
    assert len(lines) == 4
    assert "1 file skipped" in lines[0]
    assert "broken.png is no image" in lines[1]
    assert "vast.png has" in lines[2]
    assert "none.png does not exist" in lines[3]


def test_predict_says_what_is_wrong_with_a_model(run_cli: Cli, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_text("no model")
    code, _, err = run_cli("predict", pictures, "--model", tmp_path / "m.onnx")
    assert code == 1
    assert len(err.splitlines()) == 1
    assert "m.onnx is no ONNX model" in err


def test_a_run_is_exported_and_reads(run_cli: Cli, small_npz: Path, pictures: Path, tmp_path: Path) -> None:
    run, model = tmp_path / "run", tmp_path / "digits.onnx"
    assert run_cli("train", "cnn", "--data", small_npz, "--epochs", 2, "--batch-size", 50, "--out", run)[0] == 0
    code, out, err = run_cli("export", run, "--out", model)
    assert code == 0
    assert "digits.onnx: 0." in out
    assert re.search(r"digits.int8.onnx: .* points (less|more)", out)
    assert f"inkdigits predict --model {model}" in err
    code, out, _ = run_cli("predict", pictures / "0.png", "--model", model)
    assert code == 0
    assert out.startswith(str(pictures / "0.png"))
    code, out, _ = run_cli("export", run, "--format", "huggingface", "--out", tmp_path / "hub", "--json")
    assert code == 0
    assert [Path(path).name for path in json.loads(out)["paths"]] == ["model.safetensors", "config.json", "README.md"]
    code, _, err = run_cli("export", run, "--out", tmp_path / "folder")
    assert code == 2
    assert "--out names the file" in err


def test_a_line_network_is_trained_and_exported(
    run_cli: Cli, small_npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inkdigits.training.line_task.fonts_or_reason", lambda *_: ((), "no fonts here"))
    monkeypatch.setattr("inkdigits.training.line_task.MEASURED", 32)
    run, model = tmp_path / "run", tmp_path / "lines.onnx"
    small = ("-O", "channels=[4,4,8]", "-O", "features=16")
    command = ("train", "line-ctc", "--preset", "fast", "--data", small_npz, "--epochs", 1, "--lines", 64, "--out", run)
    code, out, err = run_cli(*command, *small)
    assert code == 0
    assert "no fonts here" in err
    assert "accuracy 0.00 % (Wilson 95 %: 0.00 to 10.72)" in out  # of 32 lines, not of 200 digits
    code, out, err = run_cli("export", run, "--out", model)
    assert code == 0
    assert re.search(r"lines.onnx: 0.\d\d MB, probabilities within .* of PyTorch's\n$", out)
    assert f"inkdigits read --lines {model} PAGE" in err
    done = ExportedLines(model, {"model": "line-ctc"}, 1e-6)
    monkeypatch.setattr(line_file, "export_lines", lambda run, out: done)  # to export takes seconds
    code, out, _ = run_cli("export", run, "--out", model, "--json")
    assert code == 0
    assert json.loads(out) == done.to_dict()


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("evaluate", "RUN"), "line-ctc reads lines; `evaluate` measures networks that read digits"),
        (("robust", "RUN"), "line-ctc reads lines; `robust` measures networks that read digits"),
        (("explain", "RUN", "--index", "7"), "line-ctc has no graph; explain a run of gnn or gnn-attention"),
        (("ensemble", "RUN", "RUN", "--out", "both"), "line-ctc reads lines; `ensemble` combines networks that read"),
        (
            ("export", "RUN", "--format", "huggingface", "--out", "hub"),
            "line-ctc reads lines; `export --format huggingface` writes networks that read digits",
        ),
        (
            ("train", "mlp", "--data", "NPZ", "--teacher", "RUN", "--distill", "0.5"),
            "line-ctc reads lines; --teacher takes",
        ),
    ],
)
def test_a_command_for_digit_networks_refuses_a_line_network(
    command: tuple[str, ...],
    says: str,
    run_cli: Cli,
    line_run: Path,
    small_npz: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run_cli(*({"RUN": line_run, "NPZ": small_npz}.get(word, word) for word in command))
    assert code == 2
    assert out == ""
    assert err.splitlines()[-1].startswith(f"inkdigits: {says}")
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())


def test_runs_become_an_ensemble_and_a_teacher(run_cli: Cli, small_npz: Path, tmp_path: Path) -> None:
    common = ("--data", small_npz, "--epochs", 1, "--batch-size", 50)
    for seed in (0, 1):
        assert run_cli("train", "mlp", *common, "--seed", seed, "--out", tmp_path / str(seed))[0] == 0
    code, out, _ = run_cli("ensemble", tmp_path / "0", tmp_path / "1", "--out", tmp_path / "both")
    assert code == 0
    assert "ensemble of 2 networks" in out
    teacher = ("--teacher", tmp_path / "both", "--distill", 0.5, "--outliers", 0.1, "--augment", "robust")
    code, out, _ = run_cli("train", "cnn", *common, *teacher, "--out", tmp_path / "student", "--json")
    assert code == 0
    assert json.loads(out)["teacher"]["model"] == "ensemble"
    code, _, err = run_cli("train", "cnn", *common, "--distill", 0.5, "--out", tmp_path / "other")
    assert code == 2
    assert "--teacher RUN" in err
