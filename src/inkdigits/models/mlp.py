"""MLP: two hidden layers over all pixels; the network does not know which pixels are neighbours.

D. Rumelhart, G. Hinton, R. Williams, "Learning representations by back-propagating errors", Nature 1986,
doi:10.1038/323533a0. Dropout after N. Srivastava et al., JMLR 15, 2014. Changed: batch norm before the activation
(S. Ioffe, C. Szegedy, 2015, arXiv:1502.03167), which lets it train in a few epochs.
"""

from torch import Tensor, nn

from inkdigits.models.registry import CLASSES, Normalize, register_model

ACTIVATIONS = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid}


@register_model(
    "mlp",
    paper="Rumelhart, Hinton & Williams 1986",
    recipes={
        "fast": {"epochs": 3},
        "standard": {"epochs": 15, "batch_size": 256, "lr": 4e-3, "weight_decay": 0.05, "ema": 0.995},
        "best": {
            "epochs": 28,
            "batch_size": 256,
            "lr": 4e-3,
            "weight_decay": 0.02,
            "ema": 0.998,
            "augment": "geometric",
            "options": {"hidden": 1024, "dropout": 0.2},
        },
    },
)
class MLP(nn.Module):
    """Two hidden layers of ``hidden`` units; ``activation`` is ``relu`` or ``sigmoid``."""

    def __init__(self, hidden: int = 512, activation: str = "relu", dropout: float = 0.3) -> None:
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}")
        nonlinear = ACTIVATIONS[activation]

        def layer(inputs: int, outputs: int) -> list[nn.Module]:
            return [
                nn.Linear(inputs, outputs, bias=False),
                nn.BatchNorm1d(outputs),
                nonlinear(),
                nn.Dropout(dropout),
            ]

        self.layers = nn.Sequential(
            Normalize(),
            nn.Flatten(),  # (B, 784)
            *layer(28 * 28, hidden),  # (B, hidden)
            *layer(hidden, hidden),  # (B, hidden)
            nn.Linear(hidden, CLASSES),  # (B, 10)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, 10) of images (B, 1, 28, 28)."""
        logits: Tensor = self.layers(images)
        return logits
