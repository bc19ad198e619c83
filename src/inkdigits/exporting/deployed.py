"""A network for deployment: it takes bytes and returns logits, calibrated probabilities and a refusal score."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from inkdigits.data import DigitSet
from inkdigits.evaluation.calibration import fit_temperature
from inkdigits.evaluation.refusal import negative_max_logit, threshold_of
from inkdigits.training import Run
from inkdigits.training.inference import logits_of

REFUSAL = "max-logit"  # the score that separates outliers from validation digits best; see evaluation/refusal.py
AMBIGUOUS_BELOW = 0.5  # lowest probability of an accepted digit: below it, the other digits together are more probable


class Deployed(nn.Module):
    """``model`` with conversion of its input before it, and calibration and refusal after it; T is the temperature."""

    def __init__(self, model: nn.Module, temperature: float) -> None:
        super().__init__()
        self.model, self.temperature = model, temperature

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits (N, 10), softmax(logits / T) (N, 10) and refusal (N,) of uint8 images (N, 28, 28)."""
        logits = self.model(images.unsqueeze(1).to(torch.float32) / 255)  # (N, 10)
        return logits, (logits / self.temperature).softmax(1), negative_max_logit(logits)


@dataclass(frozen=True)
class Settings:
    """Temperature and refusal threshold of a run, fitted on its validation digits, and the number of those."""

    temperature: float
    refusal_threshold: float
    digits: int

    def to_dict(self) -> dict[str, Any]:
        """Return the settings for the card of a model."""
        return {
            "temperature": self.temperature,
            "refusal_score": REFUSAL,
            "refusal_threshold": self.refusal_threshold,
            "ambiguous_below": AMBIGUOUS_BELOW,
            "calibration_digits": self.digits,
        }


def calibrate(run: Run, digits: DigitSet) -> Settings:
    """Fit temperature and refusal threshold on validation digits."""
    logits = logits_of(run.model, digits.images)
    threshold = threshold_of(negative_max_logit(torch.tensor(logits)).double().numpy())
    return Settings(fit_temperature(logits, digits.labels), threshold, len(digits))
