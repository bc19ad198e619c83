"""Makes a pile of filled sheets: prints a form, fills it by hand, and scans or photographs it. Its truth is known."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from inkdigits.forms.answers import draw_answers
from inkdigits.forms.pages import PlacedPage, Placement
from inkdigits.synthetic.filled_forms import Entry, Filling, Picture, fill_page
from inkdigits.synthetic.form_scans import Photographing, Scanning, photograph, scan

if TYPE_CHECKING:
    from inkdigits.forms.printing import Copy
    from inkdigits.synthetic.pens import Writer

Writers = Callable[[np.random.Generator], "Writer"]


@dataclass(frozen=True)
class Pile:
    """How a pile is made."""

    photos: float = 0.4  # share of the sheets that are photographed, not scanned
    dpi: tuple[int, int] = (150, 300)  # of scans, and what the sheet has in photos
    filling: Filling = field(default_factory=Filling)
    scanning: Scanning = field(default_factory=Scanning)
    photographing: Photographing = field(default_factory=Photographing)


@dataclass(frozen=True)
class Sheet:
    """A filled sheet as it was scanned, and its truth.

    ``answers`` has the characters in the boxes of each field of the page, ``states`` what happened to each box:
    ``blank``, ``written``, ``crossed_out`` or ``overwritten``.
    """

    image: Picture
    page: int
    copy: int
    person: str
    how: str  # scan or photo
    dpi: int
    stained: bool
    answers: dict[str, str]
    states: dict[str, tuple[str, ...]]

    def truth(self) -> dict[str, Any]:
        """Return all but the image, for JSON."""
        return {key: value for key, value in asdict(self).items() if key != "image"}


def make_pile(
    placement: Placement,
    copies: Sequence["Copy"],
    blank: Callable[[int, float], Picture],
    writers: Writers,
    seed: int,
    pile: Pile | None = None,
    numbers: Sequence[str] = (),
) -> Iterator[Sheet]:
    """Yield the filled sheets of the copies of a form, page by page.

    Parameters
    ----------
    blank
        Returns a page of the printed PDF, counted from 0, at a resolution in dots per inch.
    writers
        Returns a writer; each copy has one of its own.
    numbers
        For the fields of the kind roster: that of the first copy, of the second, and so on.
    """
    pile = pile or Pile()
    for index, copy in enumerate(copies):
        rng = np.random.default_rng((seed, index))
        answers = draw_answers(placement, rng, numbers[index : index + 1])
        writer = writers(rng)
        for page in placement.pages:
            dpi = int(rng.integers(pile.dpi[0], pile.dpi[1] + 1))
            picture = blank(index * len(placement.pages) + page.number - 1, dpi)
            filled = fill_page(picture, list(_entries(page, answers)), writer, dpi, rng, pile.filling)
            photo = bool(rng.random() < pile.photos)
            seen = (
                photograph(filled.image, dpi, rng, pile.photographing)
                if photo
                else scan(filled.image, dpi, rng, pile.scanning)
            )
            yield Sheet(
                image=seen,
                page=page.number,
                copy=copy.number,
                person=copy.person.id if copy.person else "",
                how="photo" if photo else "scan",
                dpi=dpi,
                stained=filled.stained,
                answers={one.name: answers[one.name] for one in page.fields},
                states=_states(page, filled.states),
            )


def _entries(page: PlacedPage, answers: dict[str, str]) -> Iterator[Entry]:
    for one in page.fields:
        for box, text in zip(one.boxes, answers[one.name], strict=True):
            yield Entry((box.left, box.top, box.width, box.height), text)


def _states(page: PlacedPage, states: Sequence[str]) -> dict[str, tuple[str, ...]]:
    rest = iter(states)
    return {one.name: tuple(next(rest) for _ in one.boxes) for one in page.fields}
