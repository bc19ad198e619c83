"""inkdigits compare, figures: several networks side by side."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inkdigits.cli.common import DataOption, Device, Json, Validation, app, echo, emit, load, table
from inkdigits.files import locked, read_json
from inkdigits.progress import TrainingBar, closing, say

if TYPE_CHECKING:
    from inkdigits.data import Dataset
    from inkdigits.experiments import Comparison

Models = Annotated[
    str | None, typer.Option(help="Names, separated by commas; mlp:best for a preset. All networks by default.")
]
Seeds = Annotated[int, typer.Option(help="Number of seeds that each network is trained with.")]
Epochs = Annotated[int | None, typer.Option(help="Epochs instead of those of each recipe.")]
Quick = Annotated[bool, typer.Option("--quick", help="Cut training short: all networks take minutes.")]
FaithfulnessOption = Annotated[
    int, typer.Option(help="Test digits on which explanations of graph networks are measured; 0 for none.", min=0)
]
Jobs = Annotated[int, typer.Option(help="Runs side by side; they share the cores.")]
ComparisonFolder = Annotated[
    Path | None, typer.Option("--out", help="Folder of the comparison; runs/compare-DATA, with -quick, by default.")
]


@app.command("compare")
def compare_command(
    models: Models = None,
    data: DataOption = "mnist",
    seeds: Seeds = 1,
    epochs: Epochs = None,
    quick: Quick = False,
    faithfulness: FaithfulnessOption = 0,
    jobs: Jobs = 1,
    validation: Validation = None,
    device: Device = "auto",
    out: ComparisonFolder = None,
    as_json: Json = False,
) -> None:
    """Train several networks and write a report that compares them."""
    from inkdigits.experiments.grid import parse_entries
    from inkdigits.report.html import write_report

    names = None if models is None else [name for name in models.split(",") if name.strip()]
    parse_entries(names)  # reports a wrong name before data is fetched
    dataset = load(data)
    folder = out or Path("runs") / f"compare-{dataset.name}{'-quick' if quick else ''}"
    settings = {
        "seeds": seeds,
        "epochs": epochs,
        "quick": quick,
        "faithfulness": faithfulness,
        "jobs": jobs,
        "validation": validation,
        "device": device,
        "out": folder,
    }
    with locked(folder):  # from the first run to the report
        comparison = _compare_with_bars(names, dataset, settings)
        report = write_report(comparison)
    if as_json:
        emit(read_json(folder / "summary.json", dict[str, Any]))
    else:
        _print_results(comparison)
    say(f"learned from {comparison.rows[0].n_train:,} digits of {dataset.name}; report: {report}")


def _compare_with_bars(names: list[str] | None, dataset: "Dataset", settings: dict[str, Any]) -> "Comparison":
    """Run the comparison with a progress bar per run, and tell how to continue after Ctrl-C."""
    from inkdigits.experiments import compare

    with ExitStack() as bars:

        def progress_for(title: str, epochs: int, images: int) -> TrainingBar:
            return bars.enter_context(closing(TrainingBar(title, epochs, images, every_epoch=False)))

        try:
            return compare(names, dataset, **settings, progress_for=progress_for, notify=say)
        except KeyboardInterrupt:
            say("stopped; the same command continues: finished runs and epochs are kept")
            raise


def _print_results(comparison: "Comparison") -> None:
    columns = ["network", "test %", "sd", "Wilson 95 %", "cross-entropy", "MSE", "train %", "parameters", "train s"]
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
    table(columns, rows)


@app.command("figures")
def figures_command(
    folder: Annotated[Path, typer.Argument(help="The folder of a comparison.")],
    only: Annotated[str | None, typer.Option(help="The name of one figure; all by default.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the figures; that of the comparison by default.")] = None,
) -> None:
    """Draw the figures of a comparison again, all or one."""
    from inkdigits.experiments import gather
    from inkdigits.report.html import write_figures

    for path in write_figures(gather(folder), only, out):
        echo(path)
