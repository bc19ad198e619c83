"""A network for deployment: it takes bytes and returns logits, calibrated probabilities and a refusal score."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from inkdigits.data import DigitSet
from inkdigits.evaluation.calibration import fit_temperature
from inkdigits.evaluation.refusal import (
    ACCEPTED,
    MAX_LOGIT_WEIGHT,
    negative_max_logit,
    probability_and_max_logit,
    threshold_of,
)
from inkdigits.reader.refusal import RefusalPolicy
from inkdigits.training import Run
from inkdigits.training.inference import logits_of

AMBIGUOUS_BELOW = 0.5  # lowest probability of an accepted digit: below it, the other digits together are more probable
DIGIT_LOG_ODDS = 2.7  # nats; log-odds of "digit" at the quantile 1 - ACCEPTED of validation digits. The bundled model
# has learned it from outliers; the anchor of a model without outliers is fitted to it.


class Deployed(nn.Module):
    """``model`` with conversion of its input before it, and calibration and refusal after it; T is the temperature."""

    def __init__(self, model: nn.Module, temperature: float) -> None:
        super().__init__()
        self.model, self.temperature = model, temperature

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits (N, 10), softmax(logits / T) (N, 10) and refusal (N,) of uint8 images (N, 28, 28)."""
        logits = self.model(images.unsqueeze(1).to(torch.float32) / 255)  # (N, 10)
        scaled = logits / self.temperature
        return logits, scaled.softmax(1), probability_and_max_logit(logits, self.temperature)


@dataclass(frozen=True)
class Settings:
    """What is fitted on the validation digits of a run, and the number of those.

    Attributes
    ----------
    temperature
        T of the calibrated probabilities.
    refusal
        The refusal policy.
    digits
        Number of validation digits.
    """

    temperature: float
    refusal: RefusalPolicy
    digits: int

    def to_dict(self) -> dict[str, Any]:
        """Return the settings for the card of a model."""
        return {
            "temperature": self.temperature,
            "refusal": self.refusal.to_dict(),
            "calibration_digits": self.digits,
        }


def calibrate(run: Run, digits: DigitSet) -> Settings:
    """Fit temperature and refusal policy on validation digits; the policy accepts 99.3 % of them by its score."""
    logits = logits_of(run.model, digits.images)
    temperature = fit_temperature(logits, digits.labels)
    exposed = run.settings["recipe"]["outliers"] > 0
    tensor = torch.tensor(logits)
    least_like_a_digit = float(np.quantile(tensor.double().logsumexp(1).numpy(), 1 - ACCEPTED))
    policy = RefusalPolicy(
        max_logit_weight=MAX_LOGIT_WEIGHT,
        threshold=-threshold_of(probability_and_max_logit(tensor.double(), temperature).numpy()),
        digit_logit=-threshold_of(negative_max_logit(tensor).double().numpy()),
        ambiguous_below=AMBIGUOUS_BELOW,
        anchor=0.0 if exposed else least_like_a_digit - DIGIT_LOG_ODDS,
        outlier_exposure=exposed,
    )
    return Settings(temperature, policy, len(digits))
