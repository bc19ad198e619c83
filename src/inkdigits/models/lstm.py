"""LSTM: the rows of a digit are a sequence, from top to bottom.

S. Hochreiter, J. Schmidhuber, "Long short-term memory", Neural Computation 9(8), 1997,
doi:10.1162/neco.1997.9.8.1735. Each of the 28 rows is a time step of 28 numbers. The classifier's input is the mean of
all hidden states, which trains faster than the last hidden state alone.
"""

from torch import Tensor, nn

from inkdigits.models.registry import CLASSES, Normalize, register_model


@register_model(
    "lstm",
    paper="Hochreiter & Schmidhuber 1997",
    recipes={
        "fast": {"epochs": 3},
        "standard": {
            "epochs": 16,
            "batch_size": 128,
            "lr": 6e-3,
            "weight_decay": 0.01,
            "ema": 0.998,
            "augment": "geometric",
        },
    },
)
class LSTM(nn.Module):
    """An LSTM of ``layers`` layers with ``hidden`` cells over the rows, then a linear classifier."""

    def __init__(self, hidden: int = 128, layers: int = 1, bidirectional: bool = False) -> None:
        super().__init__()
        self.normalize = Normalize()
        self.lstm = nn.LSTM(28, hidden, layers, batch_first=True, bidirectional=bidirectional)
        self.head = nn.Linear(hidden * (2 if bidirectional else 1), CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, 10) of images (B, 1, 28, 28)."""
        rows = self.normalize(images).squeeze(1)  # (B, 28, 28)
        states, _ = self.lstm(rows)  # (B, 28, hidden)
        logits: Tensor = self.head(states.mean(1))  # (B, 10)
        return logits
