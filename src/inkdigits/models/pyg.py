"""The graph networks with PyTorch Geometric's interface, for its ``explain`` package and its loaders.

The package multiplies the messages of every ``MessagePassing`` layer by its edge mask. Our network weights the messages
of each pooling level by the pixel edges that they stand for. Therefore one ``MessagePassing`` layer precedes it: it
returns a weight of 1 for each edge, the package masks these weights, and the network uses them.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.data import Data
from torch_geometric.nn import MessagePassing

from inkdigits.data.pixel_graph import PixelGraph
from inkdigits.models.gnn import GNN


class EdgeWeight(MessagePassing):  # type: ignore[misc]
    """Returns the weight of each edge, (E, 1): 1, or the mask that an explainer has set."""

    def forward(self, edge_index: Tensor, nodes: int) -> Tensor:
        """Return the weights of the edges edge_index (2, E) between ``nodes`` nodes."""
        ones = torch.ones(edge_index.shape[1], 1, device=edge_index.device)
        weight: Tensor = self.propagate(edge_index, size=(nodes, nodes), ones=ones)
        return weight

    def message(self, ones: Tensor) -> Tensor:
        """Return the weights before any mask."""
        return ones

    def aggregate(self, inputs: Tensor) -> Tensor:
        """Return the weights unchanged, one for each edge."""
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

        ``ptr``, which a loader adds, is not used. If ``image_size`` is a list, the numbers of images are added up.
        """
        if isinstance(image_size, list):
            image_size = (sum(images for images, _, _ in image_size), *image_size[0][1:])
        weight = self.edge_weight(edge_index, len(x)).squeeze(1)
        data = Data(x, edge_index, edge_attr, pos=pos, batch=batch, image_size=image_size, edge_weight=weight)
        return self.network.forward_graph(PixelGraph.from_data(data))
