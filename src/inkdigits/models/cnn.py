"""CNN: two convolutions, pooling, one hidden layer, dropout, as in most MNIST tutorials.

After Y. LeCun et al., 1998, in the form of Keras' mnist_convnet example (F. Chollet, 2015). Changed: batch norm
(S. Ioffe, C. Szegedy, 2015, arXiv:1502.03167), and pooling before norm and ReLU, which then process a quarter of the
pixels.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from inkdigits.models.registry import CLASSES, Normalize, register_model

STEMS = ("pooled", "strided")


def conv_pool(inputs: int, outputs: int) -> list[nn.Module]:
    """Return convolution, pooling, batch norm, ReLU: (B, inputs, H, W) to (B, outputs, H/2 - 1, W/2 - 1)."""
    return [
        nn.Conv2d(inputs, outputs, 3, bias=False),
        nn.MaxPool2d(2),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    ]


def conv_stride(outputs: int) -> list[nn.Module]:
    """Return a 5x5 convolution of stride 2, batch norm, ReLU: (B, 1, 28, 28) to (B, outputs, 12, 12)."""
    return [nn.Conv2d(1, outputs, 5, stride=2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


@register_model(
    "cnn",
    paper="LeCun et al. 1998, as in Keras' mnist_convnet",
    recipes={
        "fast": {
            "epochs": 1,
            "batch_size": 256,
            "optimizer": "adam",
            "lr": 1e-2,
            "momentum": 0.7,
            "beta2": 0.9,
            "ema": 0.97,
            "label_smoothing": 0.1,
            "options": {"channels": [16, 32], "stem": "strided", "dropout": 0.0},
        },
        "standard": {
            "epochs": 16,
            "batch_size": 128,
            "lr": 3e-3,
            "weight_decay": 0.02,
            "ema": 0.998,
            "augment": "geometric",
        },
        "hardened": {
            "epochs": 20,
            "batch_size": 128,
            "lr": 3e-3,
            "ema": 0.998,
            "precision": "bfloat16",
            "epsilon": 0.3,
            "attack_steps": 7,
            "options": {"dropout": 0.0},
        },
    },
)
class CNN(nn.Module):
    """Two convolutions with ``channels`` maps, then a hidden layer of ``hidden`` units.

    ``stem`` is the first convolution: ``pooled`` (3x3, then pooling), or ``strided`` (5x5 with stride 2), which is
    faster, since it never computes a full-size map.
    """

    def __init__(
        self, hidden: int = 128, dropout: float = 0.25, channels: Sequence[int] = (32, 64), stem: str = "pooled"
    ) -> None:
        super().__init__()
        if stem not in STEMS:
            raise ValueError(f"stem must be one of {', '.join(STEMS)}")
        first, second = channels
        self.layers = nn.Sequential(
            Normalize(),
            *(conv_pool(1, first) if stem == "pooled" else conv_stride(first)),  # (B, first, 13, 13), or 12, 12
            *conv_pool(first, second),  # (B, second, 5, 5)
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(second * 5 * 5, hidden),  # (B, hidden)
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, CLASSES),  # (B, 10)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, 10) of images (B, 1, 28, 28)."""
        logits: Tensor = self.layers(images)
        return logits
