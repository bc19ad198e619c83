"""ResNet: layers that learn a residual, which is added to their input.

K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition", CVPR 2016, arXiv:1512.03385, the
CIFAR-10 network of section 4.2: three stages of n blocks, 6n + 2 layers, 3x3 convolutions, global average pooling.
Changed: the first convolution halves the image, so that two CPU cores train it in minutes (strokes are two to three
pixels wide); 1x1 projections are trained where the shape changes (the paper's option B).
"""

import torch.nn.functional as F
from torch import Tensor, nn

from inkdigits.models.registry import CLASSES, Normalize, register_model


def conv_bn(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Return a convolution and batch norm: (B, inputs, H, W) to (B, outputs, H/stride, W/stride)."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False), nn.BatchNorm2d(outputs)
    )


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut: (B, inputs, H, W) to (B, outputs, H/stride, W/stride)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = conv_bn(inputs, outputs, stride=stride)
        self.second = conv_bn(outputs, outputs)
        same_shape = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same_shape else conv_bn(inputs, outputs, kernel=1, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return relu(shortcut(x) + second(relu(first(x))))."""
        return F.relu(self.second(F.relu(self.first(x), inplace=True)) + self.shortcut(x))


@register_model(
    "resnet",
    paper="He, Zhang, Ren & Sun 2016",
    recipes={
        "fast": {"epochs": 1},
        "standard": {
            "epochs": 20,
            "batch_size": 128,
            "lr": 4e-3,
            "weight_decay": 0.05,
            "ema": 0.998,
            "augment": "geometric",
        },
    },
)
class ResNet(nn.Module):
    """``blocks`` blocks in each of three stages of ``width``, 2 ``width`` and 4 ``width`` channels."""

    def __init__(self, blocks: int = 1, width: int = 32, stem_stride: int = 2) -> None:
        super().__init__()
        if min(blocks, width, stem_stride) < 1:
            raise ValueError("blocks, width and stem_stride must be at least 1")
        self.normalize = Normalize()
        self.stem = conv_bn(1, width, stride=stem_stride)
        stages: list[nn.Module] = []
        inputs = width
        for stage in range(3):
            outputs = width * 2**stage
            for block in range(blocks):
                stages.append(Block(inputs, outputs, stride=2 if stage and not block else 1))
                inputs = outputs
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(inputs, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, 10) of images (B, 1, 28, 28)."""
        x = F.relu(self.stem(self.normalize(images)), inplace=True)  # (B, width, 14, 14)
        x = self.stages(x)  # (B, 4 width, 4, 4)
        logits: Tensor = self.head(x.mean((2, 3)))  # (B, 10)
        return logits
