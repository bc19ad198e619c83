"""DenseNet-BC: the input of every layer is the maps of all layers before it.

G. Huang, Z. Liu, L. van der Maaten, K. Weinberger, "Densely connected convolutional networks", CVPR 2017,
arXiv:1608.06993: 1x1 bottlenecks of 4k channels (B), transitions that halve the channels (C). Changed: the first
convolution halves the image, as in the paper's ImageNet networks, so two dense blocks are enough for 28x28 pixels.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inkdigits.models.registry import CLASSES, Normalize, register_model


def bn_relu_conv(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    """Return the paper's composite function H: batch norm, ReLU, convolution; height and width stay the same."""
    return nn.Sequential(
        nn.BatchNorm2d(inputs),
        nn.ReLU(inplace=True),
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
    )


class DenseLayer(nn.Module):
    """(B, inputs, H, W) to (B, inputs + growth_rate, H, W): the input, followed by ``growth_rate`` new maps."""

    def __init__(self, inputs: int, growth_rate: int) -> None:
        super().__init__()
        self.bottleneck = bn_relu_conv(inputs, 4 * growth_rate, kernel=1)
        self.grow = bn_relu_conv(4 * growth_rate, growth_rate, kernel=3)

    def forward(self, x: Tensor) -> Tensor:
        """Return [x, H(x)]."""
        return torch.cat([x, self.grow(self.bottleneck(x))], dim=1)


@register_model(
    "densenet",
    paper="Huang, Liu, van der Maaten & Weinberger 2017",
    recipes={
        "fast": {"epochs": 1},
        "standard": {
            "epochs": 24,
            "batch_size": 128,
            "lr": 4e-3,
            "weight_decay": 0.05,
            "ema": 0.998,
            "augment": "geometric",
        },
    },
)
class DenseNet(nn.Module):
    """Dense blocks of ``layers[i]`` layers; each layer adds ``growth_rate`` maps."""

    def __init__(self, growth_rate: int = 16, layers: Sequence[int] = (2, 6)) -> None:
        super().__init__()
        if growth_rate < 1 or not layers or min(layers) < 1:
            raise ValueError("growth_rate and every entry of layers must be at least 1")
        channels = 2 * growth_rate
        self.normalize = Normalize()
        self.stem = nn.Conv2d(1, channels, 3, stride=2, padding=1, bias=False)
        blocks: list[nn.Module] = []
        for index, depth in enumerate(layers):
            if index:
                blocks += [bn_relu_conv(channels, channels // 2, kernel=1), nn.AvgPool2d(2)]
                channels //= 2
            for _ in range(depth):
                blocks.append(DenseLayer(channels, growth_rate))
                channels += growth_rate
        self.blocks = nn.Sequential(*blocks, nn.BatchNorm2d(channels))
        self.head = nn.Linear(channels, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, 10) of images (B, 1, 28, 28)."""
        x = self.stem(self.normalize(images))  # (B, 2k, 14, 14)
        x = F.relu(self.blocks(x))  # (B, channels, 7, 7)
        logits: Tensor = self.head(x.mean((2, 3)))  # (B, 10)
        return logits
