"""How sure a digit must be for a share of errors: measured on made pages of digits that the model had not seen."""

import json

from inkdigits.errors import UsageError
from inkdigits.reader.recognizer import bundled

TABLE = "page_errors.json"  # beside the model: [confidence, share of errors, share of digits read], sorted


def confidence_for(max_error: float) -> tuple[float, float]:
    """Return the least confidence at which the measured share of errors is at most ``max_error``, and the share read.

    Raises
    ------
    UsageError
        When no confidence leaves so few.
    """
    rows = json.loads(bundled(TABLE).read_text())["rows"]
    for confidence, error, coverage in rows:
        if error <= max_error:
            return float(confidence), float(coverage)
    least = min(error for _, error, _ in rows)
    raise UsageError(
        f"no threshold leaves an error of {100 * max_error:g} %; the least that was measured is {100 * least:.2g} %"
    )
