from collections import defaultdict
from itertools import pairwise, product

import numpy as np
import pytest
from numpy.typing import NDArray

from inkdigits.reader.ctc import (
    BLANK,
    BeamParameters,
    Hypothesis,
    align,
    best_path,
    edits,
    likeliest_texts,
    marginals,
    readings_of,
)

WIDE = BeamParameters(width=10_000, least=0.0, texts=10_000)


def shares(steps: int, classes: int, seed: int) -> NDArray[np.float32]:
    """Random probabilities float32 (T, C)."""
    return np.random.default_rng(seed).dirichlet(np.full(classes, 0.7), steps).astype(np.float32)


def collapsed(path: tuple[int, ...]) -> tuple[int, ...]:
    """Return the text of a path: repeated classes merged, then blanks left out."""
    kept = [c for place, c in enumerate(path) if place == 0 or path[place - 1] != c]
    return tuple(c for c in kept if c != BLANK)


def by_brute_force(probabilities: NDArray[np.float32]) -> dict[tuple[int, ...], float]:
    """Return the probability of every text: the sum over all paths."""
    steps, classes = probabilities.shape
    found: dict[tuple[int, ...], float] = defaultdict(float)
    for path in product(range(classes), repeat=steps):
        found[collapsed(path)] += float(np.prod(probabilities.astype(float)[range(steps), path]))
    return found


def peaked(*classes: int, width: int = 3, sure: float = 0.9) -> NDArray[np.float32]:
    """Return probabilities (T, width) that say one class at each step."""
    out = np.full((len(classes), width), (1 - sure) / (width - 1), np.float32)
    out[range(len(classes)), classes] = sure
    return out


@pytest.mark.parametrize("seed", range(8))
def test_the_probability_of_a_text_is_the_sum_over_all_its_paths(seed: int) -> None:
    probabilities = shares(5, 3, seed)
    expected = by_brute_force(probabilities)
    texts = likeliest_texts(probabilities, WIDE)
    assert {text.classes for text in texts} == set(expected)
    for text in texts:
        assert text.probability == pytest.approx(expected[text.classes], rel=1e-9)
    found = [text.probability for text in texts]
    assert found == sorted(found, reverse=True)
    assert sum(found) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("seed", range(8))
def test_a_narrow_beam_finds_the_likeliest_text_and_never_says_too_much(seed: int) -> None:
    probabilities = shares(6, 4, seed)
    expected = by_brute_force(probabilities)
    texts = likeliest_texts(probabilities, BeamParameters(width=12, least=0.0, texts=3))
    assert len(texts) == 3
    assert texts[0].classes == max(expected, key=expected.__getitem__)
    assert all(text.probability <= expected[text.classes] + 1e-9 for text in texts)


def test_the_likeliest_text_is_not_that_of_the_likeliest_path() -> None:
    """Every step says blank, and yet that something is written is likelier."""
    probabilities = np.array([[0.6, 0.4], [0.6, 0.4]], np.float32)
    texts = likeliest_texts(probabilities)
    assert [text.classes for text in texts] == [(1,), ()]  # (1, 1) has no path through two steps
    assert texts[0].probability == pytest.approx(0.64, abs=1e-6)


def test_an_unlikely_class_is_not_tried() -> None:
    probabilities = np.array([[0.9995, 0.0005]], np.float32)
    assert [text.classes for text in likeliest_texts(probabilities)] == [()]
    assert [text.classes for text in likeliest_texts(probabilities, BeamParameters(least=1e-4))] == [(), (1,)]


def test_a_step_tries_five_classes_and_eight_texts_are_returned() -> None:
    probabilities = np.array([[0.1, 0.18, 0.17, 0.16, 0.15, 0.14, 0.1]], np.float32)
    assert [text.classes for text in likeliest_texts(probabilities)] == [(1,), (2,), (3,), (4,), (5,), ()]
    assert len(likeliest_texts(shares(8, 5, 0))) == 8


def test_the_best_path_is_that_of_the_likeliest_class_at_each_step() -> None:
    for path, text in (((0, 1, 1, 0, 1, 2, 0), (1, 1, 2)), ((2, 2, 2), (2,)), ((0, 0), ()), ((1, 2, 1), (1, 2, 1))):
        assert best_path(peaked(*path)).classes == text
    assert best_path(peaked(1, 0, 2)).probability == pytest.approx(0.9**3, abs=1e-6)


def test_no_step_is_no_text() -> None:
    assert likeliest_texts(np.zeros((0, 3), np.float32)) == [Hypothesis((), 1.0)]


@pytest.mark.parametrize("seed", range(20))
def test_characters_are_placed_one_after_another_where_the_best_path_has_them(seed: int) -> None:
    probabilities = shares(6, 3, seed)
    for classes in ((), (1,), (1, 1), (1, 2), (2, 1, 2), (1, 1, 2)):
        paths = [path for path in product(range(3), repeat=6) if collapsed(path) == classes]
        best = max(paths, key=lambda path: np.log(probabilities[range(6), path].astype(float)).sum())
        steps = align(probabilities, classes)
        assert len(steps) == len(classes)
        assert all(before < after for before, after in pairwise(steps))
        assert [best[step] for step in steps] == list(classes)
        for step, character in zip(steps, classes, strict=True):  # the likeliest of the steps in its run of the path
            run = [step]
            while run[0] > 0 and best[run[0] - 1] == character:
                run.insert(0, run[0] - 1)
            while run[-1] < 5 and best[run[-1] + 1] == character:
                run.append(run[-1] + 1)
            assert probabilities[step, character] == probabilities[run, character].max()


def test_a_repeated_character_gets_a_step_of_its_own() -> None:
    assert align(peaked(0, 1, 0, 1, 0), (1, 1)) == [1, 3]
    assert align(peaked(1, 1, 1, 0, 1), (1, 1)) in ([0, 4], [1, 4], [2, 4])
    first, second = align(peaked(1, 1, 1), (1, 1))
    assert first < second


def hypotheses(*texts: tuple[str, float]) -> list[Hypothesis]:
    return [Hypothesis(tuple(map(int, text)), probability) for text, probability in texts]


def said(found: list[Hypothesis], start: int, stop: int) -> dict[str, float]:
    readings = readings_of(found, start, stop)
    return {"".join(map(str, classes)): round(probability, 9) for classes, probability in readings.items()}


@pytest.mark.parametrize(
    ("other", "start", "stop", "expected"),
    [
        ("1234", 0, 4, "1234"),
        ("91234", 0, 4, "91234"),  # added before
        ("12349", 0, 4, "12349"),  # and after
        ("91234", 0, 2, "912"),
        ("12349", 2, 4, "349"),
        ("12934", 0, 2, "129"),  # between two places it belongs to both
        ("12934", 2, 4, "934"),
        ("12934", 3, 4, "4"),
        ("12934", 0, 1, "1"),
        ("134", 1, 2, ""),  # left out
        ("134", 0, 2, "1"),
        ("134", 2, 4, "34"),
        ("", 1, 3, ""),
        ("1934", 1, 2, "9"),  # another one in its place
        ("1934", 0, 1, "1"),
        ("1934", 2, 3, "3"),
        ("1994", 1, 2, "9"),
        ("1984", 2, 3, "8"),
        ("12994", 1, 2, "29"),  # one added and one replaced
        ("12994", 2, 3, "99"),
        ("12994", 3, 4, "4"),
    ],
)
def test_another_text_is_read_in_the_same_place(other: str, start: int, stop: int, expected: str) -> None:
    found = said(hypotheses(("1234", 0.6), (other, 0.3)), start, stop)
    own = "1234"[start:stop]
    assert found == ({own: 0.9} if expected == own else {own: 0.6, expected: 0.3})


def test_texts_that_agree_in_a_place_are_summed() -> None:
    found = hypotheses(("1234", 0.5), ("1235", 0.2), ("1934", 0.2), ("934", 0.05))
    assert said(found, 0, 2) == {"12": 0.7, "19": 0.2, "9": 0.05}
    assert said(found, 3, 4) == {"4": 0.75, "5": 0.2}


@pytest.mark.parametrize("seed", range(8))
def test_marginals_are_probabilities(seed: int) -> None:
    texts = likeliest_texts(shares(7, 4, seed))
    found = marginals(texts, 4)
    assert found.shape == (len(texts[0].classes), 4)
    assert (found >= 0).all()
    assert (found.sum(1) <= 1 + 1e-9).all()
    assert not found[:, BLANK].any()
    own = texts[0].probability / sum(text.probability for text in texts)
    assert all(row[c] >= own - 1e-9 for row, c in zip(found, texts[0].classes, strict=True))


def test_marginals_sum_the_texts_and_leave_out_what_is_missing() -> None:
    found = marginals(hypotheses(("12", 0.4), ("13", 0.2), ("2", 0.2)), 4)
    np.testing.assert_allclose(found, [[0, 0.75, 0, 0], [0, 0, 0.75, 0.25]])
    assert marginals(hypotheses(("", 1.0)), 4).shape == (0, 4)


def test_the_fewest_edits_say_what_is_equal_and_what_is_not() -> None:
    assert edits("12", "13") == [("equal", 0, 1, 0, 1), ("replace", 1, 2, 1, 2)]
    assert edits("12", "2") == [("delete", 0, 1, 0, 0), ("equal", 1, 2, 0, 1)]
    assert edits("1", "1") == [("equal", 0, 1, 0, 1)]
    assert edits("", "7") == [("insert", 0, 0, 0, 1)]
