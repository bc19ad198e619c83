"""A pile in any order becomes filled copies; what is missing, double or unnumbered is named, and nothing is lost."""

import pytest

from inkdigits.forms.design import parse_design
from inkdigits.forms.pages import Placement
from inkdigits.forms.pile import DOUBLE, JOINED, MISSING, Pile, sort_pile
from inkdigits.forms.placement import place
from tests.forms.readings import scanned, values


@pytest.fixture(scope="module")
def form() -> Placement:
    """A form of two pages."""
    fields = '{kind = "digits", name = "a", length = 3}, {kind = "digits", name = "b", length = 3, new_page = true}'
    return place(parse_design(f'name = "two"\ntitle = "Two pages"\nfields = [{fields}]'))


def kinds(pile: Pile) -> list[str]:
    return [one.kind for one in pile.problems]


def test_pages_in_any_order_become_copies(form: Placement) -> None:
    pages = [scanned(form, {}, copy, page) for copy, page in ((2, 2), (1, 1), (2, 1), (1, 2))]
    pile = sort_pile(form, pages)
    assert [(one.copy, sorted(one.pages)) for one in pile.copies] == [(1, [1, 2]), (2, [1, 2])]
    assert pile.copies[1].pages[2] is pages[0]
    assert pile.problems == ()


def test_missing_pages_and_copies_are_named(form: Placement) -> None:
    pile = sort_pile(form, [scanned(form, {}, copy, page) for copy, page in ((1, 1), (1, 2), (4, 2))])
    assert kinds(pile) == [MISSING, MISSING]
    assert [one.message for one in pile.problems] == [
        "page 1 of copy 4 is not in the pile; scan it too",
        "2 copies are not in the pile: 2, 3",
    ]


def test_a_page_that_was_scanned_twice_is_taken_once(form: Placement) -> None:
    pages = [scanned(form, {"a": values("123")}, 1, 1, number=number) for number in (1, 7)]
    pile = sort_pile(form, [*pages, scanned(form, {}, 1, 2)])
    assert len(pile.copies) == 1
    assert pile.copies[0].pages[1].number == 1
    ((double),) = pile.problems
    assert (double.kind, double.page, double.copy) == (DOUBLE, 7, 1)
    assert "is also page 1 of pile.pdf, with the same content" in double.message


def test_of_a_page_that_is_there_twice_with_other_content_both_are_kept(form: Placement) -> None:
    pages = [
        scanned(form, {"a": values(text)}, 1, 1, number=number) for number, text in enumerate(("123", "456", "789"))
    ]
    pile = sort_pile(form, [*pages, scanned(form, {}, 1, 2)])
    assert [one.name for one in pile.copies] == ["1", "1-2", "1-3"]
    assert [one.fields["a"][2].values.value for one in pile.copies if one.fields["a"][2].values] == [
        "123",
        "456",
        "789",
    ]
    assert kinds(pile) == [DOUBLE, DOUBLE]  # and no missing second page of the further ones


def test_copies_without_a_number_stay_apart(form: Placement) -> None:
    single = place(parse_design('name = "one"\ntitle = "A"\nfields = [{kind = "digits", name = "a", length = 3}]'))
    pile = sort_pile(single, [scanned(single, {"a": values("123")}, copy=0, number=number) for number in (1, 2)])
    assert [one.name for one in pile.copies] == ["0-1", "0-2"]
    assert pile.problems == ()


def test_pages_without_a_number_are_joined_in_order_and_that_is_said(form: Placement) -> None:
    pages = [scanned(form, {}, 0, page, number=number) for number, page in enumerate((1, 2, 1, 2), 1)]
    pile = sort_pile(form, pages)
    assert [[page.number for page in one.pages.values()] for one in pile.copies] == [[1, 2], [3, 4]]
    assert kinds(pile) == [JOINED]


def test_copies_of_different_people_stay_apart(form: Placement) -> None:
    pages = [scanned(form, {}, 1, page, person=person) for person in ("017", "042") for page in (1, 2)]
    assert [one.person for one in sort_pile(form, pages).copies] == ["017", "042"]
