"""What fine-tuning adds on digits and amounts that the packaged networks have not learned, and what it forgets.

python benchmarks/finetune.py --digits FOLDER --each 50 200   so many of each class are learned, the others measured
python benchmarks/finetune.py --lines FOLDER --folds 5        pictures of one number each, with labels.json; each fold
                                                              is measured by a reader that learned from the others

Forgetting is measured on MNIST's test digits, and on lines made of them. Results go to benchmarks/finetune.json.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inkdigits.data import Dataset, DigitSet, load
from inkdigits.data.own import read
from inkdigits.errors import DataError
from inkdigits.exporting.finetuned import finetune_digits, finetune_lines
from inkdigits.exporting.packaged import load_onnx
from inkdigits.files import write_json
from inkdigits.reader import Reader
from inkdigits.reader.calibration import digits_of
from inkdigits.reader.page_labels import read_labels
from inkdigits.reader.recognizer import Recognizer, bundled
from inkdigits.synthetic.lines import Writers, make_line
from inkdigits.training.line_task import collate, line_fonts, score_batches
from inkdigits.training.own_lines import OwnLines, one_line_each, without_separators
from inkdigits.training.trainer import NoProgress

RESULTS = Path(__file__).with_suffix(".json")
MADE_LINES, BATCH = 800, 50


def measured_digits(own: DigitSet, each: int, mnist: Dataset) -> dict[str, Any]:
    """Return the figures of fine-tuning on ``each`` digits of each class."""
    rest, learned = own.split(10 * each, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        out, wall, cpu = Path(folder) / "own.onnx", time.perf_counter(), time.process_time()
        finetune_digits(load_onnx(bundled()), learned, mnist, out, NoProgress())
        seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu
        before, after = Recognizer(), Recognizer(out)
        return {
            "learned": len(learned),
            "measured": len(rest),
            "seconds": round(seconds),
            "cpu_seconds": round(cpu_seconds),
            "own": [judged(reader, rest) for reader in (before, after)],
            "mnist_test": [judged(reader, mnist.test) for reader in (before, after)],
        }


def judged(reader: Recognizer, digits: DigitSet) -> dict[str, float]:
    """Return the share that is right before refusal, the share accepted, and the share right among the accepted."""
    right = reader.run(digits.images).logits.argmax(1) == digits.labels
    accepted = np.array([found.digit is not None for found in reader.predict(digits.images)])
    among = float(right[accepted].mean()) if accepted.any() else 0.0
    return {"right": float(right.mean()), "accepted": float(accepted.mean()), "right_among_accepted": among}


def measured_lines(folder: Path, folds: int, of: int, mnist: Dataset) -> list[dict[str, Any]]:
    """Return the figures of fine-tuning the line reader, for the first ``folds`` of ``of`` folds."""
    labels = one_line_each(read_labels(folder / "labels.json", folder))
    source, paths = OwnLines(), list(labels)
    digits_only = without_separators(list(labels.values()))
    lines = [source.read(path, labels[path], digits_only) for path in paths]
    order = np.random.default_rng(0).permutation(len(paths))
    made = made_lines(mnist.test)
    results = []
    for fold, part in enumerate(np.array_split(order, of)[:folds]):
        learned = [lines[i] for i in order if i not in set(part.tolist())]
        with tempfile.TemporaryDirectory() as scratch:
            out, wall, cpu = Path(scratch) / "own.onnx", time.perf_counter(), time.process_time()
            done = finetune_lines(load_onnx(bundled("lines.onnx")), learned, mnist, out, NoProgress())
            seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu
            chosen = {paths[i]: labels[paths[i]] for i in part}
            runs = load_onnx(bundled("lines.onnx")), done.tuned.run
            results.append(
                {
                    "fold": fold,
                    "learned": len(learned),
                    "measured": len(part),
                    "seconds": round(seconds),
                    "cpu_seconds": round(cpu_seconds),
                    "whole_numbers": [whole_numbers(reader, chosen) for reader in (Reader(), Reader(lines=out))],
                    "made_lines": [score_batches(run.model, made, run_device(run)).accuracy for run in runs],
                }
            )
        print(json.dumps(results[-1]), flush=True)
    return results


def run_device(run: Any) -> Any:
    """Return the device of a run's weights."""
    return next(run.model.parameters()).device


def made_lines(digits: DigitSet) -> list[Any]:
    """Return lines made of digits, as batches."""
    rng, (written, printed, _) = np.random.default_rng(17), line_fonts()
    writers = Writers(digits, written, prints=printed)
    lines = sorted((make_line(rng, writers) for _ in range(MADE_LINES)), key=lambda line: line.image.shape[1])
    return [collate(lines[start : start + BATCH]) for start in range(0, len(lines), BATCH)]


def whole_numbers(reader: Reader, labels: dict[Path, str]) -> float:
    """Return the share of the pictures whose digits are all read right, refused ones by their likeliest digit."""
    right = 0
    for path, label in labels.items():
        try:
            found = reader.read(path)
        except DataError:
            continue
        text = "".join(
            str(d.digit if d.digit is not None else d.alternatives[0][0] if d.alternatives else "")
            for line in found.lines
            for d in line.digits
        )
        right += text == digits_of(label)
    return right / len(labels)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is asked for, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--digits", type=Path)
    parser.add_argument("--each", type=int, nargs="+", default=[50, 200])
    parser.add_argument("--lines", type=Path)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args(arguments)
    results = json.loads(chosen.out.read_text()) if chosen.out.exists() else {}
    mnist = load("mnist")
    if chosen.digits:
        images, labels, _ = read(chosen.digits)
        for each in chosen.each:
            results.setdefault("digits", {})[str(each)] = measured_digits(DigitSet(images, labels), each, mnist)
            write_json(chosen.out, results)
            print(json.dumps(results["digits"][str(each)]), flush=True)
    if chosen.lines:
        results["lines"] = measured_lines(chosen.lines, chosen.folds, 5, mnist)
        write_json(chosen.out, results)


if __name__ == "__main__":
    main()
