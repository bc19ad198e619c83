"""Views: one small network reads three views of a digit without background: the original, despeckled, and filled.

A corruption seldom affects all views. A median of 3x3 pixels removes specks. A closing fills hollow strokes. The white
top-hat (the image minus its opening) removes uneven light and everything wider than a stroke (J. Serra, "Image analysis
and mathematical morphology", 1982; J. Tukey, "Exploratory data analysis", 1977). The network trains on each view
separately, and the probabilities of the views are averaged (L. Hansen, P. Salamon, "Neural network ensembles", IEEE
PAMI 12(10), 1990, doi:10.1109/34.58871). There is no batch norm: its running statistics would be those of clean digits.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inkdigits.models.registry import CLASSES, Criterion, register_model

STROKE = 7  # pixels: a region at least this wide and high is background
HOLLOW = 5  # pixels: a hole narrower or shorter than this is filled
FLOOR = 0.03  # added to the root mean square that a view is divided by, so that a view without ink stays near 0


def learn_every_view(model: "Views", images: Tensor, labels: Tensor, criterion: Criterion) -> tuple[Tensor, Tensor]:
    """Return the mean of the criterion over the single views, and the combined logits (B, 10)."""
    logits = model.read_views(images).float()  # (B, V, 10)
    loss = criterion(logits.flatten(0, 1), labels.repeat_interleave(logits.shape[1], 0))
    return loss, together(logits)


def together(logits: Tensor) -> Tensor:
    """Combine logits (B, V, 10) to (B, 10), whose softmax and log-sum-exp are the means of those of the views."""
    mean = logits.log_softmax(2).logsumexp(1) - math.log(logits.shape[1])
    return mean + logits.logsumexp(2).mean(1, keepdim=True)


def dilated(x: Tensor, side: int) -> Tensor:
    """Return the maximum over the square of ``side`` pixels around each pixel of x (B, 1, H, W)."""
    return F.max_pool2d(x, side, 1, side // 2)


def eroded(x: Tensor, side: int) -> Tensor:
    """Return the minimum over the square of ``side`` pixels around each pixel of x (B, 1, H, W)."""
    return -dilated(-x, side)


def median(x: Tensor) -> Tensor:
    """Return the median of the 3x3 pixels around each pixel of x (B, 1, H, W); the border is repeated.

    Each column of three is sorted; the median of nine is that of the largest minimum, middle median and least maximum.
    """
    x = F.pad(x, (1, 1, 1, 1), mode="replicate")
    least, middle, most = _sorted(x[:, :, :-2], x[:, :, 1:-1], x[:, :, 2:])
    columns = [_sorted(y[..., :-2], y[..., 1:-1], y[..., 2:]) for y in (least, middle, most)]
    return _sorted(columns[0][2], columns[1][1], columns[2][0])[1]


def _sorted(a: Tensor, b: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    low, high = torch.minimum(a, b), torch.maximum(a, b)
    return torch.minimum(low, c), torch.maximum(low, torch.minimum(high, c)), torch.maximum(high, c)


@register_model(
    "views",
    paper="Serra 1982; Hansen & Salamon 1990",
    recipes={
        "fast": {"epochs": 2, "batch_size": 256, "lr": 4e-3, "ema": 0.97},
        "standard": {
            "epochs": 12,
            "batch_size": 128,
            "lr": 3e-3,
            "weight_decay": 0.02,
            "ema": 0.998,
            "augment": "shift",
            "precision": "bfloat16",
        },
    },
    objective=learn_every_view,
)
class Views(nn.Module):
    """Two convolutions with ``channels`` maps and a layer of ``hidden`` units, applied to three views of each digit."""

    def __init__(self, channels: Sequence[int] = (32, 64), hidden: int = 128, dropout: float = 0.25) -> None:
        super().__init__()
        first, second = channels
        self.layers = nn.Sequential(
            nn.Conv2d(1, first, 5, stride=2, padding=2),  # (B V, first, 14, 14)
            nn.ReLU(inplace=True),
            nn.Conv2d(first, second, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),  # (B V, second, 7, 7)
            nn.Dropout(dropout),
            nn.Flatten(),
            nn.Linear(second * 7 * 7, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, CLASSES),  # (B V, 10)
        )

    @staticmethod
    def views(images: Tensor) -> Tensor:
        """Return three views (B, 3, 28, 28) of images (B, 1, 28, 28): original, despeckled, filled; no background."""
        seen = torch.cat([images, median(images)], 1)
        inked = seen - dilated(eroded(seen, STROKE), STROKE)
        whole = inked[:, :1]
        seen = torch.cat([inked, eroded(dilated(whole, HOLLOW), HOLLOW)], 1)
        return seen / (seen.square().mean((2, 3), keepdim=True).sqrt() + FLOOR)

    def read_views(self, images: Tensor) -> Tensor:
        """Return the logits (B, V, 10) of every view of images (B, 1, 28, 28)."""
        seen = self.views(images)
        logits: Tensor = self.layers(seen.flatten(0, 1).unsqueeze(1))  # (B V, 10)
        return logits.view(*seen.shape[:2], CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, 10) of images (B, 1, 28, 28)."""
        return together(self.read_views(images).float())
