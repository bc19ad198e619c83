"""Refusal: one policy decides, for crops, pages and batches, what is not read because it is no digit or ambiguous.

The score of an answer is log p + w m, where p is the calibrated probability of the likeliest digit and m the largest
logit. The first term falls where several digits are likely, the second where none is. Of the scores that were compared
it ordered digits of other data sets, with and without outliers among them, best (docs/robustness.md).

Decoding of pages also needs the probability of a digit when "no digit" is an eleventh outcome with a fixed logit, the
anchor. Outlier exposure teaches this outcome with the anchor 0 (D. Hendrycks et al., 2019, arXiv:1812.04606); the
log-odds of being a digit are then the negative energy (W. Liu et al., 2020, arXiv:2010.03759). The anchor of a model
that was trained without outliers is fitted to validation digits.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLANK, NOT_A_DIGIT, AMBIGUOUS, TOO_SMALL = "blank", "not_a_digit", "ambiguous", "too_small"
CROSSED_OUT = "crossed_out"

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class RefusalPolicy:
    """When an answer of the model is refused.

    Attributes
    ----------
    max_logit_weight
        The weight w of the largest logit in the score.
    threshold
        Answers with a lower score are refused.
    digit_logit
        Of the answers that are refused, those whose largest logit is lower are no digit, the others are ambiguous.
    ambiguous_below
        Answers whose likeliest digit has a lower probability, in [0, 1], are ambiguous.
    anchor
        Logit of the outcome "no digit".
    outlier_exposure
        Whether the model was trained with outliers.
    """

    max_logit_weight: float
    threshold: float
    digit_logit: float
    ambiguous_below: float
    anchor: float
    outlier_exposure: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the policy as the card of a model states it."""
        return asdict(self)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of results must know, a sentence each."""
        if self.outlier_exposure:
            return ()
        return ("the model was trained without outliers: letters, print and blots may be read as digits",)

    def decide(
        self,
        probabilities: Floats,
        logits: Floats,
        has_ink: NDArray[np.bool_] | None = None,
        evidence: float = 0.0,
    ) -> list[str | None]:
        """Return for each of N answers why it is refused; None where it is accepted.

        Parameters
        ----------
        probabilities, logits
            (N, 10) each.
        has_ink
            Whether each picture has any ink, (N,); None where all have.
        evidence
            Nats that the surroundings add to the score: ink among digits on a line, or in a form box, is more often a
            digit than a crop is.
        """
        best, largest = probabilities.max(1, initial=0).tolist(), logits.max(1, initial=-np.inf).tolist()
        found = [self._reason(p, m, evidence) for p, m in zip(best, largest, strict=True)]
        if has_ink is None:
            return found
        return [reason if ink else BLANK for reason, ink in zip(found, has_ink.tolist(), strict=True)]

    def _reason(self, probability: float, largest: float, evidence: float) -> str | None:
        """Return why the answer is refused whose likeliest digit has this probability and this logit."""
        score = math.log(max(probability, 1e-30)) + self.max_logit_weight * largest
        if score + evidence < self.threshold:
            return NOT_A_DIGIT if largest < self.digit_logit else AMBIGUOUS
        return AMBIGUOUS if probability < self.ambiguous_below else None

    def log_probability(self, logits: Floats) -> NDArray[np.float64]:
        """Return the log-probability, float64 (N,), of the likeliest digit, "no digit" being an outcome.

        Parameters
        ----------
        logits
            (N, 10).
        """
        values = logits.astype(np.float64)
        anchors = np.full((len(values), 1), self.anchor)
        total = np.logaddexp.reduce(np.concatenate([values, anchors], 1), axis=1)
        return np.asarray(values.max(1, initial=-np.inf) - total)
