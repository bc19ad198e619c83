"""Each field of a filled copy is decided; what must be looked at says why."""

from inkdigits.forms.decisions import Decision, WrongSum, decide
from inkdigits.forms.pages import Placement
from inkdigits.forms.pile import FilledCopy
from inkdigits.forms.values import FieldValues
from tests.forms.readings import scanned, values
from tests.forms.sheets import VALUES

RIGHT = {name: values(value) for name, value in VALUES.items()}


def decided(
    form: Placement, threshold: float = 0.99, occurrence: int = 1, **changes: FieldValues
) -> tuple[dict[str, Decision], list[WrongSum]]:
    answers = RIGHT | {name.replace("__", "."): found for name, found in changes.items()}
    one = FilledCopy(3, "", occurrence, {1: scanned(form, answers, 3)})
    decisions, wrong = decide(form, one, threshold)
    return {one.name: one for one in decisions}, wrong


def test_a_form_without_fault_is_accepted_whole(form: Placement) -> None:
    found, wrong = decided(form)
    assert {name: one.value for name, one in found.items() if name != "remark"} == VALUES
    assert [name for name, one in found.items() if one.doubtful] == []
    assert wrong == []


def test_a_wrong_sum_is_found(form: Placement) -> None:
    found, wrong = decided(form, total=values("26"))
    assert [name for name, one in found.items() if one.doubtful] == ["total"]
    assert found["total"].reasons == ("does not add up",)
    assert wrong == [WrongSum("total", "26", "25")]


def test_a_sum_decides_what_one_of_its_numbers_is(form: Placement) -> None:
    found, wrong = decided(form, second=values("3", 0.7, "8"))
    assert (found["second"].value, found["second"].doubtful) == ("8", False)
    assert found["second"].confidence > 0.99
    assert wrong == []


def test_a_blank_number_counts_as_nothing_in_a_sum(form: Placement) -> None:
    found, wrong = decided(form, second=values(""), total=values("17"))
    assert wrong == []
    assert found["second"].reasons == ("blank",)


def test_a_field_of_too_little_confidence_is_doubtful(form: Placement) -> None:
    found, _ = decided(form, account=values("123455", 0.98, "123456"))
    assert found["account"].reasons == ("not sure",)
    assert not decided(form, 0.97, account=values("123455", 0.98, "123456"))[0]["account"].doubtful


def test_what_breaks_a_rule_is_named_by_its_kind(form: Placement) -> None:
    broken = {
        "account": ("123456", "wrong check digit"),
        "day": ("05.13.2026", "no such date"),
        "first": ("71", "out of range"),
        "group": ("A; B", "several ticked"),
    }
    for name, (value, reason) in broken.items():
        found, _ = decided(form, **{name: values(value, broken=0.9)})
        assert reason in found[name].reasons


def test_a_field_that_must_be_filled_is_doubtful_when_it_is_blank(form: Placement) -> None:
    assert decided(form, account=values(""))[0]["account"].reasons == ("blank",)
    assert not decided(form)[0]["marks.3.id"].doubtful  # of a line in which nothing is written
    assert decided(form, marks__3__points=values("7.5"))[0]["marks.3.id"].reasons == ("blank",)


def test_a_value_with_an_unread_box_has_no_confidence(form: Placement) -> None:
    found, _ = decided(form, account=values("12?455"))
    assert (found["account"].confidence, found["account"].doubtful) == (0, True)


def test_all_fields_of_a_page_that_is_there_again_are_doubtful(form: Placement) -> None:
    found, _ = decided(form, occurrence=2)
    assert all(one.doubtful for name, one in found.items() if name != "remark")


def test_a_value_that_was_not_read_is_looked_at_however_well_it_fits(form: Placement) -> None:
    fits = FieldValues(RIGHT["account"].alternatives, 0.0, "123456", "123456", {"123455": 0.01, "123456": 1.0})
    assert decided(form, account=fits)[0]["account"].reasons == ("another value was read: 123456",)
    likely = FieldValues(RIGHT["account"].alternatives, 0.0, "123456", "123456", {"123455": 0.4, "123456": 1.0})
    assert not decided(form, account=likely)[0]["account"].doubtful
