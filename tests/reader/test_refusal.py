"""One refusal policy for crops and pages, stated by the card of the model."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from inkdigits.data import Dataset
from inkdigits.reader import Reader, Recognizer, RefusalPolicy
from inkdigits.reader.recognizer import METADATA, bundled
from inkdigits.synthetic.pages import MadePage, make_page

POLICY = RefusalPolicy(0.05, -0.1, 2.0, 0.5, 0.0, outlier_exposure=True)
Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def page(mnist_5k: Dataset) -> MadePage:
    return make_page("boxes", mnist_5k.test.images, mnist_5k.test.labels, 3)


def changed_model(path: Path, change: Change, shift: float = 0.0) -> Path:
    """The bundled model with another refusal policy in its card, and ``shift`` added to all logits."""
    model, card = onnx.load(bundled()), dict(Recognizer().card)
    card["refusal"] = dict(card["refusal"])
    change(card["refusal"])
    del model.metadata_props[:]
    helper.set_model_props(model, {METADATA: json.dumps(card)})
    for initializer in model.graph.initializer:
        if initializer.name == "model.head.1.bias":
            moved = numpy_helper.to_array(initializer) + np.float32(shift)
            initializer.CopyFrom(numpy_helper.from_array(moved, initializer.name))
    onnx.save(model, path)
    return path


def answer(probability: float, largest: float) -> tuple[np.ndarray, np.ndarray]:
    rest = (1 - probability) / 9
    logits = np.full((1, 10), largest - 1)
    logits[0, 3] = largest
    shares = np.full((1, 10), rest)
    shares[0, 3] = probability
    return shares, logits


@pytest.mark.parametrize(
    ("probability", "largest", "reason"),
    [
        (0.99, 8.0, None),
        (0.70, 8.0, None),  # ln 0.7 + 0.05 * 8 = 0.04
        (0.60, 8.0, "ambiguous"),  # ln 0.6 + 0.05 * 8 = -0.11, and its largest logit is that of a digit
        (0.75, 1.9, "not_a_digit"),  # ln 0.75 + 0.05 * 1.9 = -0.19
        (0.49, 14.0, "ambiguous"),  # below one half, whatever its score
    ],
)
def test_a_doubtful_answer_needs_a_larger_logit(probability: float, largest: float, reason: str | None) -> None:
    assert POLICY.decide(*answer(probability, largest)) == [reason]


def test_a_picture_without_ink_is_blank_and_surroundings_count() -> None:
    shares, logits = answer(0.75, 1.9)
    assert POLICY.decide(shares, logits, np.array([False])) == ["blank"]
    assert POLICY.decide(shares, logits, evidence=0.5) == [None]


def test_no_answers_are_no_refusals() -> None:
    assert POLICY.decide(np.empty((0, 10)), np.empty((0, 10))) == []
    assert POLICY.log_probability(np.empty((0, 10), np.float32)).shape == (0,)


def test_the_anchor_is_the_logit_of_no_digit() -> None:
    logits = np.zeros((1, 10), np.float32)
    assert np.exp(POLICY.log_probability(logits)[0]) == pytest.approx(1 / 11)
    low = replace(POLICY, anchor=-np.inf)
    assert np.exp(low.log_probability(logits)[0]) == pytest.approx(1 / 10)


def test_a_card_that_refuses_everything_is_obeyed_by_predict_and_read(
    page: MadePage, mnist_5k: Dataset, tmp_path: Path
) -> None:
    reader = Reader(changed_model(tmp_path / "strict.onnx", lambda refusal: refusal.update(threshold=99.0)))
    assert all(p.digit is None for p in reader.predict(mnist_5k.test.images[:20]))
    assert all(digit.digit is None for digit in reader.read(page.image, layout="boxes").digits)
    assert any(digit.digit is not None for digit in Reader().read(page.image).digits)


def test_ambiguity_as_the_card_states_it_is_obeyed_by_predict_and_read(
    page: MadePage, mnist_5k: Dataset, tmp_path: Path
) -> None:
    reader = Reader(changed_model(tmp_path / "sure.onnx", lambda refusal: refusal.update(ambiguous_below=1.1)))
    assert {p.reject for p in reader.predict(mnist_5k.test.images[:20])} <= {"ambiguous", "not_a_digit"}
    assert all(digit.digit is None for digit in reader.read(page.image, layout="boxes").digits)


def test_logits_that_are_all_shifted_read_the_same_under_their_own_policy(page: MadePage, tmp_path: Path) -> None:
    """The probability of a digit is anchored by the card, not by a logit of 0."""

    def shifted(refusal: dict[str, Any]) -> None:
        refusal["anchor"] -= 6
        refusal["digit_logit"] -= 6
        refusal["threshold"] -= 6 * refusal["max_logit_weight"]

    moved = Reader(changed_model(tmp_path / "shifted.onnx", shifted, shift=-6.0)).read(page.image)
    expected = Reader().read(page.image)
    assert moved.text == expected.text
    for ours, theirs in zip(moved.digits, expected.digits, strict=True):
        assert ours.confidence == pytest.approx(theirs.confidence, abs=1e-4)
    unanchored = Reader(changed_model(tmp_path / "unanchored.onnx", lambda _: None, shift=-6.0)).read(page.image)
    assert np.mean([digit.confidence for digit in unanchored.digits]) < 0.9 * np.mean(
        [digit.confidence for digit in expected.digits]
    )


def test_a_model_trained_without_outliers_says_what_is_lost(page: MadePage, tmp_path: Path) -> None:
    path = changed_model(tmp_path / "plain.onnx", lambda refusal: refusal.update(outlier_exposure=False))
    assert "trained without outliers" in Reader(path).read(page.image).warnings[0]
    assert not Reader().read(page.image).warnings


def test_the_refusal_score_of_the_graph_is_that_of_the_policy(mnist_5k: Dataset) -> None:
    recognizer = Recognizer()
    outputs = recognizer.run(mnist_5k.test.images[:100])
    weight = recognizer.policy.max_logit_weight
    score = np.log(outputs.probabilities.max(1)) + weight * outputs.logits.max(1)
    np.testing.assert_allclose(-outputs.refusal, score, atol=1e-5)
