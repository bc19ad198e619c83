"""Refusal: one policy decides, for crops, pages and batches, what is not read because it is no digit or ambiguous.

The score of an answer is log p + w m, where p is the calibrated probability of the likeliest digit and m the largest
logit. The first term falls where several digits are likely, the second where none is. Of the scores that were compared
it ordered digits of other data sets, with and without outliers among them, best (docs/robustness.md).

Decoding of pages also needs the probability of a digit when "no digit" is an eleventh outcome with a fixed logit, the
anchor. Outlier exposure teaches this outcome with the anchor 0 (D. Hendrycks et al., 2019, arXiv:1812.04606); the
log-odds of being a digit are then the negative energy (W. Liu et al., 2020, arXiv:2010.03759). The anchor of a model
that was trained without outliers is fitted to validation digits.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLANK, NOT_A_DIGIT, AMBIGUOUS, TOO_SMALL = "blank", "not_a_digit", "ambiguous", "too_small"
CODES = (None, BLANK, NOT_A_DIGIT, AMBIGUOUS)  # by the number that :meth:`RefusalPolicy.decide` returns

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

    @classmethod
    def from_card(cls, card: Mapping[str, Any]) -> "RefusalPolicy":
        """Return the policy that the card of a model states under ``refusal``.

        Raises
        ------
        KeyError, TypeError, ValueError
            When the card does not state it whole.
        """
        stated = card["refusal"]
        return cls(
            float(stated["max_logit_weight"]),
            float(stated["threshold"]),
            float(stated["digit_logit"]),
            float(stated["ambiguous_below"]),
            float(stated["anchor"]),
            bool(stated["outlier_exposure"]),
        )

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
        has_ink: NDArray[np.bool_] | bool = True,
        evidence: float = 0.0,
    ) -> NDArray[np.uint8]:
        """Return for each answer why it is refused, uint8 (N,): an index into :data:`CODES`, 0 where it is accepted.

        Parameters
        ----------
        probabilities, logits
            (N, 10) each.
        has_ink
            Whether the picture has any ink, (N,) or one value for all.
        evidence
            Nats that the surroundings add to the score: ink among digits on a line, or in a form box, is more often a
            digit than a crop is.
        """
        best, largest = probabilities.max(1, initial=0), logits.max(1, initial=-np.inf)
        score = np.log(best.clip(1e-30)) + self.max_logit_weight * largest
        no_digit = (score + evidence < self.threshold) & (largest < self.digit_logit)
        ambiguous = (score + evidence < self.threshold) | (best < self.ambiguous_below)
        reasons = (BLANK, NOT_A_DIGIT, AMBIGUOUS)
        codes = [CODES.index(reason) for reason in reasons]
        found = np.select([~np.broadcast_to(has_ink, best.shape), no_digit, ambiguous], codes, 0)
        return np.asarray(found, np.uint8)

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
