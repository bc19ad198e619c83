"""inkdigits finetune: the packaged network, or a run, learns a user's own digits or lines."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inkdigits.cli.common import Json, app, emit, load, table
from inkdigits.errors import DataError, UsageError
from inkdigits.files import read_bytes
from inkdigits.progress import FileBar, TrainingBar, closing, say

if TYPE_CHECKING:
    from inkdigits.data import DigitSet
    from inkdigits.exporting.finetuned import FineTuned
    from inkdigits.training import Run
    from inkdigits.training.rehearsal import OwnLine

SHOWN = 20  # suspect labels that are listed
SQLITE = b"SQLite format 3\0"  # first bytes of the file of `inkdigits serve --feedback`

Own = Annotated[
    Path,
    typer.Argument(
        help="A folder with sub-folders 0 to 9, a .csv or .npz, the CSV of a review, or the file of serve --feedback; "
        "with --lines, a folder of lines with labels.csv or labels.json."
    ),
]
Start = Annotated[
    Path | None, typer.Option("--from", help="The .onnx file or run to start from; the packaged one by default.")
]


@app.command("finetune")
def finetune_command(
    own: Own,
    out: Annotated[Path, typer.Option(help="The .onnx file to write.")],
    lines: Annotated[bool, typer.Option("--lines", help="The pictures hold lines, for read --lines.")] = False,
    labels: Annotated[Path | None, typer.Option(help="The labels of the lines, if not in the folder.")] = None,
    start: Start = None,
    epochs: Annotated[int | None, typer.Option(help="Most passes over the new pictures.")] = None,
    leave_out_suspects: Annotated[
        bool, typer.Option("--leave-out-suspects", help="Do not learn from pictures whose label looks wrong.")
    ] = False,
    data: Annotated[str, typer.Option("--data", help="The data set that is rehearsed.")] = "mnist",
    seed: Annotated[int, typer.Option(help="Of the held-out part and the order.")] = 0,
    as_json: Json = False,
) -> None:
    """Let the packaged network learn your own digits, or lines, without forgetting the others."""
    if out.suffix != ".onnx":
        raise UsageError(f"--out names the file, such as {out / 'mine.onnx'}, not {out}")
    if not own.exists():
        raise UsageError(f"{own} does not exist; give the folder or file of your own pictures")
    if not out.parent.is_dir():
        raise UsageError(f"the folder {out.parent} does not exist; make it, or choose another --out")
    if labels and not lines:
        raise UsageError("--labels belongs to --lines; digits lie in sub-folders 0 to 9")
    import torch  # noqa: F401  a missing extra is named before pictures are read

    chosen = start, epochs, leave_out_suspects, data, seed
    done = _finetune_lines(own, labels, out, *chosen) if lines else _finetune_digits(own, out, *chosen)
    _print(done, lines, as_json)


def _finetune_digits(
    own: Path, out: Path, start: Path | None, epochs: int | None, leave_out: bool, data: str, seed: int
) -> "FineTuned":
    import numpy as np

    from inkdigits.exporting.finetuned import check_labels, finetune_digits
    from inkdigits.models.registry import require_digits
    from inkdigits.training.finetuning import DIGITS, with_epochs
    from inkdigits.training.rehearsal import FEWEST_STEPS

    first = _start(start, "digits.onnx")
    require_digits(first.name, "finetune without --lines trains")
    digits, names = _own_digits(own)
    found = check_labels(first, digits)
    _list_suspects([f"{names[i]}: labelled {digits.labels[i]}, looks like {k}" for i, k in found.pairs], found.refusal)
    if leave_out:
        digits = digits[np.setdiff1d(np.arange(len(digits)), found.suspects)]
    old = load(data)
    recipe = with_epochs(DIGITS, epochs)
    shown = max(2 * len(digits), FEWEST_STEPS * recipe.batch_size)
    with closing(TrainingBar("fine-tuning", recipe.epochs, shown, every_epoch=False)) as bar:
        return finetune_digits(first, digits, old, out, bar, recipe, seed)


def _start(start: Path | None, packaged: str) -> "Run":
    from inkdigits.exporting.packaged import load_onnx
    from inkdigits.reader.recognizer import bundled
    from inkdigits.training import load_run

    if start is not None and start.is_dir():
        return load_run(start)
    return load_onnx(start or bundled(packaged))


def _own_digits(own: Path) -> tuple["DigitSet", list[str]]:
    """Return the user's digits, and what each is called: its file, or its place."""
    from inkdigits.data import DigitSet
    from inkdigits.data.own import picture_files, read
    from inkdigits.reader import Reader
    from inkdigits.training.reviewed import is_review, reviewed_digits

    if own.is_file() and read_bytes(own).startswith(SQLITE):
        from inkdigits.server.feedback import export_feedback

        with tempfile.TemporaryDirectory() as scratch:
            plain = Path(scratch) / "corrections.npz"
            export_feedback(own, plain)
            images, labels, _ = read(plain)
        return DigitSet(images, labels), [f"correction {place}" for place in range(1, len(labels) + 1)]
    if is_review(own):
        return reviewed_digits(own, Reader())
    images, labels, test = read(own)
    digits = DigitSet(images, labels)
    if test is not None:
        say(f"{len(test[1])} digits in the test part of {own} are left alone")
    files = [str(path) for path in picture_files(own)] if own.is_dir() else []
    return digits, files if len(files) == len(digits) else [f"{own} {place}" for place in range(len(digits))]


def _list_suspects(suspects: list[str], refusal: str) -> None:
    """List the pictures whose label looks wrong.

    Raises
    ------
    DataError
        When the labelling cannot be learned from.
    """
    if suspects:
        say(f"{len(suspects)} labels look wrong to the network that learns:")
    for suspect in suspects[:SHOWN]:
        say(f"  {suspect}")
    if refusal:
        raise DataError(f"{refusal}; check the labels, then try again. Nothing was written")


def _finetune_lines(
    own: Path,
    labels: Path | None,
    out: Path,
    start: Path | None,
    epochs: int | None,
    leave_out: bool,
    data: str,
    seed: int,
) -> "FineTuned":
    from inkdigits.exporting.finetuned import check_lines, finetune_lines
    from inkdigits.models.registry import LINE, model_spec
    from inkdigits.training.finetuning import LINES, with_epochs

    first = _start(start, "lines.onnx")
    if model_spec(first.name).task != LINE:
        raise UsageError(f"{first.name} reads digits; leave --lines out")
    with tempfile.TemporaryDirectory() as scratch:
        pictures = _own_lines(own, labels, _as_file(first, start, Path(scratch)))
    suspects, refusal = check_lines([line for _, line in pictures])
    _list_suspects(
        [f"{pictures[i][0]}: the label is not what is read, {pictures[i][1].read}" for i in suspects], refusal
    )
    chosen = [line for place, (_, line) in enumerate(pictures) if not (leave_out and place in suspects)]
    old = load(data)
    recipe = with_epochs(LINES, epochs)
    with closing(TrainingBar("fine-tuning", recipe.epochs, len(chosen), every_epoch=False)) as bar:
        return finetune_lines(first, chosen, old, out, bar, recipe, seed)


def _as_file(first: "Run", start: Path | None, scratch: Path) -> Path | None:
    """Return the ONNX file of the network to start from, written if it is a run; None for the packaged one."""
    if start is None or not start.is_dir():
        return start
    from inkdigits.exporting.line_file import export_lines

    return export_lines(first, scratch / "lines.onnx").path


def _own_lines(folder: Path, labels: Path | None, reader: Path | None) -> list[tuple[Path, "OwnLine"]]:
    """Return the user's lines; a picture that cannot be read is named and left out."""
    from inkdigits.reader.page_labels import find_labels, read_labels
    from inkdigits.training.own_lines import OwnLines, one_line_each, without_separators

    known = one_line_each(read_labels(labels or find_labels(folder), folder))
    digits_only = without_separators(list(known.values()))
    source, found = OwnLines(reader), []
    with FileBar(len(known)) as bar:
        for path, label in known.items():
            try:
                found.append((path, source.read(path, label, digits_only)))
            except DataError as error:
                say(f"inkdigits: {error}; it is left out")
            bar.step()
    return found


def _print(done: "FineTuned", lines: bool, as_json: bool) -> None:
    if as_json:
        emit(done.to_dict())
        return
    tuned, old = done.tuned, "made lines" if lines else "MNIST's validation digits"
    if tuned.interrupted:
        say(f"interrupted; the best weights so far are kept, of epoch {tuned.best}")
    rows = [
        [name, f"{100 * before.accuracy:.2f} %", f"{100 * after.accuracy:.2f} %"]
        for name, (before, after) in ((f"yours, {done.held_out} held out", tuned.new), (old, tuned.old))
    ]
    table(["read right", "before", "after"], rows)
    if not tuned.share:
        say("nothing was better than the start; the file has the weights that it started with")
    kind = f"read --lines {done.path} PAGE" if lines else f"predict --model {done.path} IMAGE"
    say(f"{done.path} learned from {done.learned} of yours; try it: inkdigits {kind}")
