"""inkdigits export: a run as files that others use."""

from pathlib import Path
from typing import Annotated

import typer

from inkdigits.cli.common import Json, app, emit, load
from inkdigits.errors import UsageError
from inkdigits.progress import say

FORMATS = ("onnx", "huggingface")


@app.command("export")
def export_command(
    run: Annotated[Path, typer.Argument(help="The folder of a run.")],
    out: Annotated[Path, typer.Option(help="The .onnx file, or the folder in Hugging Face's form.")],
    data: Annotated[str | None, typer.Option(help="What it learned from; the run's own by default.")] = None,
    form: Annotated[str, typer.Option("--format", help="onnx or huggingface.")] = "onnx",
    int8: Annotated[bool, typer.Option("--int8/--no-int8", help="Write the ONNX file in 8-bit integers too.")] = True,
    robustness: Annotated[
        Path | None, typer.Option(help="A robustness.json of inkdigits robust, for the model card.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a run as ONNX, calibrated and checked, or as a folder for a model hub."""
    from inkdigits.exporting import export
    from inkdigits.exporting.hugging_face import write_folder
    from inkdigits.training import load_run

    if form not in FORMATS:
        raise UsageError(f"--format is {' or '.join(FORMATS)}, not {form!r}")
    if form == "onnx" and out.suffix != ".onnx":
        raise UsageError(f"--out names the file, such as {out / 'digits.onnx'}, not {out}")
    trained = load_run(run)
    dataset = load(data or trained.environment.get("data_source") or "mnist")
    if form == "huggingface":
        paths = write_folder(trained, dataset, out, robustness)
        if as_json:
            emit({"paths": [str(path) for path in paths]})
        for path in [] if as_json else paths:
            typer.echo(path)
        return
    done = export(trained, dataset, out, int8)
    if as_json:
        emit(done.to_dict())
        return
    typer.echo(
        f"{done.path}: {done.path.stat().st_size / 1e6:.2f} MB, test accuracy {100 * done.accuracy:.2f} %, "
        f"logits within {done.largest_difference:.1e} of PyTorch's, temperature {done.card['temperature']:.3f}"
    )
    if done.int8_path and done.int8_accuracy is not None:
        drop = 100 * (done.accuracy - done.int8_accuracy)
        typer.echo(
            f"{done.int8_path}: {done.int8_path.stat().st_size / 1e6:.2f} MB, test accuracy "
            f"{100 * done.int8_accuracy:.2f} %, {abs(drop):.2f} points {'less' if drop >= 0 else 'more'}"
        )
    say(f"try it: inkdigits predict --model {done.path} IMAGE")
