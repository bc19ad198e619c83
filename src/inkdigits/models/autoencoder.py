"""Autoencoder: a digit is encoded as a short code and decoded again; a classifier works on the code.

G. Hinton, R. Salakhutdinov, "Reducing the dimensionality of data with neural networks", Science 313, 2006,
doi:10.1126/science.1127647. Changed: trained end to end, without layer-wise pre-training, on the mean squared error of
the pixels and, with a small weight, the classifier's loss.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from inkdigits.models.registry import CLASSES, Criterion, Normalize, register_model


def reconstruct_and_classify(
    model: "Autoencoder", images: Tensor, labels: Tensor, criterion: Criterion
) -> tuple[Tensor, Tensor]:
    """Return MSE(reconstruction, images) + weight * criterion(logits, labels), and the logits (B, 10)."""
    code = model.encode(images)
    logits = model.classifier(code)
    return F.mse_loss(model.decode(code), images) + model.classifier_weight * criterion(logits, labels), logits


@register_model(
    "autoencoder",
    paper="Hinton & Salakhutdinov 2006",
    recipes={
        "fast": {"epochs": 3},
        "standard": {"epochs": 20, "batch_size": 128, "lr": 3e-3, "weight_decay": 0.01, "ema": 0.998},
    },
    objective=reconstruct_and_classify,
)
class Autoencoder(nn.Module):
    """Encoder and decoder of ``hidden`` units, a code of ``code`` numbers, a classifier of 128 units on the code."""

    def __init__(
        self, code: int = 96, hidden: int = 768, dropout: float = 0.3, classifier_weight: float = 0.02
    ) -> None:
        super().__init__()
        self.classifier_weight = (
            classifier_weight  # the classifier's loss is about a hundred times that of the reconstruction
        )
        self.encoder = nn.Sequential(
            Normalize(),
            nn.Flatten(),  # (B, 784)
            nn.Linear(28 * 28, hidden),  # (B, hidden)
            nn.ReLU(inplace=True),
            nn.Linear(hidden, code),  # (B, code)
        )
        self.decoder = nn.Sequential(
            nn.Linear(code, hidden),  # (B, hidden)
            nn.ReLU(inplace=True),
            nn.Linear(hidden, 28 * 28),  # (B, 784)
            nn.Unflatten(1, (1, 28, 28)),  # (B, 1, 28, 28)
            nn.Sigmoid(),
        )
        self.classifier = nn.Sequential(
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(code, 128),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(128, CLASSES),
        )

    def encode(self, images: Tensor) -> Tensor:
        """Return the codes (B, code) of images (B, 1, 28, 28)."""
        codes: Tensor = self.encoder(images)
        return codes

    def decode(self, codes: Tensor) -> Tensor:
        """Return the images (B, 1, 28, 28) in [0, 1] decoded from codes (B, code)."""
        images: Tensor = self.decoder(codes)
        return images

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, 10) of images (B, 1, 28, 28)."""
        logits: Tensor = self.classifier(self.encode(images))
        return logits
