"""CNN: two convolutions, pooling, one hidden layer, dropout: the network of the common MNIST notebook.

After Y. LeCun et al., 1998, in the form of Keras' mnist_convnet example (F. Chollet, 2015). Changed: batch norm
(S. Ioffe, C. Szegedy, 2015, arXiv:1502.03167), and pooling before norm and ReLU, which leaves them a quarter of the
work.
"""

from torch import Tensor, nn

from inkdigits.models.registry import CLASSES, Normalize, register_model


def conv_pool(inputs: int, outputs: int) -> list[nn.Module]:
    """Return convolution, pooling, batch norm, ReLU: (B, inputs, H, W) to (B, outputs, H/2 - 1, W/2 - 1)."""
    return [
        nn.Conv2d(inputs, outputs, 3, bias=False),
        nn.MaxPool2d(2),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    ]


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
            "options": {"dropout": 0.0},
        },
        "standard": {
            "epochs": 16,
            "batch_size": 128,
            "lr": 3e-3,
            "weight_decay": 0.02,
            "ema": 0.998,
            "augment": "geometric",
        },
    },
)
class CNN(nn.Module):
    """Convolutions of 32 and 64 channels, a hidden layer of 128 units."""

    def __init__(self, hidden: int = 128, dropout: float = 0.25) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            Normalize(),
            *conv_pool(1, 32),  # (B, 32, 13, 13)
            *conv_pool(32, 64),  # (B, 64, 5, 5)
            nn.Flatten(),  # (B, 1600)
            nn.Dropout(dropout),
            nn.Linear(64 * 5 * 5, hidden),  # (B, hidden)
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, CLASSES),  # (B, 10)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, 10) of images (B, 1, 28, 28)."""
        logits: Tensor = self.layers(images)
        return logits
