"""inkdigits export: a run as files that others use."""

from pathlib import Path
from typing import Annotated

import typer

from inkdigits.cli.common import Json, app, emit, load
from inkdigits.errors import UsageError
from inkdigits.progress import say

FORMATS = ("onnx", "huggingface", "web")


@app.command("export")
def export_command(
    out: Annotated[Path, typer.Option(help="The .onnx file, or the folder of the other formats.")],
    run: Annotated[Path | None, typer.Argument(help="The folder of a run; web needs none.")] = None,
    data: Annotated[str | None, typer.Option(help="What it learned from; the run's own by default.")] = None,
    form: Annotated[
        str, typer.Option("--format", help="onnx, huggingface, or web: the page that reads on its own.")
    ] = "onnx",
    int8: Annotated[bool, typer.Option("--int8/--no-int8", help="Write the ONNX file in 8-bit integers too.")] = True,
    robustness: Annotated[
        Path | None, typer.Option(help="A robustness.json of inkdigits robust, for the model card.")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="Of web: the .onnx file; the bundled one by default.")] = None,
    as_json: Json = False,
) -> None:
    """Write a run as ONNX, calibrated and checked, as a folder for a model hub, or the page for any web server."""
    if form not in FORMATS:
        raise UsageError(f"--format is {', '.join(FORMATS[:-1])} or {FORMATS[-1]}, not {form!r}")
    if form == "web":
        from inkdigits.exporting.web import export_web

        if run or data or robustness:
            raise UsageError("--format web takes --model FILE.onnx, not a run; export the run first")
        typer.echo(export_web(out, model))
        return
    from inkdigits.exporting.hugging_face import write_folder
    from inkdigits.exporting.onnx_file import export
    from inkdigits.training import load_run

    if run is None:
        raise UsageError(f"--format {form} needs the folder of a run")
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
