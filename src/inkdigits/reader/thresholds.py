"""The confidence that leaves a share of errors, measured on made pages of validation digits."""

import json

from inkdigits.errors import UsageError
from inkdigits.reader.recognizer import bundled

TABLE = "page_errors.json"  # beside the model: [confidence, share of errors, share of digits read], sorted


def confidence_for(max_error: float, model: str) -> tuple[float, float]:
    """Return the lowest confidence with a share of errors of at most ``max_error``, and the share of digits read.

    Parameters
    ----------
    model
        The reader's :attr:`~inkdigits.reader.Reader.name`.

    Raises
    ------
    UsageError
        When no confidence leaves so few errors, or another model was measured.
    """
    table = json.loads(bundled(TABLE).read_text())
    if table["model"] != model:
        raise UsageError(
            f"errors were measured for {table['model']}, the model in the package, not for {model}; "
            "choose a --min-confidence in place of --max-error"
        )
    rows = table["rows"]
    for confidence, error, coverage in rows:
        if error <= max_error:
            return float(confidence), float(coverage)
    least = min(error for _, error, _ in rows)
    raise UsageError(
        f"no threshold leaves an error of {100 * max_error:g} %; the least that was measured is {100 * least:.2g} %"
    )
