"""A bound on the wrong fields is proven from copies whose values are known."""

from pathlib import Path

import msgspec
import pytest

from inkdigits.errors import UsageError
from inkdigits.forms.calibrating import calibrate_forms
from inkdigits.forms.decided import decide_pile
from inkdigits.forms.pages import Placement
from inkdigits.forms.pile import sort_pile
from inkdigits.forms.records import Record, records_of
from tests.forms.readings import scanned, values
from tests.forms.sheets import VALUES

COPIES, BOUND = 100, 0.1


@pytest.fixture(scope="module")
def records(form: Placement) -> list[Record]:
    """100 copies; three of their twelve fields were read wrong, with less confidence."""
    read = {name: values(value) for name, value in VALUES.items()}
    read |= {name: values("9" * len(VALUES[name]), 0.8) for name in ("account", "marks.1.id", "marks.2.id")}
    pages = [scanned(form, read, copy) for copy in range(1, COPIES + 1)]
    return records_of(decide_pile(form, sort_pile(form, pages), [], 0.9))


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    path = tmp_path / "truth.csv"
    rows = [",".join(["copy", *VALUES]), *(",".join([str(copy), *VALUES.values()]) for copy in range(1, COPIES + 1))]
    path.write_text("\n".join(rows))
    return path


def test_the_threshold_leaves_the_wrong_fields_out(records: list[Record], truth: Path) -> None:
    found = calibrate_forms(records, truth, BOUND)
    assert (found.kind, found.wrong, found.numbers) == ("forms", 0, COPIES * len(VALUES))
    assert found.threshold > 0.8
    assert found.accepted < found.numbers


def test_a_broken_rule_makes_a_field_doubtful_at_any_confidence(records: list[Record], truth: Path) -> None:
    changed = [
        msgspec.structs.replace(one, value="x", reasons=["out of range"]) if one.field == "second" else one
        for one in records
    ]
    assert calibrate_forms(changed, truth, BOUND).wrong == 0


def test_other_copies_prove_nothing(records: list[Record], truth: Path) -> None:
    truth.write_text("copy,first\n999,1\n")
    with pytest.raises(UsageError, match="no column copy with copies of these results"):
        calibrate_forms(records, truth, BOUND)
