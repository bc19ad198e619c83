"""What is written in a made line: numbers as people write them, and what stands before and after them."""

from dataclasses import dataclass, replace

import numpy as np

SEPARATORS = ".,-/"
LETTERS = "acdefkmnrtuvwxACEFGHKLMNRTUVWX"  # without those that are written like a digit: b, h, I, l, O, S, Z
IN_WORDS = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPRSTUVWXYZ"
DIGITS = "0123456789"
OTHER, CROSSED_OUT = "?", "x"  # how a letter, a sign or a printed character, and a crossed-out digit, are labelled
CHARACTERS = DIGITS + SEPARATORS + OTHER + CROSSED_OUT  # all labels
SIGNS = ("$", "$", "R$", "€", "£", "#", "*", "=", "-", "**", "##", "$=")
STROKES = ".,-=~_"  # they mean nothing outside of a number
CLOSINGS = ("-", "-", "-", ".-", ",-", "=", "~", "_", "_", ".", ".", ",", "--", "#", "*", "**", ".=", "-.-", ".~")


@dataclass(frozen=True)
class Part:
    """One character to be written."""

    character: str
    counted: bool = True  # belongs to the text
    raised: bool = False  # small and high, as cents are
    before: float = 0.0  # additional gap before it, of a digit's height
    crossed: bool = False  # crossed out after it was written
    printed: bool = False  # in a font of print

    @property
    def label(self) -> str:
        """What a reader should say: the character, OTHER, CROSSED_OUT, or nothing for a stroke without meaning."""
        if self.crossed:
            return CROSSED_OUT
        if self.counted:
            return self.character
        return "" if self.character in STROKES else OTHER


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
        wide, most = rng.random() < 0.25, rng.choice([1.0, 2.5])  # several numbers beside one another
        return [Part(c, before=float(wide and rng.random() < 0.3) * rng.uniform(0.2, most)) for c in digits]
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


def with_surroundings(parts: list[Part], letters: bool, rng: np.random.Generator, prints: bool = False) -> list[Part]:
    """Put signs, words and closing strokes before and after a number.

    Parameters
    ----------
    letters, prints
        Whether there are fonts of handwriting and of print to write words with.
    """
    before, after = [], []
    words = letters or prints
    if rng.random() < 0.25:
        before = [Part(c, False) for c in rng.choice(SIGNS)]
    elif words and rng.random() < 0.1:
        before = draw_word(rng, letters, prints)
    if before and parts:
        parts = [replace(parts[0], before=rng.uniform(0.0, 0.6)), *parts[1:]]
    if rng.random() < 0.4:
        after = [Part(c, False) for c in rng.choice(CLOSINGS)]
    elif words and rng.random() < 0.1:
        after = draw_word(rng, letters, prints)
    if after:
        after[0] = replace(after[0], before=rng.uniform(-0.1, 0.5))
    return before + parts + after


def draw_word(rng: np.random.Generator, letters: bool, prints: bool) -> list[Part]:
    """Return a word in handwriting or in print; a printed one may have digits."""
    printed = prints and (not letters or rng.random() < 0.5)
    count = int(rng.integers(1, 8))
    known = LETTERS if count == 1 else IN_WORDS + DIGITS * 2 * (printed and rng.random() < 0.3)
    return [Part(c, False, printed=printed) for c in rng.choice(list(known), count)]


def cross_some_out(parts: list[Part], rng: np.random.Generator) -> list[Part]:
    """Return a number with some digits crossed out: one or two that were corrected, a part before it, or all of it."""
    way = rng.random()
    if way < 0.3:
        return [replace(part, counted=False, crossed=True) for part in parts]
    if way < 0.55:
        wrong = [Part(c, False, crossed=True) for c in draw_digits(int(rng.integers(1, 6)), rng)]
        return [*wrong, replace(parts[0], before=rng.uniform(0.0, 0.6)), *parts[1:]]
    at = int(rng.integers(0, len(parts) + 1))
    wrong = [Part(c, False, crossed=True) for c in draw_digits(int(rng.integers(1, 3)), rng)]
    return [*parts[:at], *wrong, *parts[at:]]


def draw_other(rng: np.random.Generator, letters: bool, prints: bool) -> list[Part]:
    """Return a line without a number: nothing, a stroke, or one to four words."""
    if not (letters or prints) or rng.random() < 0.15:
        return [Part(c, False) for c in rng.choice(("", "-", "--", ".", "_", "~", "="))]
    parts: list[Part] = []
    printed = prints and rng.random() < 0.6
    for _ in range(rng.integers(1, 5)):
        word = draw_word(rng, letters and not printed, prints and printed)
        parts += [replace(word[0], before=rng.uniform(0.3, 1.0) if parts else 0.0), *word[1:]]
    return parts
