"""inkdigits models, train, evaluate: one network at a time."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from inkdigits.cli.common import DataOption, Device, Json, Validation, app, emit, load, table
from inkdigits.errors import UsageError
from inkdigits.progress import TrainingBar, closing, say


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
        emit([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        table(columns, rows)


def parse_options(pairs: list[str]) -> dict[str, Any]:
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


def free_folder(model: str, data: str, seed: int) -> Path:
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
        str, typer.Option(help="One of the model's recipes, which `inkdigits models` lists; standard.")
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
    augment: Annotated[str | None, typer.Option(help="none, shift, geometric, elastic, robust or degraded.")] = None,
    teacher: Annotated[
        Path | None, typer.Option(help="A run whose probabilities are learned beside the labels; see --distill.")
    ] = None,
    distill: Annotated[float | None, typer.Option(help="Weight of the teacher against the labels, 0 to 1.")] = None,
    outliers: Annotated[
        float | None, typer.Option(help="Pictures of no digit to learn to refuse, as a share of each batch.")
    ] = None,
    writing_styles: Annotated[
        float | None,
        typer.Option(help="Share of the ones and sevens with a flag or a bar; half of it of all in one pen."),
    ] = None,
    epsilon: Annotated[
        float | None, typer.Option(help="Train on images attacked by up to this in every pixel, 0 to 1.")
    ] = None,
    attack_steps: Annotated[int | None, typer.Option(help="Steps of that attack.")] = None,
    precision: Annotated[str | None, typer.Option(help="float32 or bfloat16, of products on the CPU.")] = None,
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
        "distill": distill,
        "outliers": outliers,
        "writing_styles": writing_styles,
        "epsilon": epsilon,
        "attack_steps": attack_steps,
        "precision": precision,
        "ema": ema,
    }
    recipe, _ = recipe_for(model, preset, overrides)
    options = parse_options(option or [])
    dataset = load(data)
    default = Path("runs") / f"{model}-{dataset.name}-s{seed}"
    folder = out or (default if resume else free_folder(model, dataset.name, seed))
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
            say(f"stopped; the same command with --resume --out {folder} goes on after the last whole epoch")
            raise
    for note in run.environment["notes"][len(dataset.notes) :]:
        say(note)
    n = len(dataset.test)
    low, high = wilson(round(run.metrics["test_acc"] * n), n)
    if as_json:
        emit({"out": str(folder), **run.settings, "metrics": run.metrics, "interval": [low, high]})
    else:
        typer.echo(
            f"test accuracy {100 * run.metrics['test_acc']:.2f} % (Wilson 95 %: {100 * low:.2f} to {100 * high:.2f}), "
            f"cross-entropy {run.metrics['test_ce']:.4f}, trained in {run.metrics['train_s']:.1f} s: {folder}"
        )


@app.command("ensemble")
def ensemble_command(
    runs: Annotated[list[Path], typer.Argument(help="The folders of 2 to 5 runs that learned from the same data.")],
    out: Annotated[Path, typer.Option(help="Folder of the run that they become together.")],
    data: Annotated[str | None, typer.Option(help="What they learned from; the first run's own by default.")] = None,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Let trained networks vote by the mean of their logits, as one run: to evaluate, export or learn from."""
    from inkdigits.evaluation.statistics import wilson
    from inkdigits.training import load_run
    from inkdigits.training.ensembling import ensemble

    dataset = load(data or load_run(runs[0]).environment.get("data_source") or "mnist")
    whole = ensemble(runs, dataset, out, device)
    n = len(dataset.test)
    low, high = wilson(round(whole.metrics["test_acc"] * n), n)
    if as_json:
        emit({"out": str(out), **whole.settings, "metrics": whole.metrics, "interval": [low, high]})
        return
    typer.echo(
        f"test accuracy {100 * whole.metrics['test_acc']:.2f} % (Wilson 95 %: {100 * low:.2f} to {100 * high:.2f}) "
        f"by {len(runs)} networks together, cross-entropy {whole.metrics['test_ce']:.4f}: {out}"
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
    dataset = load(data or trained.environment.get("data_source") or "mnist")
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
        emit(figures)
        return
    typer.echo(
        f"{trained.name} on {dataset.name} ({part}, {len(digits):,} digits): "
        f"accuracy {100 * result.scores.accuracy:.2f} % (Wilson 95 %: {100 * low:.2f} to {100 * high:.2f}), "
        f"cross-entropy {result.scores.cross_entropy:.4f}, MSE {result.scores.mse:.5f}"
        + (f", reconstruction MSE {copied:.4f}" if copied is not None else "")
    )
