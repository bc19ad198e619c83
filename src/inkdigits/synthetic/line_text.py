"""What is written in a made line: numbers as people write them, and what stands before and after them."""

from dataclasses import dataclass, replace

import numpy as np

SEPARATORS = ".,-/"
LETTERS = "acdefkmnrtuvwxACEFGHKLMNRTUVWX"  # without those that are written like a digit: b, h, I, l, O, S, Z
DIGITS = "0123456789"
SIGNS = ("$", "$", "R$", "€", "£", "#", "*", "=", "-", "**", "##", "$=")
CLOSINGS = ("-", "-", "-", ".-", ",-", "=", "~", "_", "_", ".", ".", ",", "--", "#", "*", "**", ".=", "-.-", ".~")


@dataclass(frozen=True)
class Part:
    """One character to be written."""

    character: str
    counted: bool = True  # belongs to the text
    raised: bool = False  # small and high, as cents are
    before: float = 0.0  # additional gap before it, of a digit's height
    crossed: bool = False  # crossed out after it was written


def draw_digits(count: int, rng: np.random.Generator) -> str:
    """Return random digits: half of the numbers start as sums of money do, some end with zeros or repeat a digit."""
    digits = rng.integers(0, 10, count)
    if rng.random() < 0.5:
        digits[0] = rng.choice(np.arange(1, 10), p=_BENFORD)
    way = rng.random()
    if way < 0.33 and count > 1:
        digits[-int(rng.integers(1, min(5, count))) :] = 0
    elif way < 0.41:
        digits[rng.random(count) < 0.6] = rng.integers(0, 10)
    return "".join(map(str, digits))


def draw_number(rng: np.random.Generator) -> list[Part]:
    """Return the characters of a random number: plain, in thousands, with cents, a date, or groups with dashes."""
    count = int(rng.choice(12, p=_LENGTHS)) + 1
    digits = draw_digits(count, rng)
    way = rng.random()
    if way < 0.33:
        wide = rng.random() < 0.1
        return [Part(c, before=float(wide and rng.random() < 0.3) * rng.uniform(0.2, 1)) for c in digits]
    if way < 0.84:
        parts = _thousands(digits, rng)
        return parts + _cents(rng) if rng.random() < 0.3 else parts
    mark = str(rng.choice(["-", "/", ".", "-", "/"]))
    sizes = rng.integers(1, 5, rng.integers(2, 4))
    return [Part(c) for c in mark.join(draw_digits(int(size), rng) for size in sizes)]


_BENFORD = np.log10(1 + 1 / np.arange(1, 10))  # of first digits: F. Benford, 1938
_LENGTHS = np.array([3, 6, 13, 18, 20, 16, 8, 5, 3, 2, 1, 1]) / 96


def _thousands(digits: str, rng: np.random.Generator) -> list[Part]:
    """Put marks or gaps between groups of three digits."""
    mark = str(rng.choice([".", ",", " ", "'"], p=[0.6, 0.15, 0.2, 0.05]))
    parts = []
    for index, digit in enumerate(digits):
        starts = index > 0 and (len(digits) - index) % 3 == 0
        if starts and mark in SEPARATORS:
            parts.append(Part(mark, before=rng.normal(-0.05, 0.08)))
        parts.append(Part(digit, before=rng.uniform(0.1, 0.6) if starts else 0.0))
    return parts


def _cents(rng: np.random.Generator) -> list[Part]:
    raised = bool(rng.random() < 0.5)
    mark = [Part(str(rng.choice([",", "."])))] if not raised or rng.random() < 0.5 else []
    digits = "00" if rng.random() < 0.5 else draw_digits(2, rng)
    return mark + [Part(c, raised=raised) for c in digits]


def with_surroundings(parts: list[Part], letters: bool, rng: np.random.Generator) -> list[Part]:
    """Put signs, letters and closing strokes before and after a number."""
    before, after = [], []
    if rng.random() < 0.25:
        before = [Part(c, False) for c in rng.choice(SIGNS)]
    elif rng.random() < 0.04:
        before = [Part(c, False, crossed=True) for c in draw_digits(int(rng.integers(1, 5)), rng)]
    elif letters and rng.random() < 0.06:
        before = [Part(c, False) for c in rng.choice(list(LETTERS), rng.integers(1, 4))]
    if before:
        parts = [replace(parts[0], before=rng.uniform(0.0, 0.6)), *parts[1:]]
    if rng.random() < 0.4:
        after = [Part(c, False) for c in rng.choice(CLOSINGS)]
    elif letters and rng.random() < 0.06:
        after = [Part(c, False, before=rng.uniform(0, 0.2)) for c in rng.choice(list(LETTERS), rng.integers(1, 4))]
    if after:
        after[0] = replace(after[0], before=rng.uniform(-0.1, 0.5))
    return before + parts + after
