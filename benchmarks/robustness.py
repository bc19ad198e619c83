"""Time of corruptions, augmentations and the bundled model: ``make bench`` runs this and writes robustness.json.

Ratios come from one run on one machine: our augmentations against kornia's, the 8-bit model against the 32-bit one.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import kornia.augmentation
import numpy as np
import torch
from PIL import Image

from inkdigits.data import load
from inkdigits.data.augment import ROTATION, SCALE, SHIFT, elastic, geometric, robust
from inkdigits.reader.recognizer import Recognizer, bundled
from inkdigits.synthetic.corruptions import MNIST_C, corrupt
from inkdigits.training.device import hardware, versions
from inkdigits.training.inference import to_input

BATCH = 128


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Return the median time of ``work`` after two calls to warm up."""
    times = []
    for _ in range(repeats + 2):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times[2:])


def distortions(images: np.ndarray) -> dict[str, float]:
    """Return milliseconds per batch of 128 on one thread: our augmentations, and the same ones of kornia."""
    torch.set_num_threads(1)
    x, generator = to_input(torch.tensor(images[:BATCH])), torch.Generator().manual_seed(0)
    share = SHIFT / 28
    kornia_affine = kornia.augmentation.RandomAffine(ROTATION, (share, share), (1 - SCALE, 1 + SCALE), 6.0, p=1.0)
    kornia_elastic = kornia.augmentation.RandomElasticTransform((15, 15), (4.0, 4.0), p=1.0)
    works = {
        "affine": lambda: geometric(x, generator),
        "affine_kornia": lambda: kornia_affine(x),
        "elastic": lambda: elastic(x, generator),
        "elastic_kornia": lambda: kornia_elastic(x),
        "robust": lambda: robust(x, generator),
    }
    return {name: 1000 * seconds(work, 30) for name, work in works.items()}


def reading(path: Path, images: np.ndarray) -> dict[str, float]:
    """Return the speed of a model file on one core: milliseconds for one digit, digits per second in batches of 256."""
    recognizer = Recognizer(path, threads=1)
    return {
        "one_digit_ms": 1000 * seconds(lambda: recognizer.run(images[:1]), 500),
        "digits_per_s": 256 / seconds(lambda: recognizer.run(images[:256]), 50),
        "bytes": path.stat().st_size,
    }


def command(images: np.ndarray) -> float:
    """Return the seconds from start to exit of ``inkdigits predict`` on one picture."""
    path = Path("runs/bench/digit.png")
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(255 - images[0]).resize((140, 140)).save(path)
    return seconds(
        lambda: subprocess.run(
            [sys.executable, "-m", "inkdigits.cli", "predict", path], capture_output=True, check=True
        ),
        5,
    )


def main() -> None:
    """Measure, print, and write robustness.json."""
    images = load("mnist").test.images
    if len(images) != 10_000:
        raise SystemExit("the benchmark needs the 10,000 test digits of MNIST; set INKDIGITS_DATA to their folder")
    start = time.perf_counter()
    for name in MNIST_C:
        corrupt(images, name)
    fifteen = time.perf_counter() - start
    augmented = distortions(images)
    plain, small = reading(bundled(), images), reading(bundled("digits.int8.onnx"), images)
    found = {
        "fifteen_corruptions_of_10000_digits_s": fifteen,
        "distortion_of_128_ms": augmented,
        "affine_kornia_over_ours": augmented["affine_kornia"] / augmented["affine"],
        "elastic_kornia_over_ours": augmented["elastic_kornia"] / augmented["elastic"],
        "model_one_core": plain,
        "model_int8_one_core": small,
        "int8_over_plain_digits_per_s": small["digits_per_s"] / plain["digits_per_s"],
        "predict_command_s": command(images),
        "hardware": hardware(torch.device("cpu")),
        "versions": versions(),
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
