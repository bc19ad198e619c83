"""How well sheets of forms that exist already are found and read, with a template made from their blank.

python benchmarks/existing_forms.py --forms 40            made forms, each with a blank, filled sheets and other forms
python benchmarks/existing_forms.py --real FOLDER         crops of real forms, whose blanks are made from themselves

A made form has a title, texts, a table and fields at random places. Its sheets are filled with MNIST's digits, scanned
and photographed with skew, perspective and shadows. Each sheet is also matched with other forms, and with a version of
its own form in which a part was moved. The forms of even number serve to choose the threshold of agreement, the others
to report it.
"""

import argparse
import json
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pypdfium2
from reportlab.pdfgen.canvas import Canvas

from inkdigits.data import load
from inkdigits.errors import DataError
from inkdigits.files import write_json
from inkdigits.forms.blank_sheets import BlankSheets
from inkdigits.forms.blanks import load_blanks
from inkdigits.forms.decisions import THRESHOLD, decide
from inkdigits.forms.design import load_design
from inkdigits.forms.files import page_reader
from inkdigits.forms.pages import Box
from inkdigits.forms.pile import FilledCopy, Scanned
from inkdigits.forms.placement import place
from inkdigits.forms.template import level, read_sheets, write_template
from inkdigits.imaging.binarize import binarize, normalize_background
from inkdigits.imaging.files import read_pixels
from inkdigits.imaging.form_boxes import find_form_boxes
from inkdigits.imaging.pixels import to_grey
from inkdigits.imaging.rectangles import find_rectangles
from inkdigits.synthetic.filled_forms import Entry, Filling, fill_page
from inkdigits.synthetic.form_scans import Photographing, Scanning, photograph, scan
from inkdigits.synthetic.pens import SampleGlyphs, SampleWriter

HERE = Path(__file__).parent
MM = 72 / 25.4
WORDS = [
    "station",
    "date",
    "remarks",
    "number",
    "candidate",
    "total",
    "name",
    "of",
    "the",
    "officer",
    "signature",
    "ward",
    "result",
    "valid",
    "votes",
    "blank",
    "student",
    "exam",
    "sheet",
    "mark",
    "points",
    "question",
    "course",
    "room",
    "seat",
    "teacher",
    "sample",
    "batch",
    "weight",
    "depth",
    "temperature",
    "clinic",
    "patient",
    "age",
]
SCANNING = Scanning(turn=2.0, shift=2.0)
PHOTOGRAPHING = Photographing(curl=1.0)


REAL = {  # crops of real forms: how their fields are declared, and what is written there, field by field
    "MarkUsProject__Markus__student_info_crop.jpg": ("shorter", ["0001250981"]),
    "kawalc1__kawalc1__bengkulu_contoh_crop.jpg": ("integer", ["140", "105", "245", "19"]),
    "InternationalIDEA__c.digital__data_sample_01_crop.jpg": (
        "integer",
        [
            "165",
            "183",
            "348",
            "10",
            "9",
            "19",
            "12",
            "7",
            "19",
            "187",
            "199",
            "386",
            "140",
            "150",
            "290",
            "8",
            "6",
            "14",
            "10",
            "7",
            "17",
            "158",
            "163",
            "321",
        ],
    ),
    "Submitty__Submitty__04_numeric_id_scan_p08_crop.png": ("digits", ["755670469"]),
    "Submitty__Submitty__04_numeric_id_scan_p34_crop.png": ("digits", ["370562120"]),
    "BGuragain1__form__year_cgpa_crop.png": ("number", ["2078", "3.75"]),
    "BGuragain1__form__year_cgpa2_crop.png": ("number", ["2079", "3.65"]),
}


class Drawing:
    """A page of a made form in the making; ``digits`` are the boxes of each number, mm."""

    def __init__(self, canvas: Canvas, rng: np.random.Generator) -> None:
        self.canvas, self.rng = canvas, rng
        self.digits: list[list[Box]] = []
        self.line = float(rng.uniform(0.3, 1.2))

    def text(self, left: float, top: float, words: int, size: float) -> None:
        """Print some words."""
        self.canvas.setFont("Helvetica", size)
        self.canvas.drawString(left * MM, (297 - top) * MM, " ".join(self.rng.choice(WORDS, words)))

    def box(self, left: float, top: float, width: float, height: float) -> Box:
        """Draw a box."""
        self.canvas.setLineWidth(self.line)
        self.canvas.rect(left * MM, (297 - top - height) * MM, width * MM, height * MM)
        return Box(left, top, width, height)

    def number(self, left: float, top: float, length: int, size: tuple[float, float], gap: float) -> None:
        """Draw the boxes of a number."""
        self.digits.append([self.box(left + n * (size[0] + gap), top, *size) for n in range(length)])


def draw_form(path: Path, number: int, moved: bool = False) -> list[list[Box]]:
    """Draw a blank; ``moved`` draws a version in which the lower half stands 9 mm lower. Return the digit boxes."""
    rng = np.random.default_rng((5, number))
    canvas = Canvas(str(path), pagesize=(210 * MM, 297 * MM), invariant=1)
    page = Drawing(canvas, rng)
    page.text(20, 22, int(rng.integers(2, 6)), 18)
    size = (float(rng.uniform(5.5, 8.5)), float(rng.uniform(6.5, 10)))
    gap = float(rng.choice([0.0, 1.0, 2.0]))
    y = 34.0
    for row in range(int(rng.integers(5, 9))):
        if moved and row == 3:
            y += 9
        page.text(20, y + 5, int(rng.integers(1, 4)), 10)
        left = float(rng.uniform(75, 85))
        page.number(left, y, int(rng.integers(1, 10)), size, gap)
        y += size[1] + float(rng.uniform(4, 9))
    lines, columns = int(rng.integers(3, 7)), int(rng.integers(2, 4))
    for _ in range(lines):
        page.text(20, y + 5, 1, 9)
        for column in range(columns):
            page.number(60 + column * 45, y, 3, size, 0.0)
        y += size[1] + 1.5
    y += 6
    for _ in range(int(rng.integers(1, 5))):
        page.text(20, y, int(rng.integers(6, 12)), 9)
        y += 5
    canvas.save()
    return page.digits


def rendered(path: Path, dpi: float) -> np.ndarray:
    """Return the page of a PDF, grey uint8 (H, W)."""
    document = pypdfium2.PdfDocument(path)
    pixels = document[0].render(scale=dpi / 72, grayscale=True).to_numpy()
    document.close()
    return np.array(pixels.reshape(pixels.shape[:2]), np.uint8)


def made(forms: int) -> Iterator[dict[str, Any]]:
    """Yield what was found on each sheet of the made forms."""
    digits = load("mnist")
    samples = SampleGlyphs(digits.train.split(5000, seed=0)[1]), SampleGlyphs(digits.test)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        placements, boxes = [], []
        for number in range(forms):
            boxes.append(draw_form(folder / f"form{number}.pdf", number))
            write_template(read_sheets(folder / f"form{number}.pdf"), folder / f"form{number}.toml")
            placements.append(place(load_design(folder / f"form{number}.toml")))
        locators = [BlankSheets(one, load_blanks(one, folder)) for one in placements]
        for number in range(forms):
            rng = np.random.default_rng((6, number))
            reader = page_reader(placements[number], (), None, None, folder)
            dpi = int(rng.integers(150, 301))
            writer = SampleWriter(samples[number % 2], rng)
            answers = ["".join(map(str, rng.integers(0, 10, len(row)))) for row in boxes[number]]
            entries = [
                Entry((box.left, box.top, box.width, box.height), digit)
                for row, answer in zip(boxes[number], answers, strict=True)
                for box, digit in zip(row, answer, strict=True)
            ]
            filled = fill_page(rendered(folder / f"form{number}.pdf", dpi), entries, writer, dpi, rng, Filling(0, 0))
            photo = bool(rng.random() < 0.5)
            seen = (
                photograph(filled.image, dpi, rng, PHOTOGRAPHING) if photo else scan(filled.image, dpi, rng, SCANNING)
            )
            facts = {"form": number, "how": "photo" if photo else "scan", "dpi": dpi}
            facts["proposed"] = _proposed(placements[number], boxes[number])
            facts |= _own(reader, placements[number], seen, boxes[number], answers)
            facts["own"] = _agreement(locators[number], seen)
            facts["others"] = [_agreement(locators[(number + step) % forms], seen) for step in (1,)]
            draw_form(folder / "moved.pdf", number, moved=True)
            moved = fill_page(rendered(folder / "moved.pdf", dpi), [], writer, dpi, rng, Filling(0, 0)).image
            facts["moved"] = _agreement(locators[number], scan(moved, dpi, rng, SCANNING))
            yield facts


def _agreement(locator: BlankSheets, picture: np.ndarray) -> float:
    found = locator.match(to_grey(picture))
    return -1.0 if found is None else round(found.agreement, 3)


def _proposed(placement: Any, boxes: list[list[Box]]) -> float:
    """Return the share of the rows of digit boxes that are one proposed field of the kind digits."""
    fields = [one for one in placement.fields if one.field.kind == "digits"]

    def same(row: list[Box]) -> bool:
        return any(
            len(one.boxes) == len(row)
            and all(
                abs(a.left - b.left) < 0.5 and abs(a.top - b.top) < 0.5 for a, b in zip(one.boxes, row, strict=True)
            )
            for one in fields
        )

    return sum(map(same, boxes)) / len(boxes)


def _own(reader: Any, placement: Any, seen: np.ndarray, boxes: list[list[Box]], answers: list[str]) -> dict[str, Any]:
    """Read a sheet with the template of its own form."""
    start = time.process_time()
    try:
        read = reader.read(seen)
    except DataError as error:
        return {"error": str(error)}
    decisions, _ = decide(placement, FilledCopy(0, "", 1, {1: Scanned("", 1, read)}), THRESHOLD)
    seconds = time.process_time() - start
    truth = {(round(row[0].left), round(row[0].top)): answer for row, answer in zip(boxes, answers, strict=True)}
    by_name = {one.name: one for one in decisions}
    right = wrong = doubtful = 0
    for placed in placement.fields:
        first = placed.boxes[0]
        answer = next((a for (x, y), a in truth.items() if abs(first.left - x) < 1 and abs(first.top - y) < 1), None)
        if answer is not None and len(answer) == len(placed.boxes):
            one = by_name[placed.name]
            doubtful += one.doubtful
            wrong += not one.doubtful and one.value != answer
            right += not one.doubtful and one.value == answer
    return {"right": right, "wrong": wrong, "doubtful": doubtful, "seconds": round(seconds, 2)}


def real(folders: list[Path]) -> Iterator[dict[str, Any]]:
    """Yield what was read on each crop of a real form: as it is, and skewed, in perspective and shaded."""
    for name, (kind, truth) in REAL.items():
        path = next((folder / name for folder in folders if (folder / name).exists()), None)
        if path is None:
            continue
        picture = level(to_grey(read_pixels(path)))
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            cv2.imwrite(str(folder / "blank.png"), emptied(picture, kind))
            design = folder / "form.toml"
            write_template(read_sheets(folder / "blank.png"), design)
            design.write_text(declared(design.read_text(), kind))
            placement = place(load_design(design))
            reader = page_reader(placement, (), None, None, folder)
            for how, seen in (("as it is", picture), ("skewed and shaded", disturbed(picture))):
                agreement = _agreement(BlankSheets(placement, load_blanks(placement, folder)), seen)
                yield {"file": name, "how": how, "agreement": agreement, **_read(reader, placement, seen, truth)}


def _read(reader: Any, placement: Any, seen: np.ndarray, truth: list[str]) -> dict[str, Any]:
    try:
        read = reader.read(seen)
    except DataError as error:
        return {"error": str(error)}
    decisions, _ = decide(placement, FilledCopy(0, "", 1, {1: Scanned("", 1, read)}), THRESHOLD)
    values = [
        f"{one.value} {one.confidence:.3f}{'' if not one.doubtful else ' (' + ', '.join(one.reasons) + ')'}"
        for one in decisions
    ]
    if len(decisions) != len(truth):
        return {"error": f"{len(decisions)} fields were proposed, and there are {len(truth)}", "values": values}
    pairs = list(zip(decisions, truth, strict=True))
    return {
        "right": sum(not one.doubtful and one.value == answer for one, answer in pairs),
        "doubtful": sum(one.doubtful for one, _ in pairs),
        "wrong": sum(not one.doubtful and one.value != answer for one, answer in pairs),
        "values": values,
    }


def emptied(picture: np.ndarray, kind: str) -> np.ndarray:
    """Return a filled form without its writing: what its boxes have in common is printed, the rest is paper."""
    ink = normalize_background(picture)
    mask, faint = binarize(ink)
    boxes: list[Any] = [box.inside for box in find_form_boxes(ink, mask, faint)]
    if kind == "number":
        corners = find_rectangles(faint, 20)
        boxes = [(*(c.min(0) + 2).astype(int), *(np.ptp(c, axis=0) - 3).astype(int)) for c in corners]
    out = picture.copy()
    common = None
    if len(boxes) > 2:
        size = tuple(int(np.median([box[axis] for box in boxes])) for axis in (2, 3))
        insides = [cv2.resize(picture[y : y + h, x : x + w], size) for x, y, w, h in boxes]
        common = np.percentile(np.stack(insides), 75, axis=0).astype(np.uint8)
    for x, y, w, h in boxes:
        part = out[y : y + h, x : x + w]
        part[:] = np.percentile(part, 90) if common is None else cv2.resize(common, (w, h))
    return out


def declared(text: str, kind: str) -> str:
    """Return a design in which the proposed fields have the kind that their owner would give them."""
    if kind == "shorter":
        return text.replace("length = ", "shorter = true\nlength = ")
    if kind != "number":  # cells of the table around the fields are no fields
        text = re.sub(r'\[\[fields\]\]\nkind = "number".*?\n\]\n', "", text, flags=re.DOTALL)
    if kind == "integer":
        text = text.replace('kind = "digits"', 'kind = "integer"\noptional = true')
        return re.sub(r"length = (\d+)", lambda found: f"maximum = {'9' * int(found[1])}", text)
    return text


def disturbed(picture: np.ndarray) -> np.ndarray:
    """Return a picture as a phone sees it: skewed, in perspective, with a shadow on a side, on more paper."""
    pad = max(20, round(0.08 * min(picture.shape)))
    level = int(np.percentile(picture, 90))
    wide = cv2.copyMakeBorder(picture, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=level)
    height, width = wide.shape
    angle = np.radians(2.0)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], float)
    middle = np.array([width, height]) / 2
    seen = (corners - middle) @ turn.T * 0.95 + middle + np.array([[2, 1], [-3, 2], [1, -1], [0, 2]])
    matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), seen.astype(np.float32))
    turned = cv2.warpPerspective(wide, matrix, (width, height), borderValue=level)
    light = np.linspace(1.0, 0.6, width)[None] * np.linspace(1.0, 0.9, height)[:, None]
    return np.asarray(turned * light, np.uint8)


def main() -> None:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--forms", type=int, default=40)
    parser.add_argument("--real", type=Path, nargs="+", help="folders with the crops of real forms")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    if options.real:
        for row in real(options.real):
            print(json.dumps(row), flush=True)
        return
    rows = []
    for row in made(options.forms):
        rows.append(row)
        print(json.dumps(row), flush=True)
    write_json(HERE / "existing_forms.json", {"sheets": rows})


if __name__ == "__main__":
    main()
