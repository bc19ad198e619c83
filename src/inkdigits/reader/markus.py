"""The output that MarkUs expects of its reader of student numbers, ``lib/scanner/read_chars.py``.

For each field of boxes that script prints a line of letters and a line of digits, with a space for a blank box. MarkUs
looks for the student whose user name is the first line, or whose number is the second.
"""

from inkdigits.reader.refusal import BLANK
from inkdigits.reader.results import Digit, Line, Reading

DOUBT = "?"  # stands in no number and no name, so that no student is taken for another


def markus_lines(reading: Reading) -> str:
    """Return the lines for the fields of a page: two for each; no letters are read, so the first has ``?`` alone.

    A doubtful number has ``?`` in the place of its least sure digit, if none was rejected.
    """
    out = ""
    for line in reading.lines:
        if not line.is_blank:
            digits = _digits(line).rstrip(" ")
            out += f"{DOUBT * len(digits)}\n{digits}\n"
    return out


def _digits(line: Line) -> str:
    known = list(line.number)
    if line.is_doubtful and DOUBT not in known:
        written = [index for index, digit in enumerate(line.digits) if digit.reject != BLANK]
        known[min(written, key=lambda index: _confidence(line.digits[index]))] = DOUBT
    return "".join(known)


def _confidence(digit: Digit) -> float:
    return 0.0 if digit.digit is None else digit.confidence
