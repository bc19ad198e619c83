"""inkdigits explain, robust: the explanation of one digit, and the robustness of runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inkdigits.cli.common import Json, app, echo, emit, load, table
from inkdigits.errors import UsageError
from inkdigits.files import locked
from inkdigits.progress import say

if TYPE_CHECKING:
    from inkdigits.training import Run

GraphRun = Annotated[Path, typer.Argument(help="The folder of a run of gnn or gnn-attention.")]
Index = Annotated[int | None, typer.Option(help="Index of a test digit, from 0.", min=0)]
ImageFile = Annotated[Path | None, typer.Option(help="A picture of one digit.")]
TestData = Annotated[
    str | None, typer.Option("--data", help="Data set of the test digits; that of the (first) run by default.")
]
Target = Annotated[
    int | None, typer.Option(help="Explain this digit instead of the answer: why not a 9?", min=0, max=9)
]
Against = Annotated[int | None, typer.Option(help="The rival class; all others by default.", min=0, max=9)]
Methods = Annotated[
    list[str] | None,
    typer.Option("--method", help="integrated-gradients, occlusion, gnn-explainer or attention; may be repeated."),
]
ExplanationFolder = Annotated[
    Path | None, typer.Option("--out", help="Folder of the figures and arrays; RUN/explain/NAME by default.")
]


@app.command("explain")
def explain_command(
    run: GraphRun,
    index: Index = None,
    image: ImageFile = None,
    data: TestData = None,
    digit: Target = None,
    against: Against = None,
    method: Methods = None,
    out: ExplanationFolder = None,
    as_json: Json = False,
) -> None:
    """Show the graph of a digit, and the pixels and edges that the network's answer depends on."""
    from inkdigits.evaluation.connectivity import DEFAULT_METHODS, connectivity, graph_network
    from inkdigits.report.explain import write_explanation
    from inkdigits.training import load_run

    if (index is None) == (image is None):
        raise UsageError("name one digit: --index 7 of the test digits, or --image FILE")
    if image is not None and data is not None:
        raise UsageError("--data belongs to --index; --image needs none")
    trained = load_run(run)
    graph_network(trained)  # refuses other networks before data is fetched
    pixels, name, label = _digit(trained, index, image, data)
    found = connectivity(trained, pixels, digit, against, method or DEFAULT_METHODS)
    asked = "" if data is None else f"-of-{Path(data).name}"
    asked += ("" if digit is None else f"-why-{digit}") + ("" if against is None else f"-not-{against}")
    folder = out or run / "explain" / f"{name}{asked}"
    paths = write_explanation(found, folder)
    if as_json:
        emit({"label": label, "out": str(folder), **found.to_dict()})
        return
    echo("\n".join(found.describe() + ([] if label is None else [f"labelled {label}"])))
    for path in paths:
        echo(path)


def _digit(run: "Run", index: int | None, image: Path | None, data: str | None) -> tuple[Any, str, int | None]:
    """Return the pixels of the chosen digit, its name in paths, and its label when it is known."""
    from inkdigits.data.own import read_image

    if image is not None:
        return read_image(image), image.stem, None
    assert index is not None
    digits = load(data or run.environment.get("data_source") or "mnist").test
    if index >= len(digits):
        raise UsageError(f"--index is at most {len(digits) - 1}, not {index}")
    return digits.images[index], f"index-{index}", int(digits.labels[index])


Subjects = Annotated[
    list[Path],
    typer.Argument(
        help="Folders of runs, or of one comparison, whose report gets the results; .onnx files of inkdigits export; "
        "bundled, the model that comes with the package."
    ),
]
SuiteNames = Annotated[
    list[str] | None,
    typer.Option(
        "--suite",
        help="corruptions, sweeps, cross-dataset, selective, calibration, refusal or adversarial; may be repeated. "
        "Default: all but adversarial.",
    ),
]
Digits = Annotated[int | None, typer.Option(help="Number of test digits, the first ones; all by default.", min=1)]
OtherData = Annotated[
    list[str] | None, typer.Option(help="Digits by other writers: a data set or path. Default: uci-digits.")
]
MnistC = Annotated[Path | None, typer.Option("--mnist-c", help="Folder of the official .npy files of MNIST-C.")]
Restarts = Annotated[int | None, typer.Option(help="Restarts of each attack; 1 by default.", min=1)]
Steps = Annotated[int | None, typer.Option(help="Steps of each attack; 40 by default.", min=1)]
Epsilons = Annotated[
    list[float] | None,
    typer.Option(help="Largest change of a pixel, 0 to 1; may be repeated. Default: a range, and L2 attacks too."),
]
RobustFolder = Annotated[
    Path | None, typer.Option("--out", help="Folder of the tables and figures; RUN/robust, or robust, by default.")
]


@app.command("robust")
def robust_command(
    runs: Subjects,
    data: TestData = None,
    suite: SuiteNames = None,
    digits: Digits = None,
    cross_dataset: OtherData = None,
    mnist_c: MnistC = None,
    restarts: Restarts = None,
    steps: Steps = None,
    epsilon: Epsilons = None,
    out: RobustFolder = None,
    as_json: Json = False,
) -> None:
    """Measure the accuracy of runs under noise, distortion and attacks, and on digits by other writers."""
    from inkdigits.experiments import gather
    from inkdigits.experiments.robustness import measure_robustness, summary
    from inkdigits.experiments.subjects import runs_of
    from inkdigits.experiments.suites import ATTACKS, CROSS_DATASET, DEFAULT_SUITES, SuiteSettings
    from inkdigits.report.html import ROBUST, write_report
    from inkdigits.report.robustness_figures import write_robustness

    suites = suite or list(DEFAULT_SUITES)
    if (restarts or steps or epsilon) and "adversarial" not in suites:
        raise UsageError("--restarts, --steps and --epsilon belong to the attacks; add --suite adversarial")
    if cross_dataset and not {"cross-dataset", "selective"} & set(suites):
        raise UsageError("--cross-dataset belongs to --suite cross-dataset or --suite selective; add one")
    settings = SuiteSettings(
        cross_dataset=cross_dataset or CROSS_DATASET,
        mnist_c=mnist_c,
        restarts=restarts or 1,
        steps=steps or 40,
        epsilons={"linf": epsilon} if epsilon else ATTACKS,
    )
    folders = [run for folder in runs for run in runs_of(folder)]
    target = out or (runs[0] / ROBUST if runs[0].is_dir() else Path(ROBUST))
    with locked(target):
        report = measure_robustness(folders, data, suites=suites, digits=digits, settings=settings, notify=say)
        paths = write_robustness(report, target)
    if out is None and len(runs) == 1 and folders != runs:  # the runs of one comparison
        paths.append(write_report(gather(runs[0])))
    found = summary(report)
    if as_json:
        emit(found)
        return
    _print_robustness(found, report.cross_dataset_names)
    for path in paths:
        say(str(path))


def _print_robustness(found: dict[str, Any], others: list[str]) -> None:
    rows = []
    for label, row in found["runs"].items():
        values = [row["clean"], row.get("published_mean"), row.get("mce"), row.get("relative_mce")]
        values += [row.get("cross_dataset", {}).get(name) for name in others]
        rows.append([label, row["augment"], *("" if value is None else f"{100 * value:.2f}" for value in values)])
    table(["run", "training", "clean %", "mean of 15 %", "mCE %", "relative mCE %", *others], rows)
