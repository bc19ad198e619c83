"""Calibrates forms: which confidence proves a bound on the wrong fields, from results and what really stands there."""

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from inkdigits.errors import DataError, UsageError
from inkdigits.escape import unguarded
from inkdigits.files import read_bytes
from inkdigits.forms.decisions import CORRECTED, DOUBLE, EMPTY, RULES, SUM
from inkdigits.forms.fields import TextField
from inkdigits.forms.records import Record
from inkdigits.reader.calibration import CERTAINTY, Calibration, Judged, calibrate

FORMS = "forms"  # the kind of the calibration
TEXT = TextField.__struct_config__.tag
FIRM = (*RULES, SUM, DOUBLE, EMPTY, CORRECTED)  # reasons that make a field doubtful at any confidence


def confidence_of(reasons: Iterable[str], confidence: float) -> float:
    """Return the confidence of a field; 0 where it is doubtful whatever its confidence is."""
    return 0.0 if any(reason.startswith(FIRM) for reason in reasons) else confidence


def calibrate_forms(
    records: Sequence[Record], truth: Path, max_error: float, certainty: float = CERTAINTY
) -> Calibration:
    """Return the calibration with the lowest threshold that filled copies with known values prove.

    Parameters
    ----------
    truth
        A CSV file as ``table.csv``, with the columns ``copy`` and those of fields; each value is right.

    Raises
    ------
    UsageError
        When the file does not exist, knows none of the copies, or the copies prove no threshold.
    DataError
        When it cannot be read.
    """
    known = _known(truth)
    judged: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    for one in records:
        right = known.get(one.copy_name, {}).get(one.field)
        if right is not None and one.kind != TEXT:
            value = one.value if one.read is None else one.read
            judged[one.copy_name].append((confidence_of(one.reasons, one.confidence), value != right))
    if not judged:
        raise UsageError(f"{truth} has no column copy with copies of these results; write it as table.csv is")
    model = next(one.model for one in records)
    return calibrate([Judged(tuple(found)) for found in judged.values()], FORMS, model, None, max_error, certainty)


def _known(truth: Path) -> dict[str, dict[str, str]]:
    """Return what stands in each field, by the name of the copy and the name of the field."""
    try:
        rows = list(csv.DictReader(io.StringIO(read_bytes(truth).decode("utf-8-sig"), newline="")))
    except FileNotFoundError:
        raise UsageError(f"the truth {truth} does not exist") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read the truth {truth} ({error}); save it as CSV in UTF-8") from None
    return {
        row["copy"]: {name: unguarded(value) for name, value in row.items() if name is not None and value is not None}
        for row in rows
        if row.get("copy")
    }
