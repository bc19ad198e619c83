"""A line reader: a convolutional network along a line of writing, trained with CTC, that also places each character.

A. Graves et al., "Connectionist temporal classification: labelling unsegmented sequence data with recurrent neural
networks", ICML 2006. Without recurrent layers, as F. Borisyuk, A. Gordo, V. Sivakumar, "Rosetta: large scale system for
text detection and recognition in images", KDD 2018, arXiv:1910.05085. Changed: the network is small, the convolutions
along the line are dilated, and a second head tells the box of the character at each step, as FCOS does (Z. Tian et al.,
ICCV 2019, arXiv:1904.01355).
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from inkdigits.models.registry import LINE, register_model
from inkdigits.synthetic.line_text import CHARACTERS

STRIDE = 4  # pixels of the strip for each step
PAD = 8  # pixels of paper added at each end; CTC needs steps before the first character and after the last
BLANK = 0  # class of a step that ends no character; class 1 + i is CHARACTERS[i]
EDGES = 4  # of a box


class Residual(nn.Module):
    """Two convolutions with a shortcut (K. He et al., 2015, arXiv:1512.03385), the first dilated along the line."""

    def __init__(self, channels: int, first: tuple[int, int], second: tuple[int, int], dilation: int = 1) -> None:
        super().__init__()
        padding = (first[0] // 2, dilation * (first[1] // 2))
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, first, padding=padding, dilation=(1, dilation), bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, second, padding=(second[0] // 2, second[1] // 2), bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of the same shape."""
        return F.relu(x + self.body(x))


def convolution(inputs: int, outputs: int, kernel: int | tuple[int, int], stride: int | tuple[int, int]) -> nn.Module:
    """Return convolution, batch norm, ReLU; an odd kernel keeps the size but for the stride."""
    high, wide = (kernel, kernel) if isinstance(kernel, int) else kernel
    padding = (high // 2 if high == wide else 0, wide // 2)
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


@register_model(
    "line-ctc",
    paper="Graves et al. 2006; Borisyuk et al. 2018, arXiv:1910.05085",
    task=LINE,
    recipes={
        "standard": {
            "epochs": 30,
            "lines": 20_480,
            "batch_size": 32,
            "lr": 3e-3,
            "weight_decay": 0.02,
            "warmup": 0.03,
            "ema": 0.998,
            "precision": "bfloat16",
            "writing_styles": 0.3,
        },
        "fast": {
            "epochs": 2,
            "lines": 2_048,
            "batch_size": 32,
            "lr": 3e-3,
            "ema": 0.98,
            "writing_styles": 0.3,
            "options": {"channels": [16, 24, 32], "features": 48},
        },
    },
)
class LineCTC(nn.Module):
    """Three stages of 2-d convolutions, one that takes the whole height, and 1-d convolutions along the line.

    ``channels`` are those of the stages, ``features`` those of the steps, ``dilations`` those of the convolutions of
    width 5 along the line.
    """

    def __init__(
        self,
        channels: Sequence[int] = (24, 40, 64),
        features: int = 128,
        dilations: Sequence[int] = (1, 2, 4),
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        first, second, third = channels
        self.body = nn.Sequential(
            convolution(1, first, 5, 2),  # (B, 24, 20, W / 2)
            Residual(first, (3, 3), (3, 3)),
            convolution(first, second, 3, 2),  # (B, 40, 10, W / 4)
            Residual(second, (3, 3), (3, 3)),
            Residual(second, (3, 3), (3, 3)),
            convolution(second, third, 3, (2, 1)),  # (B, 64, 5, W / 4)
            Residual(third, (3, 3), (3, 3)),
            Residual(third, (3, 3), (3, 3)),
            convolution(third, features, (5, 3), 1),  # (B, 128, 1, W / 4)
            *(Residual(features, (1, 5), (1, 1), dilation) for dilation in dilations),
            nn.Dropout(dropout),
        )
        self.classes = nn.Conv2d(features, 1 + len(CHARACTERS), 1)
        self.edges = nn.Conv2d(features, EDGES, 1)

    def forward(self, strips: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (B, T, 17) and edges (B, T, 4) of strips (B, 1, 40, W) in [0, 1].

        Step t stands at pixel 4 t - 8 + 2 of the strip. Its edges are left and right of the character there, relative
        to that pixel, then top and bottom; all in heights of the strip.
        """
        steps = self.body(F.pad(strips, (PAD, PAD)))  # (B, 128, 1, T)
        logits, edges = self.classes(steps), self.edges(steps)
        return logits.squeeze(2).transpose(1, 2), edges.squeeze(2).transpose(1, 2)
