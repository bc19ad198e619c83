"""inkdigits explain, robust: what a network sees, and what it withstands."""

from pathlib import Path
from typing import Annotated

import typer

from inkdigits.cli.common import Json, app, emit, load, table
from inkdigits.errors import UsageError
from inkdigits.progress import say


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
    if image is not None and data is not None:
        raise UsageError("--data says whose test digit --index is; --image needs none")
    trained = load_run(run)
    graph_network(trained)  # another network is said before data is fetched
    if image is not None:
        pixels, name, label = read_image(image), image.stem, None
    else:
        digits = load(data or trained.environment.get("data_source") or "mnist").test
        assert index is not None
        if index >= len(digits):
            raise UsageError(f"--index is at most {len(digits) - 1}, not {index}")
        pixels, name, label = digits.images[index], f"index-{index}", int(digits.labels[index])
    found = connectivity(trained, pixels, digit, against, method or DEFAULT_METHODS)
    asked = "" if data is None else f"-of-{Path(data).name}"
    asked += ("" if digit is None else f"-why-{digit}") + ("" if against is None else f"-not-{against}")
    folder = out or run / "explain" / f"{name}{asked}"
    paths = write_explanation(found, folder)
    if as_json:
        emit({"label": label, "out": str(folder), **found.to_dict()})
        return
    typer.echo("\n".join(found.says + ([] if label is None else [f"labelled {label}"])))
    for path in paths:
        typer.echo(path)


@app.command("robust")
def robust_command(
    runs: Annotated[
        list[Path],
        typer.Argument(
            help="The folders of runs, or of one comparison, whose report it joins; .onnx files of inkdigits export; "
            "bundled, the model that comes with the package."
        ),
    ],
    data: Annotated[str | None, typer.Option(help="Whose test digits; the first run's own data by default.")] = None,
    suite: Annotated[
        list[str] | None,
        typer.Option(
            help="corruptions, sweeps, cross-dataset, calibration, refusal or adversarial; may be repeated. "
            "Default: all but adversarial."
        ),
    ] = None,
    digits: Annotated[int | None, typer.Option(help="How many test digits, the first; all by default.", min=1)] = None,
    cross_dataset: Annotated[
        list[str] | None, typer.Option(help="Digits by other writers: a data set or path. Default: uci-digits.")
    ] = None,
    mnist_c: Annotated[Path | None, typer.Option("--mnist-c", help="The folder of MNIST-C's own .npy files.")] = None,
    restarts: Annotated[int | None, typer.Option(help="Of the attacks; 1 by default.", min=1)] = None,
    steps: Annotated[int | None, typer.Option(help="Of the attacks; 40 by default.", min=1)] = None,
    epsilon: Annotated[
        list[float] | None,
        typer.Option(help="How far attacks may move a pixel, 0 to 1, may be repeated; a range and L2 too by default."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the tables and figures; RUN/robust, or robust, by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure how far runs withstand noise, distortion, other hands and attacks, side by side."""
    from inkdigits.experiments import gather
    from inkdigits.experiments.robustness import (
        ATTACKS,
        CROSS_DATASET,
        DEFAULT_SUITES,
        measure_robustness,
        runs_of,
        summary,
    )
    from inkdigits.report.html import ROBUST, write_report
    from inkdigits.report.robustness_figures import write_robustness

    suites = suite or DEFAULT_SUITES
    if (restarts or steps or epsilon) and "adversarial" not in suites:
        raise UsageError("--restarts, --steps and --epsilon are of the attacks; add --suite adversarial")
    if cross_dataset and "cross-dataset" not in suites:
        raise UsageError("--cross_dataset names digits for --suite cross_dataset; add it")
    folders = [run for folder in runs for run in runs_of(folder)]
    comparison = runs[0] if len(runs) == 1 and folders != runs else None
    report = measure_robustness(
        folders,
        data,
        suites=suites,
        digits=digits,
        cross_dataset=cross_dataset or CROSS_DATASET,
        mnist_c=mnist_c,
        restarts=restarts or 1,
        steps=steps or 40,
        epsilons={"linf": epsilon} if epsilon else ATTACKS,
        notify=say,
    )
    paths = write_robustness(report, out or (runs[0] / ROBUST if runs[0].is_dir() else Path(ROBUST)))
    if comparison and out is None:
        paths.append(write_report(gather(comparison)))
    found = summary(report)
    if as_json:
        emit(found)
        return
    columns = ["run", "training", "clean %", "mean of 15 %", "mCE %", "relative mCE %", *report.cross_dataset_names]
    rows = []
    for label, row in found["runs"].items():
        values = [row["clean"], row.get("published_mean"), row.get("mce"), row.get("relative_mce")]
        values += [row.get("cross-dataset", {}).get(name) for name in report.cross_dataset_names]
        rows.append([label, row["augment"], *("" if value is None else f"{100 * value:.2f}" for value in values)])
    table(columns, rows)
    for path in paths:
        say(str(path))
