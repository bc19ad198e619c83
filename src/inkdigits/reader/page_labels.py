"""The truth of pages: labels.json, labels.csv, an export of Label Studio, or what a review page saved."""

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inkdigits.errors import DataError, UsageError
from inkdigits.escape import unguarded
from inkdigits.files import from_json, read_bytes
from inkdigits.reader.label_studio import annotated_numbers, is_export
from inkdigits.reader.results import Reading

NAMES = ("labels.json", "labels.csv")  # that are looked for in a folder
FILE_COLUMNS = ("file", "source", "filename", "image", "page_file")
NUMBER_COLUMNS = ("number", "text", "label", "truth", "value", "lines")
REVIEW_COLUMNS = {"source", "page", "line", "place", "truth"}


@dataclass(frozen=True)
class Correction:
    """A digit as a person read it: its line and place on the page; an empty text where no digit stands."""

    line: int
    place: int
    digit: str


@dataclass(frozen=True)
class PageLabels:
    """The truth of pages.

    Attributes
    ----------
    numbers
        By file, the numbers on it in reading order.
    corrections
        By file and page, what a review changed in a reading; what it did not show counts as right.
    """

    numbers: Mapping[Path, tuple[str, ...]]
    corrections: Mapping[tuple[Path, int], tuple[Correction, ...]]

    @property
    def files(self) -> list[Path]:
        """The labelled files, sorted."""
        return sorted({*self.numbers, *(path for path, _ in self.corrections)})

    def of(self, path: Path, reading: Reading) -> list[str]:
        """Return the numbers that stand on a page."""
        if path in self.numbers:
            return list(self.numbers[path]) if reading.page == 0 else []
        texts = [["" if d.digit is None else str(d.digit) for d in line.digits] for line in reading.lines]
        for correction in self.corrections.get((path, reading.page), ()):
            if not (correction.line < len(texts) and correction.place < len(texts[correction.line])):
                raise DataError(f"the review of {path} is of another reading; review it anew")
            texts[correction.line][correction.place] = correction.digit
        return ["".join(text) for text in texts]


def find_labels(folder: Path) -> Path:
    """Return the file of labels in a folder.

    Raises
    ------
    UsageError
        When the folder does not exist or holds none.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder; give the folder that holds the pages and their labels")
    for name in NAMES:
        if (folder / name).exists():
            return folder / name
    raise UsageError(f"{folder} holds neither {' nor '.join(NAMES)}; write one, or name the labels with --labels")


def read_labels(path: Path, folder: Path) -> PageLabels:
    """Return the labels of a file; names in it are relative to ``folder``.

    Raises
    ------
    UsageError
        When the file does not exist.
    DataError
        When it is of no known form, or names files that do not exist.
    """
    try:
        text = read_bytes(path).decode("utf-8-sig")
        labels = _from_json(text, folder) if path.suffix.lower() == ".json" else _from_csv(text, folder)
    except FileNotFoundError:
        raise UsageError(f"the labels {path} do not exist") from None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, csv.Error) as error:
        reason = str(error) if isinstance(error, DataError) else type(error).__name__
        raise DataError(
            f"cannot read the labels {path} ({reason}); "
            'give a list of {"file": …, "lines": […]}, or a CSV with the columns file and number'
        ) from None
    if not labels.files:
        raise DataError(f"{path} labels no page")
    missing = [file for file in labels.files if not file.exists()]
    if missing:
        raise DataError(f"{path} names {missing[0]}, which does not exist, and {len(missing) - 1} more such files")
    return labels


def _from_json(text: str, folder: Path) -> PageLabels:
    stated: Any = from_json(text, object)
    if is_export(stated):
        return PageLabels({folder / file: numbers for file, numbers in annotated_numbers(stated).items()}, {})
    pairs = stated.items() if isinstance(stated, dict) else ((one["file"], _numbers(one)) for one in stated)
    return PageLabels({folder / file: _as_numbers(numbers) for file, numbers in pairs}, {})


def _numbers(label: Mapping[str, Any]) -> Any:
    if label.get("cells") is not None:  # rows of a table
        return [number for row in label["cells"] for number in row]
    for name in ("numbers", "lines", "text", "number", "label"):
        if label.get(name) is not None:
            return label[name]
    raise KeyError("numbers")


def _as_numbers(value: Any) -> tuple[str, ...]:
    if isinstance(value, str | int):
        return tuple(str(value).split("\n"))
    return tuple(str(number) for number in value)


def _from_csv(text: str, folder: Path) -> PageLabels:
    rows = [row for row in csv.reader(text.splitlines(), skipinitialspace=True) if any(cell.strip() for cell in row)]
    head = [cell.strip().lower() for cell in rows[0]] if rows else []
    if set(head) >= REVIEW_COLUMNS:
        return PageLabels({}, _corrections([dict(zip(head, row, strict=True)) for row in rows[1:]]))
    file, number = _column(head, FILE_COLUMNS), _column(head, NUMBER_COLUMNS)
    if file is None or number is None:  # no head: a name and a number
        file, number, rows = 0, 1, [[], *rows]
    found: dict[Path, list[str]] = defaultdict(list)
    for row in rows[1:]:
        if len(row) <= max(file, number):
            raise DataError(f"a row has {len(row)} cells: {','.join(row)[:40]}")
        found[folder / unguarded(row[file].strip())] += row[number].strip().split("\n")
    return PageLabels({path: tuple(numbers) for path, numbers in found.items()}, {})


def _column(head: Sequence[str], names: Sequence[str]) -> int | None:
    return next((head.index(name) for name in names if name in head), None)


def _corrections(rows: Sequence[Mapping[str, str]]) -> dict[tuple[Path, int], tuple[Correction, ...]]:
    """Return corrections by file and page; the names in a review are those that were given to ``read``."""
    found: dict[tuple[Path, int], list[Correction]] = defaultdict(list)
    for row in rows:
        digit = row["truth"].strip()
        known = digit if len(digit) == 1 and digit in "0123456789" else ""
        found[Path(unguarded(row["source"])), int(row["page"])].append(
            Correction(int(row["line"]), int(row["place"]), known)
        )
    return {key: tuple(corrections) for key, corrections in found.items()}
