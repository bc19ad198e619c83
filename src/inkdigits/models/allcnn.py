"""All-CNN: convolutions only. Convolutions with a stride replace pooling, and there are no hidden dense layers.

J. T. Springenberg, A. Dosovitskiy, T. Brox, M. Riedmiller, "Striving for simplicity: the all convolutional net", 2014,
arXiv:1412.6806. Changed: batch norm (S. Ioffe, C. Szegedy, 2015, arXiv:1502.03167) after every convolution, 5x5
kernels in convolutions with a stride, and widths for 28x28 pixels.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from inkdigits.models.registry import CLASSES, Normalize, register_model

LAST_KERNEL = 4  # side of the kernel that turns the last map into features: 7x7 to 4x4


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0) -> list[nn.Module]:
    """Return convolution, batch norm, ReLU."""
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    ]


@register_model(
    "allcnn",
    paper="Springenberg et al. 2014, arXiv:1412.6806",
    recipes={
        "fast": {
            "epochs": 1,
            "batch_size": 256,
            "optimizer": "adam",
            "lr": 1e-2,
            "momentum": 0.7,
            "beta2": 0.9,
            "ema": 0.97,
            "options": {"stages": [[16], [32, 32]], "features": 64, "dropout": 0.0},
        },
        "standard": {
            "epochs": 12,
            "batch_size": 128,
            "lr": 3e-3,
            "weight_decay": 0.02,
            "ema": 0.998,
            "augment": "geometric",
            "options": {"stages": [[16, 16], [32, 32]], "features": 96},
        },
        "best": {
            "epochs": 20,
            "batch_size": 128,
            "lr": 3e-3,
            "weight_decay": 0.02,
            "ema": 0.999,
            "augment": "elastic",
            "precision": "bfloat16",
        },
        "student": {
            "epochs": 125,
            "batch_size": 256,
            "lr": 4e-3,
            "weight_decay": 0.02,
            "ema": 0.998,
            "augment": "degraded",
            "precision": "bfloat16",
            "distill": 0.5,
            "outliers": 0.15,
            "writing_styles": 0.3,
            "options": {"stages": [[32], [48, 48]], "features": 224, "dropout": 0.0},
        },
    },
)
class AllCNN(nn.Module):
    """Stages of convolutions, each ending with stride 2, then ``features`` maps and global average pooling.

    ``stages`` lists for each stage the channels of its convolutions. The last one is 5x5 with stride 2, the others 3x3.
    """

    def __init__(
        self,
        stages: Sequence[Sequence[int]] = ((32, 32, 32), (64, 64, 64)),
        features: int = 128,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [Normalize()]
        inputs = 1
        for stage in stages:
            for channels in stage[:-1]:
                layers += convolution(inputs, channels, 3, padding=1)
                inputs = channels
            layers += [*convolution(inputs, stage[-1], 5, stride=2, padding=2), nn.Dropout(dropout)]
            inputs = stage[-1]  # (B, inputs, 14, 14), then (B, inputs, 7, 7)
        self.body = nn.Sequential(
            *layers,
            *convolution(inputs, features, LAST_KERNEL),  # (B, features, 4, 4)
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),  # (B, features)
        )
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(features, CLASSES))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, 10) of images (B, 1, 28, 28)."""
        logits: Tensor = self.head(self.body(images))
        return logits
