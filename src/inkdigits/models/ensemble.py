"""Ensemble: several trained networks that vote by the mean of their logits.

L. Hansen, P. Salamon, "Neural network ensembles", IEEE TPAMI 12(10), 1990; the mean of logits is the logarithm of the
geometric mean of their probabilities, but for a constant.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from inkdigits.models.registry import create_model, register_model

MOST = 5  # members


@register_model("ensemble", paper="Hansen and Salamon 1990", recipes={})
class Ensemble(nn.Module):
    """The networks that ``members`` describe: each {"model": name, "options": {...}}."""

    def __init__(self, members: Sequence[Mapping[str, Any]]) -> None:
        super().__init__()
        if not 2 <= len(members) <= MOST:
            raise ValueError(f"an ensemble has 2 to {MOST} members, not {len(members)}")
        self.members = nn.ModuleList(create_model(m["model"], **m["options"]) for m in members)

    def forward(self, images: Tensor) -> Tensor:
        """Return the mean logits (B, 10) of images (B, 1, 28, 28)."""
        return torch.stack([member(images) for member in self.members]).mean(0)  # (B, 10)
