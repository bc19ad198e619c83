"""The graph networks as PyTorch Geometric calls a network, for its ``explain`` package and its loaders.

The package multiplies the messages of every ``MessagePassing`` layer by its mask of edges. Ours weighs messages at
each pooling level by the pixel edges behind them, so one layer stands before the network: it hands out a weight of 1
for each edge, the package masks that, and the network takes it from there.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.data import Data
from torch_geometric.nn import MessagePassing

from inkdigits.data.pixel_graph import PixelGraph
from inkdigits.models.gnn import GNN


class EdgeWeight(MessagePassing):  # type: ignore[misc]
    """The weight of each edge, (E, 1): 1, or the mask that an explainer has set."""

    def forward(self, edge_index: Tensor, nodes: int) -> Tensor:
        """Return the weights of edge_index (2, E) between that many nodes."""
        ones = torch.ones(edge_index.shape[1], 1, device=edge_index.device)
        weight: Tensor = self.propagate(edge_index, size=(nodes, nodes), ones=ones)
        return weight

    def message(self, ones: Tensor) -> Tensor:
        """Return the weights before any mask."""
        return ones

    def aggregate(self, inputs: Tensor) -> Tensor:
        """Return the weights, which stay with their edges."""
        return inputs


class DataGNN(nn.Module):
    """A graph network that takes the fields of ``PixelGraph.to_data()``: ``model(**data.to_dict())``."""

    def __init__(self, network: GNN) -> None:
        super().__init__()
        self.network = network
        self.edge_weight = EdgeWeight()

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        edge_attr: Tensor,
        pos: Tensor,
        batch: Tensor,
        image_size: Any,
        ptr: Tensor | None = None,
    ) -> Tensor:
        """Return logits (B, 10); x (N, 1) is the intensity of the nodes in [0, 1].

        ``ptr``, which a loader adds, is not needed; of the sizes that it lists it is the sum that counts.
        """
        if isinstance(image_size, list):
            image_size = (sum(images for images, _, _ in image_size), *image_size[0][1:])
        weight = self.edge_weight(edge_index, len(x)).squeeze(1)
        data = Data(x, edge_index, edge_attr, pos=pos, batch=batch, image_size=image_size, edge_weight=weight)
        return self.network.forward_graph(PixelGraph.from_data(data))
