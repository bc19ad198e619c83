"""The pile: from read pages in any order to filled copies, with what is missing, double or of another form."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from inkdigits.forms.page_reader import FieldRead, PageRead
from inkdigits.forms.pages import Placement
from inkdigits.forms.values import UNREAD

BLANK, OTHER_FORM, UNREADABLE, DOUBLE, MISSING, JOINED, DOUBTFUL = (
    "blank", "other_form", "unreadable", "double", "missing", "joined", "doubtful",
)  # fmt: skip
KINDS = (UNREADABLE, OTHER_FORM, MISSING, DOUBLE, JOINED, BLANK, DOUBTFUL)  # of problems, the gravest first


@dataclass(frozen=True)
class Problem:
    """Something that a person must look at.

    Attributes
    ----------
    kind
        One of KINDS.
    message
        What is wrong and what to do.
    source, page
        The file, and the number of the page in it, from 1; empty and 0 where no page is meant.
    copy, field
        The number of the copy, and the name of the field, where one is meant.
    """

    kind: str
    message: str
    source: str = ""
    page: int = 0
    copy: int | None = None
    field: str = ""


@dataclass(frozen=True)
class Scanned:
    """A page of a file that was read: its place in the pile, and what was read; ``number`` counts from 1."""

    source: str
    number: int
    read: PageRead


@dataclass(frozen=True)
class FilledCopy:
    """A copy of the form that somebody filled.

    Attributes
    ----------
    copy, person
        As its codes say; copy 0 is not numbered.
    occurrence
        From 1; the second of a copy that is in the pile twice with other content has 2.
    pages
        Its pages by their number in the form.
    """

    copy: int
    person: str
    occurrence: int
    pages: dict[int, Scanned]

    @property
    def name(self) -> str:
        """A name for files and messages, such as ``3`` or ``3-2``."""
        return str(self.copy) if self.occurrence == 1 and self.copy else f"{self.copy}-{self.occurrence}"

    @property
    def fields(self) -> dict[str, tuple[Scanned, int, FieldRead]]:
        """What was read of each field: its page, its place among the fields of the page, and its values."""
        return {
            one.name: (scanned, place, one)
            for _, scanned in sorted(self.pages.items())
            for place, one in enumerate(scanned.read.fields)
        }


@dataclass(frozen=True)
class Pile:
    """The filled copies of a pile by number, and what is wrong with it."""

    copies: tuple[FilledCopy, ...]
    problems: tuple[Problem, ...]


def sort_pile(placement: Placement, pages: Sequence[Scanned]) -> Pile:
    """Return the filled copies of a pile."""
    groups: dict[tuple[int, str], dict[int, list[Scanned]]] = defaultdict(lambda: defaultdict(list))
    for scanned in pages:
        payload = scanned.read.payload
        groups[payload.copy, payload.person][payload.page].append(scanned)
    copies: list[FilledCopy] = []
    problems: list[Problem] = []
    for (copy, person), by_page in sorted(groups.items()):
        if copy:
            found = _numbered(copy, person, by_page, problems)
        else:
            found = _unnumbered(person, by_page, len(placement.pages), problems)
        for one in found:
            if one.occurrence == 1 or not copy:
                problems += _missing_pages(one, len(placement.pages))
        copies += found
    problems += _missing_copies([one.copy for one in copies])
    return Pile(tuple(copies), tuple(problems))


def _numbered(copy: int, person: str, by_page: dict[int, list[Scanned]], problems: list[Problem]) -> list[FilledCopy]:
    """Return one filled copy, and further ones for pages that are there again with other content."""
    first: dict[int, Scanned] = {}
    others: list[FilledCopy] = []
    for page, scans in sorted(by_page.items()):
        kept = [scans[0]]
        for scan in scans[1:]:
            twin = next((one for one in kept if _content(one) == _content(scan)), None)
            where = f"page {page} of copy {copy} is also {_place(kept[0])}"
            if twin is not None:
                message = f"{where}, with the same content; this one is left out"
            else:
                kept.append(scan)
                message = f"{where}, with other content; both are kept, look at them and delete one row"
            problems.append(Problem(DOUBLE, message, scan.source, scan.number, copy))
        first[page] = kept[0]
        others += [FilledCopy(copy, person, number, {page: scan}) for number, scan in enumerate(kept[1:], 2)]
    joined: dict[int, dict[int, Scanned]] = defaultdict(dict)
    for one in others:
        joined[one.occurrence] |= one.pages
    return [FilledCopy(copy, person, 1, first)] + [
        FilledCopy(copy, person, number, pages) for number, pages in sorted(joined.items())
    ]


def _content(scanned: Scanned) -> tuple[tuple[str, str | bytes], ...]:
    return tuple((one.name, one.values.value) for one in scanned.read.fields if one.values is not None)


def _unnumbered(
    person: str, by_page: dict[int, list[Scanned]], pages: int, problems: list[Problem]
) -> list[FilledCopy]:
    """Return filled copies that have no number: the first pages 1 and 2 belong together, the second ones, and so on."""
    count = max(len(scans) for scans in by_page.values())
    if pages > 1 and count > 1:
        problems.append(
            Problem(
                JOINED, "the copies are not numbered, so their pages were joined in the order of the pile; check it"
            )
        )
    return [
        FilledCopy(0, person, index + 1, {page: scans[index] for page, scans in by_page.items() if index < len(scans)})
        for index in range(count)
    ]


def _missing_pages(one: FilledCopy, pages: int) -> Iterable[Problem]:
    for page in range(1, pages + 1):
        if page not in one.pages:
            name = f"copy {one.name}" if one.copy else f"the {one.occurrence}. copy without a number"
            yield Problem(MISSING, f"page {page} of {name} is not in the pile; scan it too", copy=one.copy)


def _missing_copies(numbers: Sequence[int]) -> list[Problem]:
    known = {number for number in numbers if number}
    gaps = [number for number in range(1, max(known, default=0)) if number not in known]
    if not gaps:
        return []
    shown = ", ".join(map(str, gaps[:20])) + (" and more" if len(gaps) > 20 else "")
    what = f"copy {shown} is" if len(gaps) == 1 else f"{len(gaps)} copies are"
    return [Problem(MISSING, f"{what} not in the pile" + ("" if len(gaps) == 1 else f": {shown}"))]


def _place(scanned: Scanned) -> str:
    return f"page {scanned.number} of {scanned.source}"


def is_unread(value: str) -> bool:
    """Return whether a value has a place that could not be read."""
    return UNREAD in value
