"""inkdigits compare, figures: networks side by side."""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from inkdigits.cli.common import DataOption, Device, Json, Validation, app, emit, load, table
from inkdigits.progress import TrainingBar, closing, say


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
    from inkdigits.experiments.comparison import Entry, compare
    from inkdigits.report.html import write_report

    names = None if models is None else [name for name in models.split(",") if name.strip()]
    for name in names or []:
        Entry.parse(name)  # a wrong name is said before data is fetched
    dataset = load(data)
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
        emit(json.loads((folder / "summary.json").read_text()))
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
        table(columns, rows)
    say(f"report: {report}")


@app.command("figures")
def figures_command(
    folder: Annotated[Path, typer.Argument(help="The folder of a comparison.")],
    only: Annotated[str | None, typer.Option(help="The name of one figure; all by default.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the pictures; the comparison's own by default.")] = None,
) -> None:
    """Draw the figures of a comparison again, all or one."""
    from inkdigits.experiments import gather
    from inkdigits.report.html import write_figures

    for path in write_figures(gather(folder), only, out):
        typer.echo(path)
