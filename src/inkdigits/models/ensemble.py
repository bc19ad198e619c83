"""Ensemble: several trained networks whose logits are averaged.

L. Hansen, P. Salamon, "Neural network ensembles", IEEE PAMI 12(10), 1990, doi:10.1109/34.58871. The mean of the logits
is the logarithm of the geometric mean of the probabilities, up to a constant per image.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from inkdigits.models.registry import create_model, register_model

MOST = 5  # members


@register_model("ensemble", paper="Hansen and Salamon 1990", recipes={})
class Ensemble(nn.Module):
    """The networks that ``members`` describe, each as {"model": name, "options": {...}}."""

    def __init__(self, members: Sequence[Mapping[str, Any]]) -> None:
        super().__init__()
        if not 2 <= len(members) <= MOST:
            raise ValueError(f"an ensemble has 2 to {MOST} members, not {len(members)}")
        self.members = nn.ModuleList(create_model(m["model"], **m["options"]) for m in members)

    def forward(self, images: Tensor) -> Tensor:
        """Return the mean logits (B, 10) of images (B, 1, 28, 28)."""
        return torch.stack([member(images) for member in self.members]).mean(0)  # (B, 10)
