"""Viterbi decoding against all sequences there are, and what each parameter does."""

from collections.abc import Iterator

import numpy as np
import pytest

from inkdigits.imaging.oversegmentation import Candidate
from inkdigits.reader.decoding import DecodingParameters, Step, viterbi

HEIGHT = 20.0
PICTURE = np.zeros((28, 28), np.uint8)
# what a sequence costs apart from the shapes of its candidates
PLAIN = DecodingParameters(digit=-0.5, cut=0, short=0, wide=0, slack=0, gap=0, speck=-0.3, left_out=-3.0)


def candidate(
    start: int, stop: int, wide: float = 14, tall: float = HEIGHT, cut_cost: float = 0.0, gap: float = 0.0
) -> Candidate:
    return Candidate(start, stop, (start * 20, 0, round(wide), round(tall)), PICTURE, cut_cost, gap)


def lattice(rng: np.random.Generator, count: int) -> list[Candidate]:
    """Every run of up to three pieces, some of them high and some of them specks."""
    spans = [(start, stop) for start in range(count) for stop in range(start + 1, min(count, start + 3) + 1)]
    return [candidate(start, stop, wide=4, tall=rng.choice([4, 20])) for start, stop in spans]


def sequences(candidates: list[Candidate], count: int, position: int = 0) -> Iterator[list[tuple[int, bool]]]:
    """All sequences of candidates, by index, each read or, if it is a single piece, left out."""
    if position == count:
        yield []
    for index, one in enumerate(candidates):
        if one.start == position:
            for rest in sequences(candidates, count, one.stop):
                yield [(index, True), *rest]
                if one.stop - one.start == 1:
                    yield [(index, False), *rest]


def left_out(one: Candidate) -> float:
    share = one.box[3] / HEIGHT
    return PLAIN.speck if share < PLAIN.core else PLAIN.left_out * share


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("length", [None, 1, 3, 5])
def test_the_path_is_the_best_of_all_sequences(seed: int, length: int | None) -> None:
    rng = np.random.default_rng(seed)
    candidates = lattice(rng, 5)
    logs = np.log(rng.uniform(0.05, 1, len(candidates)))

    def score(sequence: list[tuple[int, bool]]) -> float:
        return sum(logs[i] + PLAIN.digit if is_read else left_out(candidates[i]) for i, is_read in sequence)

    fitting = [s for s in sequences(candidates, 5) if length is None or sum(is_read for _, is_read in s) == length]
    best = max(fitting, key=score)
    found = viterbi(5, HEIGHT, candidates, np.zeros(len(candidates), int), logs, length, PLAIN)
    shown = [(i, is_read) for i, is_read in best if is_read or (length is None and candidates[i].box[3] > 9)]
    assert [(step.index, step.read) for step in found] == shown


def test_a_length_that_no_sequence_has_is_passed_over() -> None:
    candidates = [candidate(0, 1), candidate(1, 2)]
    logs = np.log(np.array([0.9, 0.9]))
    assert len(viterbi(2, HEIGHT, candidates, np.zeros(2, int), logs, 7)) == 2


HALVES = [candidate(0, 1), candidate(1, 2)]


def chosen(one: Candidate, logs: tuple[float, float], digit: int = 0) -> bool:
    """Whether a candidate for both pieces is preferred to a zero on each; their log-probabilities are ``logs``."""
    log_probabilities = np.array([logs[0], logs[1], logs[1]])
    found = viterbi(2, HEIGHT, [one, *HALVES], np.array([digit, 0, 0]), log_probabilities)
    return [step.index for step in found] == [0]


def test_two_halves_must_be_likelier_than_the_whole() -> None:
    assert chosen(candidate(0, 2), (-0.4, 0.0))  # a second digit costs 0.45
    assert not chosen(candidate(0, 2), (-0.5, 0.0))


@pytest.mark.parametrize(
    ("one", "cost"),
    [
        (candidate(0, 2, gap=HEIGHT / 4), 4.0 / 4),  # paper between its pieces
        (candidate(0, 2, tall=HEIGHT / 2, wide=7), 4.0 / 4),  # a quarter lower than three quarters of the height
        (candidate(0, 2, tall=2 * HEIGHT, wide=25), 6.0 / 4),  # a quarter wider than the line is high
        (candidate(0, 2, wide=27), 2.0 * 0.25 + 6.0 * 0.35),  # wider than nine tenths of the zeros are too
        (candidate(0, 2, cut_cost=2.0), 0.7 * 2),  # ink that was cut
    ],
)
def test_a_shape_costs_what_its_parameter_says(one: Candidate, cost: float) -> None:
    even = (0.45 - cost) / 2  # the log-probability of each half at which the whole is equally good
    assert chosen(one, (0.0, even - 0.01))
    assert not chosen(one, (0.0, even + 0.01))


def test_a_speck_is_left_out_and_larger_ink_is_rejected_where_no_digit_fits() -> None:
    candidates = [candidate(0, 1), candidate(1, 2, wide=3, tall=3), candidate(2, 3, wide=7, tall=HEIGHT / 2)]
    logs = np.array([-0.1, -3.0, -30.0])
    found: list[Step] = viterbi(3, HEIGHT, candidates, np.zeros(3, int), logs)
    assert [(step.index, step.read) for step in found] == [(0, True), (2, False)]


def test_ink_as_high_as_the_line_is_left_out_from_a_log_probability_of_minus_9_55() -> None:
    """Reading it costs 0.45 more; leaving it out costs 10 for each height."""
    for log, read in ((-9.5, True), (-9.6, False)):
        (step,) = viterbi(1, HEIGHT, [candidate(0, 1)], np.zeros(1, int), np.array([log]))
        assert step.read == read


@pytest.mark.parametrize(("digit", "fits"), [(1, False), (5, True)])
def test_width_is_judged_by_the_digit(digit: int, fits: bool) -> None:
    """A one as wide as a five is a half height too wide, which costs 1."""
    assert chosen(candidate(0, 2, wide=1.2 * HEIGHT), (0.0, -0.5), digit) == fits
