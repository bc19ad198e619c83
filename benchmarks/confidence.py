"""How sure the reader is of whole numbers, and whether it is right to be.

python benchmarks/confidence.py --fit             fit the scaling and the table of errors that come with the package
python benchmarks/confidence.py --pages FOLDER …  measure; a labels.json in each folder, as for benchmarks/reading.py

Both read made lines and made pages. Those that are fitted on are of MNIST's validation digits, those that are measured
of its test digits. A folder makes two halves by the parity of a file's place in sorted order.
"""

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inkdigits.data import DigitSet, load
from inkdigits.data.writing_styles import with_writing_styles
from inkdigits.evaluation.number_confidence import (
    NumberConfidence,
    accepted_share,
    errors_by_confidence,
    fit_scaling,
    number_confidence,
)
from inkdigits.files import write_json
from inkdigits.imaging.files import page_images
from inkdigits.imaging.pixels import to_bytes
from inkdigits.reader import Reader, Reading
from inkdigits.reader.calibration import digits_of, judge
from inkdigits.reader.confidence import IDENTITY, TABLE, Scaling
from inkdigits.reader.ctc import edits
from inkdigits.reader.page_labels import read_labels
from inkdigits.reader.results import Line
from inkdigits.reader.risk_control import Observations, find_bound
from inkdigits.synthetic.lines import Writers, make_line
from inkdigits.synthetic.pages import KINDS, make_page
from inkdigits.training.line_task import line_fonts

HERE = Path(__file__).parent
ASSET = HERE.parent / "src/inkdigits/reader/assets" / TABLE
PICTURE = HERE.parent / "docs/pictures/confidence.png"
SPLITS = 200  # random splits in which bounds are tried
CERTAINTY = 0.95


@dataclass(frozen=True)
class Numbers:
    """Numbers that were read: of each, its probability, the product of its digits', the layout, if right, the page.

    ``lost`` numbers were not read. ``digits`` float64 (N, 2) has a row for each digit that was read: its confidence,
    and 1 if it is right.
    """

    probability: NDArray[np.float64]
    product: NDArray[np.float64]
    layout: NDArray[np.str_]
    right: NDArray[np.bool_]
    page: NDArray[np.int64]
    lost: int
    digits: NDArray[np.float64]

    def scaled(self, scalings: dict[str, Scaling]) -> NDArray[np.float64]:
        """Return the confidences."""
        pairs = zip(self.probability.tolist(), self.layout.tolist(), strict=True)
        return np.array([scalings.get(layout, IDENTITY)(probability) for probability, layout in pairs])

    def part(self, chosen: NDArray[np.bool_]) -> "Numbers":
        """Return some of the numbers."""
        rows = self.probability, self.product, self.layout, self.right, self.page
        return Numbers(*(row[chosen] for row in rows), self.lost, self.digits)


def gather(readings: Iterator[tuple[Reading, Sequence[str]]]) -> Numbers:
    """Return the numbers of readings and whether they are right."""
    rows, digits, lost = [], [np.zeros((0, 2))], 0
    for page, (reading, truth) in enumerate(readings):
        judged = judge(reading, truth)
        lost += judged.lost
        digits.append(judged_digits(reading, "".join(truth)))
        lines = [line for line in reading.lines if not line.is_blank]
        for line, (confidence, wrong) in zip(lines, judged.numbers, strict=True):
            rows.append((confidence, product(line), reading.layout, not wrong, page))
    columns = list(zip(*rows, strict=True))
    return Numbers(*(np.array(column) for column in columns), lost, np.concatenate(digits))


def judged_digits(reading: Reading, written: str) -> NDArray[np.float64]:
    """Return the confidence of each digit that was read, and 1 if it is right, else 0; (N, 2)."""
    read = [digit for digit in reading.digits if digit.digit is not None]
    text = "".join(str(digit.digit) for digit in read)
    right = {place for tag, place, *_ in edits(text, digits_of(written)) if tag == "equal"}
    return np.array([(digit.confidence, place in right) for place, digit in enumerate(read)]).reshape(-1, 2)


def product(line: Line) -> float:
    """Return the product of the confidences of a line's digits, as one would take it without a line reader."""
    digits = [digit for digit in line.digits if digit.reject != "blank"]
    return math.prod(0.0 if digit.digit is None else digit.confidence for digit in digits)


def made_lines(reader: Reader, digits: DigitSet, count: int, seed: int) -> Iterator[tuple[Reading, Sequence[str]]]:
    """Read made lines, a picture each."""
    written, printed, _ = line_fonts()
    styled = with_writing_styles(digits.images, digits.labels, 0.3, np.random.default_rng(seed))
    writers = Writers(DigitSet(styled, digits.labels), written, prints=printed)
    for index in range(count):
        line = make_line(np.random.default_rng([seed, index]), writers)
        reading = reader.read(line.image)
        yield reading, parted(line.digits, [found.number for found in reading.lines])


def parted(written: str, read: Sequence[str]) -> list[str]:
    """Return what is written on a line in the parts in which it was read: which gaps part numbers is not judged."""
    parts = [""] * len(read) or [""]
    owner = [index for index, number in enumerate(read) for _ in number]
    for _, place, _, start, stop in edits("".join(read), written):
        parts[owner[min(place, len(owner) - 1)] if owner else 0] += written[start:stop]
    return [part for part in parts if part]


def made_pages(reader: Reader, digits: DigitSet, count: int, seed: int) -> Iterator[tuple[Reading, Sequence[str]]]:
    """Read made pages of every kind."""
    for kind in KINDS:
        for index in range(count):
            page = make_page(kind, digits.images, digits.labels, seed + index)
            yield reader.read(page.image), page.lines


def real(reader: Reader, folder: Path) -> Iterator[tuple[Reading, Sequence[str]]]:
    """Read the pages of a folder."""
    labels = read_labels(folder / "labels.json", folder)
    for path in labels.files:
        yield reader.read(to_bytes(next(page_images(path)).pixels)), labels.numbers[path]


def fit(reader: Reader, digits: DigitSet, lines: int, pages: int) -> None:
    """Fit the scaling of each layout, and write it with the table of errors by confidence."""
    parts = {"lines": made_lines(reader, digits, lines, 1), "pages": made_pages(reader, digits, pages, 10_000)}
    found = {name: gather(readings) for name, readings in parts.items()}
    scalings = {}
    for layout in sorted({str(layout) for numbers in found.values() for layout in numbers.layout}):
        kept = [numbers.part((numbers.layout == layout) & (numbers.probability > 0)) for numbers in found.values()]
        right = np.concatenate([numbers.right for numbers in kept])
        scalings[layout] = fit_scaling(np.concatenate([numbers.probability for numbers in kept]), right)
        print(f"{layout}: {scalings[layout]}, {len(right)} numbers, {right.mean():.1%} right")
    confidence = np.concatenate([numbers.scaled(scalings) for numbers in found.values()])
    right = np.concatenate([numbers.right for numbers in found.values()])
    counts = {name: int(numbers.page.max()) + 1 for name, numbers in found.items()}
    scaling = {layout: [s.slope, s.offset] for layout, s in scalings.items()}
    rows = []
    for threshold, risk, share in errors_by_confidence(confidence, right):
        accepted = round(share * len(right))  # one error more is counted: no error among a few is no proof of none
        rows.append((threshold, (round(risk * accepted) + 1) / (accepted + 1), share))
    write_json(ASSET, {"model": reader.name, **counts, "numbers": len(right), "scaling": scaling, "rows": rows})


def measure(name: str, numbers: Numbers) -> dict[str, object]:
    """Return the quality of the confidences of numbers."""
    confidence, right = numbers.probability, numbers.right
    quality, digits = number_confidence(confidence, right), number_confidence(numbers.product, right)
    of_digits = number_confidence(numbers.digits[:, 0], numbers.digits[:, 1] > 0)
    out: dict[str, object] = {
        "numbers": len(right),
        "right": float(right.mean()),
        "lost": numbers.lost,
        "ece": quality.ece,
        "area": quality.area,
        "area_of_product": digits.area,
        "bins": bins(quality),
        "digits": len(numbers.digits),
        "digits_ece": of_digits.ece,
        "digits_bins": bins(of_digits),
        "curve": errors_by_confidence(confidence, right, 50),
    }
    for threshold in (0.9, 0.99):
        out[f"accepted_{threshold}"], out[f"right_{threshold}"] = accepted_share(confidence, right, threshold)
    summary = {key: round(value, 4) for key, value in out.items() if isinstance(value, float)}
    print(name, len(right), summary, flush=True)
    return out


def bins(quality: NumberConfidence) -> list[tuple[float, float, int]]:
    """Return mean confidence, share that is right, and count of each bin that is not empty."""
    columns = quality.confidence.tolist(), quality.accuracy.tolist(), quality.count.tolist()
    return [row for row in zip(*columns, strict=True) if row[2]]


def bounds(numbers: Numbers, risk: float, rng: np.random.Generator) -> dict[str, float]:
    """Prove a bound on one half of the pages and look at the other; SPLITS times."""
    pages = np.unique(numbers.page)
    violated, coverage, proven = [], [], []
    for _ in range(SPLITS):
        half = np.isin(numbers.page, rng.permutation(pages)[: len(pages) // 2])
        seen, other = numbers.part(half & (numbers.probability > 0)), numbers.part(~half)
        bound = find_bound(Observations(seen.probability, ~seen.right, seen.page), risk, CERTAINTY)
        accepted = other.probability >= (2.0 if bound is None else bound.threshold)
        proven.append(bound is not None)
        coverage.append(accepted.mean())
        violated.append(accepted.any() and 1 - other.right[accepted].mean() > risk)
    return {"proven": np.mean(proven), "coverage": np.mean(coverage), "other_half_above": np.mean(violated)}


def drawn(rng: np.random.Generator, count: int) -> Numbers:
    """Return numbers whose risk is known at every confidence; some are overconfident."""
    odds = rng.normal(3, 2, count)
    confidence = 1 / (1 + np.exp(-odds))
    right = rng.random(count) < 1 / (1 + np.exp(-1.2 * odds + 0.5))
    every = np.arange(count)
    return Numbers(confidence, confidence, np.full(count, "line"), right, every, 0, np.zeros((0, 2)))


def simulated(risk: float, count: int, rng: np.random.Generator) -> dict[str, float]:
    """Prove bounds on drawn numbers; their true risk is that of 200,000 more."""
    many = drawn(rng, 200_000)
    violated, coverage = [], []
    for _ in range(SPLITS):
        seen = drawn(rng, count)
        bound = find_bound(Observations(seen.probability, ~seen.right, seen.page), risk, CERTAINTY)
        accepted = many.probability >= (2.0 if bound is None else bound.threshold)
        coverage.append(accepted.mean())
        violated.append(accepted.any() and 1 - many.right[accepted].mean() > risk)
    return {"numbers": count, "violated": np.mean(violated), "coverage": np.mean(coverage)}


def draw(results: dict[str, object], names: Sequence[str]) -> None:
    """Draw the reliability of digits and of numbers, and risk over coverage, of some of the sets."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11.5, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    for ax in (left, middle):
        ax.plot([0, 100], [0, 100], "k:", linewidth=1)
    for name in names:
        found = dict(results[name])
        for ax, key in ((left, "digits_bins"), (middle, "bins")):
            confidence, accuracy, count = (np.array(column) for column in zip(*found[key], strict=True))
            known = count >= 10
            ax.plot(100 * confidence[known], 100 * accuracy[known], "o-", markersize=4, label=name)
        _, risk, coverage = (np.array(column) for column in zip(*found["curve"], strict=True))
        right.plot(100 * coverage, 100 * risk, label=name)
    left.set(xlabel="confidence, %", ylabel="digits that are right, %", title="Reliability of digits")
    middle.set(xlabel="confidence, %", ylabel="numbers that are right, %", title="Reliability of numbers")
    right.set(xlabel="numbers accepted, the surest first, %", ylabel="wrong among them, %", title="Risk and coverage")
    right.legend(frameon=False)
    figure.savefig(PICTURE, dpi=110)


def main() -> None:
    """Fit or measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--pages", type=Path, nargs="*", default=[], help="folders of real pages")
    parser.add_argument("--made", type=int, default=40, help="made pages of every kind")
    parser.add_argument("--lines", type=int, default=2500, help="made lines")
    parser.add_argument("--out", type=Path, default=HERE / "confidence.json")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    mnist = load("mnist")
    if mnist.name != "mnist":
        parser.error(f"figures are of MNIST, not of {mnist.name}; let it be downloaded, or set INKDIGITS_DATA")
    reader = Reader(threads=1)
    if options.fit:
        fit(Reader(threads=1, scaling={}), mnist.train.split(5000, seed=0)[1], options.lines, options.made)
        return
    rng = np.random.default_rng(0)
    results: dict[str, object] = {"model": reader.name}
    parts = {
        "made lines": made_lines(reader, mnist.test, options.lines, 2),
        "made pages": made_pages(reader, mnist.test, options.made, 20_000),
        **{folder.name: real(reader, folder) for folder in options.pages},
    }
    for name, readings in parts.items():
        numbers = gather(readings)
        results[name] = measure(name, numbers)
        if name in {folder.name for folder in options.pages}:
            for parity, half in enumerate(("first half", "second half")):
                results[f"{name}, {half}"] = measure(f"{name}, {half}", numbers.part(numbers.page % 2 == parity))
        results[f"{name}, bounds"] = {str(risk): bounds(numbers, risk, rng) for risk in (0.01, 0.05, 0.1)}
        print(f"{name}, bounds", results[f"{name}, bounds"], flush=True)
    results["simulated"] = {
        f"{risk} of {count}": simulated(risk, count, rng)
        for risk, count in ((0.01, 1000), (0.01, 3000), (0.05, 270), (0.05, 1000))
    }
    print(results["simulated"])
    write_json(options.out, results)
    draw(results, list(parts))


if __name__ == "__main__":
    main()
