"""inkdigits export: a run as files for other programs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inkdigits.cli.common import Json, app, echo, emit, load
from inkdigits.errors import UsageError
from inkdigits.progress import say

if TYPE_CHECKING:
    from inkdigits.data import Dataset
    from inkdigits.exporting.onnx_file import Exported
    from inkdigits.training import Run

FORMATS = ("onnx", "huggingface", "web")

Out = Annotated[Path, typer.Option(help="The .onnx file, or the folder of the other formats.")]
RunFolder = Annotated[Path | None, typer.Argument(help="The folder of a run; web needs none.")]
LearnedData = Annotated[
    str | None, typer.Option("--data", help="The data that the run learned from; known by default.")
]
Format = Annotated[str, typer.Option("--format", help="onnx, huggingface, or web: a page that needs no service.")]
Int8 = Annotated[bool, typer.Option("--int8/--no-int8", help="Write an 8-bit ONNX file too.")]
RobustnessFile = Annotated[Path | None, typer.Option(help="A robustness.json of inkdigits robust, for the model card.")]
ModelFile = Annotated[Path | None, typer.Option(help="For web: an .onnx file; the bundled model by default.")]


@app.command("export")
def export_command(
    out: Out,
    run: RunFolder = None,
    data: LearnedData = None,
    form: Format = "onnx",
    int8: Int8 = True,
    robustness: RobustnessFile = None,
    model: ModelFile = None,
    as_json: Json = False,
) -> None:
    """Write a run as a calibrated and checked ONNX file, as a folder for a model hub, or as a static web page."""
    if form not in FORMATS:
        raise UsageError(f"--format is {', '.join(FORMATS[:-1])} or {FORMATS[-1]}, not {form!r}")
    if form == "web":
        if run or data or robustness:
            raise UsageError("--format web takes --model FILE.onnx, not a run; export the run first")
        _export_web(out, model)
        return
    if run is None:
        raise UsageError(f"--format {form} needs the folder of a run")
    if form == "onnx" and out.suffix != ".onnx":
        raise UsageError(f"--out names the file, such as {out / 'digits.onnx'}, not {out}")
    from inkdigits.models.registry import LINE, model_spec, require_digits
    from inkdigits.training import load_run

    trained = load_run(run)
    if form == "huggingface":
        require_digits(trained.name, "`export --format huggingface` writes")
    elif model_spec(trained.name).task == LINE:
        _export_lines(trained, out, as_json)
        return
    dataset = load(data or trained.environment.get("data_source") or "mnist")
    if form == "huggingface":
        _export_hub_folder(trained, dataset, out, robustness, as_json)
    else:
        _export_onnx(trained, dataset, out, int8, as_json)


def _export_web(out: Path, model: Path | None) -> None:
    from inkdigits.exporting.web import export_web

    echo(export_web(out, model))


def _export_hub_folder(run: "Run", dataset: "Dataset", out: Path, robustness: Path | None, as_json: bool) -> None:
    from inkdigits.exporting.hugging_face import write_folder

    paths = [str(path) for path in write_folder(run, dataset, out, robustness)]
    if as_json:
        emit({"paths": paths})
    else:
        echo("\n".join(paths))


def _export_lines(run: "Run", out: Path, as_json: bool) -> None:
    from inkdigits.exporting.line_file import export_lines

    done = export_lines(run, out)
    if as_json:
        emit(done.to_dict())
        return
    echo(
        f"{done.path}: {done.path.stat().st_size / 1e6:.2f} MB, probabilities within "
        f"{done.largest_difference:.1e} of PyTorch's"
    )
    say(f"try it: inkdigits read --lines {done.path} PAGE")


def _export_onnx(run: "Run", dataset: "Dataset", out: Path, int8: bool, as_json: bool) -> None:
    from inkdigits.exporting.onnx_file import export

    done = export(run, dataset, out, int8)
    if as_json:
        emit(done.to_dict())
    else:
        _print_exported(done)


def _print_exported(done: "Exported") -> None:
    echo(
        f"{done.path}: {done.path.stat().st_size / 1e6:.2f} MB, test accuracy {100 * done.accuracy:.2f} %, "
        f"logits within {done.largest_difference:.1e} of PyTorch's, temperature {done.card['temperature']:.3f}"
    )
    if done.int8_path and done.int8_accuracy is not None:
        drop = 100 * (done.accuracy - done.int8_accuracy)
        echo(
            f"{done.int8_path}: {done.int8_path.stat().st_size / 1e6:.2f} MB, test accuracy "
            f"{100 * done.int8_accuracy:.2f} %, {abs(drop):.2f} points {'less' if drop >= 0 else 'more'}"
        )
    say(f"try it: inkdigits predict --model {done.path} IMAGE")
