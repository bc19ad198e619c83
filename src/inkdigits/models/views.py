"""Views: one small network reads a digit as it is, despeckled and filled, each with its background taken away.

What harms a digit seldom harms every view of it: a median of 3x3 pixels removes specks, a closing fills hollow strokes,
and the white top-hat, an image less its opening, removes light and whatever is wider than a stroke (J. Serra, "Image
analysis and mathematical morphology", 1982; J. Tukey, "Exploratory data analysis", 1977). The network learns from every
view by itself, and the probabilities it gives them are averaged (L. Hansen, P. Salamon, "Neural network ensembles",
IEEE PAMI 12(10), 1990, doi:10.1109/34.58871). It has no batch norm, whose running statistics belong to clean digits.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inkdigits.models.registry import CLASSES, Criterion, register_model

STROKE = 7  # pixels: what is as wide both ways is background
HOLLOW = 5  # pixels: a hole narrower than this, either way, is filled
FLOOR = 0.03  # added to the deviation that a view is divided by: paper without ink stays nearly empty


def learn_every_view(model: "Views", images: Tensor, labels: Tensor, criterion: Criterion) -> tuple[Tensor, Tensor]:
    """Return the mean criterion of the views, each read by itself, and the logits (B, 10) of all together."""
    logits = model.read_views(images).float()  # (B, V, 10)
    loss = criterion(logits.flatten(0, 1), labels.repeat_interleave(logits.shape[1], 0))
    return loss, together(logits)


def together(logits: Tensor) -> Tensor:
    """Return logits (B, 10) whose softmax is the mean of that of logits (B, V, 10); their energy is the mean, too."""
    mean = logits.log_softmax(2).logsumexp(1) - math.log(logits.shape[1])
    return mean + logits.logsumexp(2).mean(1, keepdim=True)


def dilated(x: Tensor, side: int) -> Tensor:
    """Return the maximum of the square of ``side`` pixels about each pixel of x (B, 1, H, W)."""
    return F.max_pool2d(x, side, 1, side // 2)


def eroded(x: Tensor, side: int) -> Tensor:
    """Return the minimum of the square of ``side`` pixels about each pixel of x (B, 1, H, W)."""
    return -dilated(-x, side)


def median(x: Tensor) -> Tensor:
    """Return the median of 3x3 pixels of x (B, 1, H, W), the rim repeated: of sorted columns, of three each."""
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
    """Two convolutions of ``channels`` and a layer of ``hidden`` units, for three views of each digit."""

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
        """Return float32 (B, 3, 28, 28): images (B, 1, 28, 28) as they are, despeckled, and filled; no background."""
        seen = torch.cat([images, median(images)], 1)
        inked = seen - dilated(eroded(seen, STROKE), STROKE)
        whole = inked[:, :1]
        seen = torch.cat([inked, eroded(dilated(whole, HOLLOW), HOLLOW)], 1)
        return seen / (seen.square().mean((2, 3), keepdim=True).sqrt() + FLOOR)

    def read_views(self, images: Tensor) -> Tensor:
        """Return logits (B, V, 10), those of every view of images (B, 1, 28, 28)."""
        seen = self.views(images)
        logits: Tensor = self.layers(seen.flatten(0, 1).unsqueeze(1))  # (B V, 10)
        return logits.view(*seen.shape[:2], CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, 10) of images (B, 1, 28, 28)."""
        return together(self.read_views(images).float())
