"""inkdigits models, train, ensemble, evaluate: one network at a time."""

import inspect
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inkdigits.cli.common import DataOption, Device, Json, Validation, app, echo, emit, load, table
from inkdigits.errors import PluginError, UsageError
from inkdigits.files import from_json
from inkdigits.progress import TrainingBar, closing, say
from inkdigits.training.recipe import Recipe

if TYPE_CHECKING:
    from inkdigits.data import Dataset
    from inkdigits.training import Run

PARTS = ("test", "train", "all")


@app.command("models")
def models(as_json: Json = False) -> None:
    """List the networks with what they read, their size and their paper."""
    from inkdigits.evaluation.metrics import count_macs, count_parameters, count_strip_macs
    from inkdigits.models import create_model, list_models, model_spec
    from inkdigits.models.registry import DIGIT, LINE

    rows = []
    for name in [*list_models(DIGIT), *list_models(LINE)]:
        try:
            model, spec = create_model(name), model_spec(name)
        except PluginError as error:
            say(f"warning: {error}")
            continue
        macs = count_macs(model) if spec.task == DIGIT else count_strip_macs(model)
        rows.append([name, spec.task, count_parameters(model), macs, ", ".join(spec.recipes), spec.paper])
    columns = ["name", "task", "parameters", "macs", "presets", "paper"]
    if as_json:
        emit([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        table(columns, rows)


def parse_options(pairs: list[str]) -> dict[str, Any]:
    """Return the options that ``key=value`` pairs name; a value that is JSON is decoded."""
    options: dict[str, Any] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise UsageError(f"--option takes key=value, not {pair!r}")
        try:
            options[key] = from_json(value, object)
        except ValueError:
            options[key] = value
    return options


def default_folder(model: str, data: str, seed: int, resume: bool) -> Path:
    """Return runs/MODEL-DATA-sSEED; if that is taken and not to be resumed, a number is appended."""
    first = Path("runs") / f"{model}-{data}-s{seed}"
    folder, number = first, 2
    while folder.exists() and not resume:
        folder, number = first.with_name(f"{first.name}-{number}"), number + 1
    return folder


def with_recipe_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command one option for each field of Recipe; it receives them as ``**overrides``, None where not given."""
    signature = inspect.signature(command)
    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            parameters += [recipe_option(field.name, field.type, field.metadata["help"]) for field in fields(Recipe)]
        else:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return command


def recipe_option(name: str, kind: Any, text: str) -> inspect.Parameter:
    """Return the command's parameter for a field of Recipe; typer makes the option of it."""
    annotation = Annotated[kind | None, typer.Option(help=text)]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


@app.command("train")
@with_recipe_options
def train_command(
    model: Annotated[str, typer.Argument(help="A network; `inkdigits models` lists them.")],
    data: DataOption = "mnist",
    preset: Annotated[
        str, typer.Option(help="One of the model's recipes; `inkdigits models` lists them.")
    ] = "standard",
    teacher: Annotated[
        Path | None, typer.Option(help="A run whose soft targets are learned besides the labels; see --distill.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", "-O", help="key=value for the network itself, such as activation=sigmoid."),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same weights.", min=0)] = 0,
    validation: Validation = None,
    device: Device = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run in --out.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder of the run; runs/MODEL-DATA-sSEED by default.")] = None,
    as_json: Json = False,
    **overrides: Any,
) -> None:
    """Train one network and save it as a run folder."""
    from inkdigits.models.registry import LINE, model_spec
    from inkdigits.training import recipe_for, train
    from inkdigits.training.checkpoint import is_finished
    from inkdigits.training.loop import default_validation

    recipe, _ = recipe_for(model, preset, overrides)
    options = parse_options(option or [])
    dataset = load(data)
    folder = out or default_folder(model, dataset.name, seed, resume)
    held_out = default_validation(len(dataset.train)) if validation is None else validation
    if resume and is_finished(folder):
        say(f"{folder} is finished already")
    images = recipe.lines if model_spec(model).task == LINE else len(dataset.train) - held_out
    with closing(TrainingBar(model, recipe.epochs, images)) as bar:
        try:
            run = train(
                model,
                dataset,
                preset=preset,
                options=options,
                teacher=teacher,
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
            say(f"stopped; the same command with --resume --out {folder} continues after the last complete epoch")
            raise
    for note in run.environment["notes"][len(dataset.notes) :]:
        say(note)
    print_run(run, dataset, f", trained in {run.metrics['train_s']:.1f} s", as_json)


def print_run(run: "Run", dataset: "Dataset", how: str, as_json: bool) -> None:
    """Print a run's test figures, what it learned from, ``how`` it was made, and its folder."""
    from inkdigits.evaluation.statistics import wilson
    from inkdigits.models.registry import LINE, model_spec
    from inkdigits.training.line_task import MEASURED

    n = MEASURED if model_spec(run.name).task == LINE else len(dataset.test)
    accuracy, data = run.metrics["test_acc"], run.settings["data"]
    low, high = wilson(round(accuracy * n), n)
    if as_json:
        emit({"out": str(run.folder), **run.settings, "metrics": run.metrics, "interval": [low, high]})
    else:
        echo(
            f"test {accuracy_text(accuracy, low, high)}, cross-entropy {run.metrics['test_ce']:.4f}, "
            f"learned from {data['train']:,} digits of {data['name']}{how}: {run.folder}"
        )


def accuracy_text(accuracy: float, low: float, high: float) -> str:
    """Return an accuracy and its interval, all in [0, 1], in percent."""
    return f"accuracy {100 * accuracy:.2f} % (Wilson 95 %: {100 * low:.2f} to {100 * high:.2f})"


@app.command("ensemble")
def ensemble_command(
    runs: Annotated[list[Path], typer.Argument(help="The folders of 2 to 5 runs that learned from the same data.")],
    out: Annotated[Path, typer.Option(help="Folder of the ensemble's run.")],
    data: Annotated[
        str | None, typer.Option(help="The data that the runs learned from; the first run's own by default.")
    ] = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Combine trained networks into one run, by the mean of their logits."""
    from inkdigits.training import load_run
    from inkdigits.training.ensembling import ensemble

    dataset = load(data or load_run(runs[0]).environment.get("data_source") or "mnist")
    print_run(ensemble(runs, dataset, out, device), dataset, f", ensemble of {len(runs)} networks", as_json)


@app.command("evaluate")
def evaluate_command(
    run: Annotated[Path, typer.Argument(help="The folder of a run.")],
    data: Annotated[str | None, typer.Option(help="A data set's name or path; the run's own by default.")] = None,
    part: Annotated[str, typer.Option(help="Which digits: test, train or all.")] = "test",
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Measure a trained network on a data set, its own or another."""
    from inkdigits.data import DigitSet
    from inkdigits.evaluation import evaluate
    from inkdigits.evaluation.metrics import reconstruction_mse
    from inkdigits.models.registry import require_digits
    from inkdigits.training import load_run
    from inkdigits.training.device import select_device

    if part not in PARTS:
        raise UsageError(f"--part is test, train or all, not {part!r}")
    trained = load_run(run, select_device(device))
    require_digits(trained.name, "`evaluate` measures")  # before data is fetched
    dataset = load(data or trained.environment.get("data_source") or "mnist")
    digits = {"test": dataset.test, "train": dataset.train}.get(part) or DigitSet.joined(dataset.train, dataset.test)
    result = evaluate(trained, digits)
    scores, reconstruction = result.scores, reconstruction_mse(trained.model, digits)
    if as_json:
        figures = {
            "model": trained.name,
            "data": dataset.name,
            "part": part,
            "n": len(digits),
            **asdict(scores),
            "interval": [*result.interval],
            "confusion": result.confusion().tolist(),
        }
        emit(figures if reconstruction is None else figures | {"reconstruction_mse": reconstruction})
        return
    echo(
        f"{trained.name} on {dataset.name} ({part}, {len(digits):,} digits): "
        f"{accuracy_text(scores.accuracy, *result.interval)}, "
        f"cross-entropy {scores.cross_entropy:.4f}, MSE {scores.mse:.5f}"
        + ("" if reconstruction is None else f", reconstruction MSE {reconstruction:.4f}")
    )
