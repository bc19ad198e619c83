"""A network as it is deployed: bytes in; logits, calibrated probabilities and a score of refusal out."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from inkdigits.data import DigitSet
from inkdigits.evaluation.calibration import fit_temperature
from inkdigits.evaluation.refusal import negative_max_logit, threshold_of
from inkdigits.training import Run
from inkdigits.training.inference import logits_of

REFUSAL = "max-logit"  # the score that told non-digits from digits set aside best; see evaluation/refusal.py
AMBIGUOUS_BELOW = 0.5  # probability of the likeliest digit: below it, some other answer is likelier than this one


class Deployed(nn.Module):
    """``model`` between bytes and answers; T is the temperature of its probabilities."""

    def __init__(self, model: nn.Module, temperature: float) -> None:
        super().__init__()
        self.model, self.temperature = model, temperature

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits (N, 10), softmax(logits / T) (N, 10) and refusal (N,) of uint8 images (N, 28, 28)."""
        logits = self.model(images.unsqueeze(1).to(torch.float32) / 255)  # (N, 10)
        return logits, (logits / self.temperature).softmax(1), negative_max_logit(logits)


@dataclass(frozen=True)
class Settings:
    """What the digits set aside taught of a run: when to believe it, and when to refuse."""

    temperature: float
    refusal_threshold: float
    digits: int

    def to_dict(self) -> dict[str, Any]:
        """Return them as the card of a model has them."""
        return {
            "temperature": self.temperature,
            "refusal_score": REFUSAL,
            "refusal_threshold": self.refusal_threshold,
            "ambiguous_below": AMBIGUOUS_BELOW,
            "calibration_digits": self.digits,
        }


def calibrate(run: Run, digits: DigitSet) -> Settings:
    """Fit temperature and threshold on digits set aside."""
    logits = logits_of(run.model, digits.images)
    threshold = threshold_of(negative_max_logit(torch.tensor(logits)).double().numpy())
    return Settings(fit_temperature(logits, digits.labels), threshold, len(digits))
