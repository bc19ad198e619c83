"""GNN: a graph network over ink pixels.

Messages by direction after M. Schlichtkrull et al., ESWC 2018, arXiv:1703.06103, or with attention after P. Velickovic
et al., ICLR 2018, arXiv:1710.10903; pooling of nodes on the grid after M. Simonovsky, N. Komodakis, "Dynamic
edge-conditioned filters in convolutional neural networks on graphs", CVPR 2017, arXiv:1704.02901. Changed: batch norm
over nodes; the position of a node is an input feature.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inkdigits.data.pixel_graph import INK, PixelGraph, ink_graph
from inkdigits.models.message_passing import AttentiveMessages, DirectedMessages, NodeNorm, pool
from inkdigits.models.registry import CLASSES, Normalize, register_model

STANDARD: dict[str, Any] = {
    "epochs": 12,
    "batch_size": 128,
    "lr": 4e-3,
    "weight_decay": 0.05,
    "ema": 0.998,
    "augment": "geometric",
}


class Stage(nn.Module):
    """Two layers of messages, batch norm over nodes and ReLU: (N, inputs) to (N, width), at least 0."""

    def __init__(self, messages: type[DirectedMessages], inputs: int, width: int) -> None:
        super().__init__()
        self.first, self.first_norm = messages(inputs, width), NodeNorm(width)
        self.second, self.second_norm = messages(width, width), NodeNorm(width)

    def forward(self, x: Tensor, graph: PixelGraph) -> Tensor:
        """Return the features after both layers."""
        x = F.relu(self.first_norm(self.first(x, graph)), inplace=True)
        return F.relu(self.second_norm(self.second(x, graph)), inplace=True)


def readout(x: Tensor, graph: PixelGraph) -> Tensor:
    """Return mean and maximum over the nodes of each image: x (N, C) of at least 0 to (B, 2 C); 0 without nodes."""
    images, height, width = graph.size
    grid = x.new_zeros(images * height * width, x.shape[1]).index_copy(0, graph.cell, x)
    grid = grid.view(images, height * width, -1)  # (B, cells, C), zero where there is no node
    held = x.new_zeros(images * height * width).index_fill(0, graph.cell, 1).view(images, -1)  # 1 where there is one
    return torch.cat([grid.sum(1) / held.sum(1, keepdim=True).clamp(min=1), grid.amax(1)], dim=1)


def place(graph: PixelGraph) -> Tensor:
    """Return column and row of each node, (N, 2), from -1 (left, top) to 1 (right, bottom)."""
    _, height, width = graph.size
    extent = torch.tensor([max(1, width - 1), max(1, height - 1)], device=graph.cell.device)
    return 2 * graph.pos / extent - 1


@register_model(
    "gnn",
    paper="Schlichtkrull et al. 2018; Simonovsky & Komodakis 2017",
    recipes={
        "fast": {"epochs": 1},
        "standard": STANDARD | {"options": {"dropout": 0.3}},
        "small": STANDARD | {"options": {"widths": [16, 32, 64]}},
    },
)
class GNN(nn.Module):
    """A stage of two layers for each entry of ``widths``, with 2x2 pooling of cells before every stage but the first.

    Parameters
    ----------
    ink
        Pixels brighter than this, in [0, 1], are nodes.
    dropout
        Dropout rate of the readout.
    """

    messages: type[DirectedMessages] = DirectedMessages

    def __init__(self, widths: Sequence[int] = (32, 64, 112), ink: float = INK, dropout: float = 0.0) -> None:
        super().__init__()
        self.ink = ink
        self.normalize = Normalize()
        inputs = [3, *widths]
        self.stages = nn.ModuleList(Stage(self.messages, *pair) for pair in itertools.pairwise(inputs))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * inputs[-1], CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, 10) of images (B, 1, H, W)."""
        return self.forward_graph(ink_graph(images.squeeze(1), self.ink))

    def forward_graph(self, graph: PixelGraph) -> Tensor:
        """Return logits (B, 10) of the images of a graph; its x (N, 1) is the intensity of each node."""
        x = torch.cat([self.normalize(graph.x), place(graph)], dim=1)  # (N, 3)
        for index, stage in enumerate(self.stages):
            if index:
                graph, parent = graph.coarsened()
                x = pool(x, parent, graph.cell.shape[0])
            x = stage(x, graph)  # (N, width)
        logits: Tensor = self.head(self.dropout(readout(x, graph)))
        return logits


@register_model(
    "gnn-attention",
    paper="Velickovic et al. 2018",
    recipes={"fast": {"epochs": 1}, "standard": STANDARD | {"epochs": 6}},
)
class AttentiveGNN(GNN):
    """The GNN with attention over each node's neighbours."""

    messages = AttentiveMessages
