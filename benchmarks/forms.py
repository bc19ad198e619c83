"""How well, and how fast, filled sheets of a form are read: made sheets, scanned and photographed, with known answers.

python benchmarks/forms.py --sheets 200           sheets that were read are kept in build/forms, so a run goes on where
                                                  it was interrupted


The sheets of even number are filled with MNIST's validation digits, those of odd number with its test digits. What is
chosen on the first half is reported on the second. Each sheet has one writer: strokes, neat strokes, or samples of
MNIST, and 5 % of the digits are crossed out. A part of the sheets has a wrong sum, check digit or roster number.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pypdfium2

from inkdigits.data import load
from inkdigits.errors import DataError
from inkdigits.files import write_json
from inkdigits.forms.answers import draw_answers
from inkdigits.forms.decisions import THRESHOLD, decide
from inkdigits.forms.design import parse_design
from inkdigits.forms.fields import Choice, Date, DigitField, Roster
from inkdigits.forms.files import page_reader
from inkdigits.forms.page_reader import PageReader
from inkdigits.forms.pages import PlacedField, Placement
from inkdigits.forms.pile import FilledCopy, Scanned
from inkdigits.forms.placement import place
from inkdigits.forms.printing import numbered, print_form
from inkdigits.forms.values import rule_for
from inkdigits.synthetic.filled_forms import BLANK_BOX, WRITTEN, Entry, Filling, NeatWriter, fill_page
from inkdigits.synthetic.form_scans import photograph, scan
from inkdigits.synthetic.pens import SampleGlyphs, SampleWriter, StrokeWriter, Writer

HERE = Path(__file__).parent
CACHE = HERE.parent / "build" / "forms"
PEOPLE = 120  # numbers of the roster
WRONG = 0.15  # share of the sheets with one wrong sum, check digit or number
PHOTOS = 0.4  # share of the sheets that are photographed
DPI = (150, 300)
DESIGN = """
name = "bench"
title = "A form to measure with"
[[fields]]
kind = "roster"
name = "person"
length = 6
[[fields]]
kind = "digits"
name = "account"
length = 8
check = "luhn"
[[fields]]
kind = "date"
name = "day"
earliest = 2020-01-01
latest = 2029-12-31
[[fields]]
kind = "choice"
name = "group"
options = ["A", "B", "C", "D"]
[[fields]]
kind = "decimal"
name = "weight"
before = 3
after = 1
[[fields]]
kind = "integer"
name = "age"
maximum = 120
beside = true
[[fields]]
kind = "rows"
name = "tasks"
count = 10
fields = [
  {kind = "integer", name = "points", maximum = 20},
  {kind = "choice", name = "again", options = ["yes"], optional = true},
]
[[fields]]
kind = "integer"
name = "total"
maximum = 200
[[sums]]
total = "total"
parts = ["tasks.points"]
"""


@dataclass(frozen=True)
class Bench:
    """The printed form, its reader, and the writers of the two halves."""

    placement: Placement
    printed: pypdfium2.PdfDocument
    reader: PageReader
    people: tuple[str, ...]
    samples: tuple[SampleGlyphs, SampleGlyphs]


def prepare(sheets: int, folder: Path) -> Bench:
    """Print the form and load digits and models."""
    placement = place(parse_design(DESIGN))
    path = folder / "form.pdf"
    print_form(placement, numbered(sheets), path)
    mnist = load("mnist")
    validation = mnist.train.split(5000, seed=0)[1]
    rng = np.random.default_rng(7)
    people = tuple(f"{number:06}" for number in sorted(rng.choice(10**6, PEOPLE, replace=False)))
    reader = page_reader(placement, people, None, None)
    samples = SampleGlyphs(validation), SampleGlyphs(mnist.test)
    return Bench(placement, pypdfium2.PdfDocument(path), reader, people, samples)


def writer_of(bench: Bench, number: int, rng: np.random.Generator) -> tuple[str, Writer]:
    """Return the writer of a sheet with its kind."""
    kind = ("samples", "neat", "samples", "strokes")[number // 2 % 4]
    if kind == "samples":
        return kind, SampleWriter(bench.samples[number % 2], rng)
    return kind, NeatWriter(rng) if kind == "neat" else StrokeWriter(rng)


def spoil(bench: Bench, answers: dict[str, str], rng: np.random.Generator) -> str:
    """Write one wrong sum, check digit or number into the answers; return the name of the field."""
    name = ("total", "account", "person")[rng.integers(3)]
    text = answers[name]
    places = [index for index, character in enumerate(text) if character != " "]
    index = int(rng.choice(places))
    digit = str((int(text[index]) + int(rng.integers(1, 10))) % 10)
    answers[name] = text[:index] + digit + text[index + 1 :]
    return name if answers[name] not in bench.people else ""


def read_sheet(bench: Bench, number: int) -> dict[str, Any]:
    """Make a sheet and read it; return what was found beside the truth."""
    rng = np.random.default_rng((1, number))
    kind, writer = writer_of(bench, number, rng)
    answers = draw_answers(bench.placement, rng, [bench.people[rng.integers(PEOPLE)]])
    wrong = spoil(bench, answers, rng) if rng.random() < WRONG else ""
    dpi = int(rng.integers(DPI[0], DPI[1] + 1))
    blank = bench.printed[number].render(scale=dpi / 72, grayscale=True).to_numpy().squeeze().copy()
    (page,) = bench.placement.pages
    entries = [
        Entry((box.left, box.top, box.width, box.height), text)
        for field in page.fields
        for box, text in zip(field.boxes, answers[field.name], strict=True)
    ]
    filled = fill_page(blank, entries, writer, dpi, rng, Filling())
    photo = bool(rng.random() < PHOTOS)
    picture = photograph(filled.image, dpi, rng) if photo else scan(filled.image, dpi, rng)
    facts = {"sheet": number, "writer": kind, "how": "photo" if photo else "scan", "dpi": dpi, "wrong": wrong}
    start = time.process_time()
    try:
        read = bench.reader.read(picture)
    except DataError as error:
        return facts | {"error": str(error)}
    facts |= {"copy": read.payload.copy, "found_marks": read.marks}
    decisions, sums = decide(bench.placement, FilledCopy(number + 1, "", 1, {1: Scanned("", 1, read)}), 0.0)
    facts |= {"seconds": time.process_time() - start, "wrong_sums": [one.total for one in sums]}
    states = iter(filled.states)
    by_name = {one.name: one for one in decisions}
    facts["fields"] = [
        {
            "name": field.name,
            "kind": field.field.kind,
            "truth": truth(field, answers[field.name]),
            "digits": sum(state != BLANK_BOX for state in own),
            "bad": any(state not in (BLANK_BOX, WRITTEN) for state in own),
            "value": by_name[field.name].value,
            "confidence": by_name[field.name].confidence,
            "reasons": list(by_name[field.name].reasons),
        }
        for field in page.fields
        for own in [[next(states) for _ in field.boxes]]
    ]
    return facts


def truth(field: PlacedField, answer: str) -> str:
    """Return the value of an answer, as it stands in the table."""
    design = field.field
    if isinstance(design, Choice):
        return "; ".join(option for option, mark in zip(design.options, answer, strict=True) if mark != " ")
    assert isinstance(design, DigitField)
    if not answer.strip():
        return ""
    if isinstance(design, Roster):
        return answer
    return rule_for(design).value(answer) or (answer if not isinstance(design, Date) else "")


def rows(sheets: int) -> Iterator[dict[str, Any]]:
    """Yield what was read of each sheet; those that are kept are not read again."""
    cv2.setNumThreads(1)
    CACHE.mkdir(parents=True, exist_ok=True)
    path = CACHE / "sheets.jsonl"
    kept = {row["sheet"]: row for row in map(json.loads, path.read_text().splitlines())} if path.exists() else {}
    missing = [number for number in range(sheets) if number not in kept]
    if missing:
        with tempfile.TemporaryDirectory() as folder, path.open("a") as file:
            bench = prepare(sheets, Path(folder))
            for number in missing:
                kept[number] = read_sheet(bench, number)
                file.write(json.dumps(kept[number]) + "\n")
                file.flush()
                print(f"sheet {number + 1} of {sheets}", end="\r", flush=True)
    for number in range(sheets):
        yield kept[number]


def accepted(field: dict[str, Any], threshold: float) -> bool:
    """Return whether a field was accepted."""
    return field["confidence"] >= threshold and not field["reasons"]


def figures(sheets: list[dict[str, Any]], threshold: float) -> dict[str, Any]:
    """Return the figures of some sheets."""
    read = [sheet for sheet in sheets if "fields" in sheet]
    fields = [
        field | {"writer": sheet["writer"], "wrong": sheet["wrong"]} for sheet in read for field in sheet["fields"]
    ]
    digits = [field for field in fields if field["kind"] != "choice" and field["digits"] and not field["bad"]]
    taken = [field for field in fields if accepted(field, threshold)]
    bad = [field for field in fields if field["bad"]]
    spoiled = [field for sheet in read for field in sheet["fields"] if sheet["wrong"] == field["name"]]
    seconds = [sheet["seconds"] for sheet in read]
    return {
        "sheets": len(sheets),
        "registered": len(read) / max(1, len(sheets)),
        "swapped": sum(sheet["copy"] != sheet["sheet"] + 1 for sheet in read),
        "fields": len(fields),
        "accepted_fields": len(taken),
        "accepted_wrong": sum(field["value"] != field["truth"] for field in taken),
        "accepted_of_written": {
            writer: _share([accepted(field, threshold) for field in digits if writer in ("all", field["writer"])])
            for writer in ("all", "neat", "samples", "strokes")
        },
        "digits_accepted_of_written": {
            writer: _weighted(
                [
                    (accepted(field, threshold), field["digits"])
                    for field in digits
                    if writer in ("all", field["writer"])
                ]
            )
            for writer in ("all", "neat", "samples", "strokes")
        },
        "crossed_out_fields": len(bad),
        "crossed_out_accepted_wrong": sum(accepted(f, threshold) and f["value"] != f["truth"] for f in bad),
        "errors_present": len(spoiled),
        "errors_found": sum(not accepted(field, threshold) for field in spoiled),
        "seconds_a_page_median": float(np.median(seconds)) if seconds else None,
        "seconds_a_page_95_percent": float(np.quantile(seconds, 0.95)) if seconds else None,
    }


def _share(values: list[bool]) -> float:
    return sum(values) / max(1, len(values))


def _weighted(values: list[tuple[bool, int]]) -> float:
    return sum(weight for value, weight in values if value) / max(1, sum(weight for _, weight in values))


def main() -> None:
    """Read the sheets, print the figures and write them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sheets", type=int, default=200)
    parser.add_argument("--threshold", type=float, default=THRESHOLD)
    options = parser.parse_args()
    found = list(rows(options.sheets))
    half = {
        "chosen on (even sheets, validation digits)": figures(found[::2], options.threshold),
        "reported on (odd sheets, test digits)": figures(found[1::2], options.threshold),
    }
    print(json.dumps(half, indent=2))
    write_json(HERE / "forms.json", {"threshold": options.threshold, **half})


if __name__ == "__main__":
    main()
