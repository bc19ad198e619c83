"""LeNet-5: the convolutional network that read cheques.

Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document recognition", Proc. IEEE
86(11), 1998, doi:10.1109/5.726791. Changed: padding of 2 instead of images of 32x32; C3 is connected to all six maps
of S2; a linear output layer instead of radial basis functions; max pooling and ReLU by default. ``pooling="average",
activation="tanh"`` is closer to the original.
"""

from torch import Tensor, nn

from inkdigits.models.registry import CLASSES, Normalize, register_model

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh}
POOLINGS = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}


@register_model(
    "lenet5",
    paper="LeCun, Bottou, Bengio & Haffner 1998",
    recipes={
        "fast": {"epochs": 3},
        "standard": {
            "epochs": 18,
            "batch_size": 128,
            "lr": 4e-3,
            "weight_decay": 0.01,
            "ema": 0.998,
            "augment": "geometric",
        },
    },
)
class LeNet5(nn.Module):
    """Two 5x5 convolutions with 6 and 16 maps, then layers of 120 and 84 units."""

    def __init__(self, pooling: str = "max", activation: str = "relu") -> None:
        super().__init__()
        if pooling not in POOLINGS or activation not in ACTIVATIONS:
            raise ValueError(f"pooling is one of {', '.join(POOLINGS)}, activation one of {', '.join(ACTIVATIONS)}")
        pool, nonlinear = POOLINGS[pooling], ACTIVATIONS[activation]
        self.layers = nn.Sequential(
            Normalize(),
            nn.Conv2d(1, 6, 5, padding=2),  # C1: (B, 6, 28, 28)
            pool(2),  # S2: (B, 6, 14, 14)
            nonlinear(),
            nn.Conv2d(6, 16, 5),  # C3: (B, 16, 10, 10)
            pool(2),  # S4: (B, 16, 5, 5)
            nonlinear(),
            nn.Flatten(),  # (B, 400)
            nn.Linear(400, 120),  # C5: (B, 120)
            nonlinear(),
            nn.Linear(120, 84),  # F6: (B, 84)
            nonlinear(),
            nn.Linear(84, CLASSES),  # (B, 10)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, 10) of images (B, 1, 28, 28)."""
        logits: Tensor = self.layers(images)
        return logits
