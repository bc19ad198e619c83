"""The schemas of responses describe what the reader returns."""

import json
from typing import get_args

from inkdigits.reader import refusal
from inkdigits.reader.results import Digit, Line, Reading
from inkdigits.server import schemas

BOX = (1, 2, 3, 4)
REASONS = (refusal.BLANK, refusal.NOT_A_DIGIT, refusal.AMBIGUOUS, refusal.TOO_SMALL, refusal.CROSSED_OUT)


def test_a_reading_has_the_fields_of_its_schema_and_no_others() -> None:
    digits = (Digit(7, 0.9, BOX, ((1, 0.05),)), *(Digit(None, 0.0, BOX, (), reason) for reason in REASONS))
    lines = (
        Line(digits, BOX, ((1, ","),), None, None, 0.5, (("712", 0.25),)),
        Line(digits[:1], BOX, (), "luhn", ("8", 0.125), 0.5),
    )
    page = json.loads(json.dumps(Reading("a.png", 0, "model", lines, ("a warning",)).to_dict()))
    assert schemas.Page.model_validate(page).model_dump(exclude_unset=True) == page
    assert set(page["lines"][1]) == set(schemas.ReadLine.model_fields)


def test_every_reason_is_in_the_schema() -> None:
    assert get_args(schemas.Reject) == REASONS
