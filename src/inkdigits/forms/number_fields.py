"""Numbers that are written freely in one box, without a box for each digit: the line reader reads them."""

import numpy as np

from inkdigits.forms.alternatives import Alternative
from inkdigits.forms.cells import Cell, CellParameters
from inkdigits.forms.fields import Number
from inkdigits.forms.values import FieldValues, blank_values, unread_values
from inkdigits.reader.reader import Reader

NUMBER_CELLS = CellParameters(dust=0.25)  # a decimal point is small


class NumberReader:
    """Reads the writing in a box as one number."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def read(self, cell: Cell, design: Number) -> FieldValues:
        """Return what may stand in a box; a value out of its range breaks the rule."""
        if cell.is_blank:
            return blank_values()
        picture = np.asarray(255 * (1 - cell.ink), np.uint8)
        lines = [line for line in self._reader.read(picture, layout="line", turn=False).lines if not line.is_blank]
        if len(lines) != 1:  # no number, or several
            return unread_values()
        (line,) = lines
        others = [Alternative(text, share) for text, share in line.alternatives]
        broken = 0.0 if _allowed(line.text, design) else line.confidence
        return FieldValues((Alternative(line.text, line.confidence), *others), broken, line.text, line.text)


def _allowed(text: str, design: Number) -> bool:
    """Return whether a number is in the range of its field; one with other separators than a point has no range."""
    if design.maximum is None and not design.minimum:
        return True
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        return False
    return design.minimum <= value and (design.maximum is None or value <= design.maximum)
