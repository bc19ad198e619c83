"""How well, and how fast, pages are read: ours beside the tools that are installed, on the same pages in the same run.

python benchmarks/reading.py --pages FOLDER …  also real pages: a labels.json in each folder, a list of objects with
                                               "file", "lines" or "text", and perhaps "rotated"
python benchmarks/reading.py --pages FOLDER --jitter     and copies of them: cut, turned, scaled, with a margin

Made pages are of MNIST's test digits. Times are of one thread. Files of a folder make two halves, by the parity of
their place in sorted order; what is chosen on the first is reported on the second.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from inkdigits.data import DigitSet, load
from inkdigits.evaluation.reading import PageScore, pooled, score
from inkdigits.files import write_json
from inkdigits.imaging.files import page_images
from inkdigits.imaging.pixels import to_bytes
from inkdigits.reader import Reader, Reading
from inkdigits.synthetic.jitter import JITTER
from inkdigits.synthetic.pages import KINDS, make_page

HERE = Path(__file__).parent
CROPS = 200
PHOTO = 12e6  # pixels
Read = Callable[[Path], str]


def tools() -> dict[str, Read]:
    """Return the readers that can be run here."""
    found: dict[str, Read] = {}
    if shutil.which("tesseract"):
        for mode in ("6", "11"):
            found[f"tesseract --psm {mode}"] = lambda path, mode=mode: tesseract(path, mode)
    try:
        from rapidocr_onnxruntime import RapidOCR
    except ImportError:
        return found
    engine = RapidOCR()

    def rapid(path: Path) -> str:
        found, _ = engine(to_bytes(next(page_images(path)).pixels))
        return "\n".join(text for _, text, _ in found or ())

    return {**found, "rapidocr": rapid}


def tesseract(path: Path, mode: str) -> str:
    """Return what Tesseract reads with digits alone allowed."""
    with tempfile.TemporaryDirectory() as folder:
        upright = Path(folder) / "page.png"
        Image.fromarray(to_bytes(next(page_images(path)).pixels)).save(upright)
        command = ["tesseract", str(upright), "-", "--psm", mode, "-c", "tessedit_char_whitelist=0123456789"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@dataclass(frozen=True)
class Labelled:
    """A page with the digits on it."""

    path: Path
    digits: str
    rotated: bool


def labelled(folder: Path) -> list[Labelled]:
    """Return the pages of a folder in sorted order."""
    labels = sorted(json.loads((folder / "labels.json").read_text()), key=lambda label: label["file"])
    return [
        Labelled(folder / one["file"], "".join(one.get("lines", [one.get("text", "")])), bool(one.get("rotated")))
        for one in labels
    ]


def real(folder: Path, reader: Reader, jitter: bool) -> dict[str, object]:
    """Read the pages of a folder by every tool, and copies of them by ours; rotated pages are read by ours alone."""
    pages = labelled(folder)
    out: dict[str, object] = {}
    for name, change in JITTER.items() if jitter else [("as it is", JITTER["as it is"])]:
        start = time.process_time()
        scores = []
        for page in pages:
            picture = change(to_bytes(next(page_images(page.path)).pixels))
            scores.append(score(reader.read(picture).text, page.digits))
        out[name] = {
            **pooled(scores),
            "first_half": pooled(scores[::2]),
            "second_half": pooled(scores[1::2]),
            "cpu_seconds_per_page": (time.process_time() - start) / len(pages),
        }
        show(f"{folder.name}, {name}", out[name])
    upright = [page for page in pages if not page.rotated]
    for name, read in tools().items():
        out[name] = pooled([score(read(page.path), page.digits) for page in upright])
        show(f"{folder.name}, {name}", out[name])
    return out


def show(name: str, row: dict[str, object]) -> None:
    """Print one row of results."""
    print(
        f"{name:36} pooled {row['pooled']:.2%}  mean {row['mean']:.2%}  right {row['right']} of {row['pages']}",
        flush=True,
    )


def made(digits: DigitSet, reader: Reader, pages: int) -> dict[str, object]:
    """Read made pages of every kind."""
    out: dict[str, object] = {}
    for kind in KINDS:
        scores: list[PageScore] = []
        blank, refused = [], []
        start, spent = time.perf_counter(), 0.0
        for seed in range(pages):
            page = make_page(kind, digits.images, digits.labels, seed)
            start = time.perf_counter()
            reading = reader.read(page.image)
            spent += time.perf_counter() - start
            scores.append(score(reading.text, "".join(page.lines)))
            if kind == "boxes":
                blank += in_boxes(reading, page.lines, "_")
                refused += in_boxes(reading, page.lines, "x")
        out[kind] = {**pooled(scores), "seconds_per_page": spent / pages}
        if kind == "boxes":
            out[kind] |= {"blank_called_blank": np.mean(blank), "blanks": len(blank)}
            out[kind] |= {"letters_refused": np.mean(refused), "letters": len(refused)}
        print(kind, {key: round(float(value), 4) for key, value in out[kind].items()})
    return out


def in_boxes(reading: Reading, lines: tuple[str, ...], mark: str) -> list[bool]:
    """Return for every box that is blank (``_``) or holds a letter (``x``) whether it was taken for that."""
    truth = "".join(lines)
    found = reading.digits if len(reading.digits) == len(truth) else ()
    out = []
    for index, character in enumerate(truth):
        if character == mark:
            digit = found[index] if found else None
            out.append(digit is not None and (digit.reject == "blank" if mark == "_" else digit.digit is None))
    return out


def speed(digits: DigitSet, reader: Reader) -> dict[str, float]:
    """Time what is done warm, on one thread: a crop of 172x172, a photo of 12 megapixels; and the import, cold."""
    imports = []
    for code in ("import inkdigits.reader", "import inkdigits", "pass"):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        imports.append(time.perf_counter() - start)
    large = [cv2.resize(image, (112, 112), interpolation=cv2.INTER_CUBIC) for image in digits.images[:CROPS]]
    crops = [np.pad(255 - digit, 30, constant_values=255)[None] for digit in large]
    reader.predict(crops[0])
    start = time.perf_counter()
    for crop in crops:
        reader.predict(crop)
    crop_seconds = (time.perf_counter() - start) / CROPS
    pages = (make_page("plain", digits.images, digits.labels, seed) for seed in range(100, 1000))
    page = next(page for page in pages if sum(map(len, page.lines)) == 24)
    larger = (PHOTO / np.prod(page.image.shape[:2])) ** 0.5
    _, photo = cv2.imencode(".jpg", cv2.resize(page.image[..., ::-1], None, None, larger, larger))
    reader.read(photo.tobytes())
    start = time.perf_counter()
    for _ in range(5):
        reader.read(photo.tobytes())
    out = {
        "import_reader_seconds": imports[0] - imports[2],
        "import_seconds": imports[1] - imports[2],
        "crop_ms": 1000 * crop_seconds,
        "photo_12_megapixels_seconds": (time.perf_counter() - start) / 5,
    }
    print("speed", {key: round(value, 3) for key, value in out.items()})
    return out


def main() -> None:
    """Measure what the options ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=Path, nargs="*", default=[], help="folders of real pages")
    parser.add_argument("--jitter", action="store_true", help="read copies of the real pages too")
    parser.add_argument("--made", type=int, default=100, help="made pages of every kind")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--lines", type=Path)
    parser.add_argument("--out", type=Path, default=HERE / "reading.json")
    options = parser.parse_args()
    reader = Reader(options.model, threads=1, lines=options.lines)
    cv2.setNumThreads(1)
    mnist = load("mnist")
    if mnist.name != "mnist":
        parser.error(f"figures are of MNIST, not of {mnist.name}; let it be downloaded, or set INKDIGITS_DATA")
    results: dict[str, object] = {"models": [reader.name, reader.lines.name], "speed": speed(mnist.test, reader)}
    results["made"] = made(mnist.test, reader, options.made)
    for folder in options.pages:
        results[folder.name] = real(folder, reader, options.jitter)
    write_json(options.out, results)


if __name__ == "__main__":
    main()
