"""Crops of one digit by strangers: ``python benchmarks/crops.py FOLDER`` reads the images in its sub-folders 0 to 9.

Writes crops.json beside it: for each half of the files, those at even and at odd places in sorted order, how often the
network's first answer is right, how many crops are accepted, and how often those are right.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from inkdigits.evaluation.statistics import wilson
from inkdigits.imaging.files import IMAGE_SUFFIXES, read_pixels
from inkdigits.reader.recognizer import Prediction, Recognizer


def first_answer(prediction: Prediction) -> int | None:
    """Return the digit, or the likeliest one of a crop that is refused."""
    if prediction.digit is not None or not prediction.alternatives:
        return prediction.digit
    return prediction.alternatives[0][0]


def share(right: np.ndarray) -> dict[str, object]:
    """Return the share of what is right with its Wilson interval of 95 %, and the number."""
    return {"share": float(right.mean()), "interval": wilson(int(right.sum()), len(right)), "of": len(right)}


def main() -> None:
    """Measure, print, and write crops.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    files = sorted(path for path in folder.glob("[0-9]/*") if path.suffix.lower() in IMAGE_SUFFIXES)
    recognizer = Recognizer()
    predictions = [recognizer.read_crops([read_pixels(path)])[0] for path in files]
    truth = [int(path.parent.name) for path in files]
    right = np.array([first_answer(found) == digit for found, digit in zip(predictions, truth, strict=True)])
    accepted = np.array([found.digit is not None for found in predictions])
    results: dict[str, object] = {"set": folder.name, "model": recognizer.name}
    for name, start in (("even_half", 0), ("odd_half", 1)):
        half = slice(start, None, 2)
        results[name] = {
            "first_answer_right": share(right[half]),
            "accepted": share(accepted[half]),
            "accepted_right": share(right[half][accepted[half]]),
        }
        print(name, json.dumps(results[name]))
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(results, indent=2) + "\n")
    print(path)


if __name__ == "__main__":
    main()
