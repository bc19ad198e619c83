"""Corrections: a line with the digits of the number that a checksum or a roster chose."""

from collections.abc import Sequence
from dataclasses import replace

from inkdigits.imaging.geometry import Box
from inkdigits.reader.checksums import Decoded
from inkdigits.reader.results import Digit, Line


def corrected(line: Line, written: Sequence[int], decoded: Decoded, rule: str) -> Line:
    """Return a line with the digits of a number that satisfies a rule.

    A digit that was read too many is left out. One that was missed has confidence 0 and the mean box of its neighbours.

    Parameters
    ----------
    written
        Indices of the line's digits whose boxes are not blank, which the places of ``decoded`` count.
    """
    slots: list[list[Digit | int]] = [[digit] for digit in line.digits]  # an integer is a digit that was missed
    for index in written:
        slots[index] = []
    here = written[0]
    for value, place in zip(map(int, decoded.text), decoded.places, strict=True):
        here = here if place is None else written[place]
        slots[here].append(value if place is None else _changed(line.digits[here], value))
    starts = [sum(map(len, slots[:index])) for index in range(len(slots))]
    digits = _with_missed([digit for slot in slots for digit in slot], line.box)
    separators: dict[int, str] = {}
    for index, mark in line.separators:
        if starts[index] < len(digits):
            separators.setdefault(starts[index], mark)
    return replace(
        line,
        digits=digits,
        separators=tuple(separators.items()),
        rule=rule,
        runner_up=decoded.runner_up,
        probability=decoded.probability,
    )


def _changed(old: Digit, value: int) -> Digit:
    """Return a digit with another value, its probability and the other digits that may stand there."""
    shares = dict(old.alternatives) | ({} if old.digit is None else {old.digit: old.confidence})
    others = tuple(sorted(((d, p) for d, p in shares.items() if d != value), key=lambda item: -item[1]))
    return Digit(value, shares.get(value, 0.0), old.box, others)


def _with_missed(digits: Sequence[Digit | int], box: Box) -> tuple[Digit, ...]:
    """Return digits with those that were missed, which are integers, between their neighbours; else in ``box``."""
    out: list[Digit] = []
    for index, digit in enumerate(digits):
        if isinstance(digit, Digit):
            out.append(digit)
            continue
        after = next((other.box for other in digits[index:] if isinstance(other, Digit)), None)
        beside = [*(d.box for d in out[-1:]), *([after] if after else [])] or [box]
        left, top, wide, tall = (round(sum(sides) / len(beside)) for sides in zip(*beside, strict=True))
        out.append(Digit(digit, 0.0, (left, top, wide, tall)))
    return tuple(out)
