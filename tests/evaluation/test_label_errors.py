"""Wrong labels are found; a labelling that cannot be learned from is refused."""

import numpy as np
from numpy.typing import NDArray

from inkdigits.evaluation.label_errors import find_label_errors


def sure_of(truth: NDArray[np.int64]) -> NDArray[np.float64]:
    """Probabilities of a network that reads every digit right: 0.95 of the truth, or a little less."""
    rng = np.random.default_rng(0)
    own = rng.uniform(0.93, 0.97, len(truth))
    shares = np.repeat(((1 - own) / 9)[:, None], 10, 1)
    shares[np.arange(len(truth)), truth] = own
    return shares


TRUTH = np.arange(200) % 10


def test_wrong_labels_are_found_and_no_others() -> None:
    labels = TRUTH.copy()
    labels[[3, 50, 117]] = (labels[[3, 50, 117]] + 4) % 10
    found = find_label_errors(sure_of(TRUTH), labels)
    # those below the mean of their class are no suspects; a wrong one lowers the mean of the class that it is put into
    assert set(found.suspects) <= {3, 50, 117}
    assert len(found.suspects) >= 1
    assert all(likely == TRUTH[index] for index, likely in found.pairs)
    assert found.refusal == ""


def test_right_labels_have_no_suspects() -> None:
    found = find_label_errors(sure_of(TRUTH), TRUTH)
    assert not len(found.suspects)
    assert (found.agreement, found.refusal) == (1.0, "")


def test_labels_that_are_all_shifted_are_no_better_than_chance() -> None:
    assert "no better than chance" in find_label_errors(sure_of(TRUTH), (TRUTH + 1) % 10).refusal


def test_random_labels_are_no_better_than_chance() -> None:
    labels = np.random.default_rng(1).integers(0, 10, len(TRUTH))
    assert "no better than chance" in find_label_errors(sure_of(TRUTH), labels).refusal


def test_a_class_that_holds_another_digit_is_refused() -> None:
    labels = np.where(TRUTH == 3, 8, np.where(TRUTH == 8, 3, TRUTH))
    assert "labelled 3 look like a 8" in find_label_errors(sure_of(TRUTH), labels).refusal
