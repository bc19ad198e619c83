"""Layers of a graph network over pixels: messages from the neighbours in eight directions, norm, pooling of nodes.

M. Schlichtkrull et al., "Modeling relational data with graph convolutional networks", ESWC 2018, arXiv:1703.06103,
equation 2; the relations are the eight directions of the pixel grid. Attention after P. Velickovic et al., "Graph
attention networks", ICLR 2018, arXiv:1710.10903. Changed: no normalisation by the number of neighbours, so that the
layer equals a 3x3 convolution if every pixel is ink.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inkdigits.data.pixel_graph import PixelGraph


def rows_or_zero(table: Tensor, index: Tensor) -> Tensor:
    """Return table[index] for a table (N, C); rows are zero where ``index`` is N."""
    padded = torch.cat([table, table.new_zeros(1, table.shape[1])])
    return padded.index_select(0, index.flatten()).view(*index.shape, table.shape[1])


class _Gather(torch.autograd.Function):
    """``rows_or_zero`` for symmetric neighbours. Its backward pass gathers too; autograd would scatter, which is slow.

    The gradient of a node's message through a slot is found at the neighbour there, in the opposite slot.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, neighbours: Tensor) -> Tensor:
        ctx.save_for_backward(neighbours)
        return rows_or_zero(x, neighbours)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (neighbours,) = ctx.saved_tensors
        nodes = len(neighbours)
        opposite = torch.arange(8, -1, -1, device=grad.device)
        index = torch.where(neighbours < nodes, neighbours * 9 + opposite, nodes * 9)
        return rows_or_zero(grad.flatten(0, 1), index).sum(1), None


def gather(x: Tensor, graph: PixelGraph) -> Tensor:
    """Return the features (N, 9, C) of each node's nine neighbour slots; zero without a neighbour."""
    if torch.is_grad_enabled() and graph.symmetric:
        seen: Tensor = _Gather.apply(x, graph.neighbours)  # type: ignore[no-untyped-call]
        return seen
    return rows_or_zero(x, graph.neighbours)


class DirectedMessages(nn.Module):
    """h'_i = sum over d of W_d h_j(i, d), where j(i, d) is the neighbour of i in direction d; one of nine is i itself.

    A direction without a neighbour adds nothing. With ``graph.weight`` w, each W_d h_j is multiplied by w(i, d).
    Features (N, inputs) to (N, outputs).
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(9 * inputs, outputs))  # the slots row by row, as in a 3x3 kernel
        nn.init.normal_(self.weight, std=(2 / (9 * inputs)) ** 0.5)

    def forward(self, x: Tensor, graph: PixelGraph) -> Tensor:
        """Return the sum of the messages that reach each node."""
        seen = gather(x, graph)  # (N, 9, inputs)
        if graph.weight is not None:
            seen = seen * graph.weight.unsqueeze(2)
        return seen.flatten(1) @ self.weight


class AttentiveMessages(DirectedMessages):
    """h'_i = sum over d of a(i, d) W_d h_j(i, d), where a(i, .) is a softmax over the existing neighbours.

    a(i, d) is proportional to exp(LeakyReLU(q . h_i + k . h_j + b_d)): the attention of graph attention networks, with
    a bias per direction. ``graph.weight`` multiplies the messages. An edge of weight 0 gets no attention.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)
        self.query, self.key = nn.Linear(inputs, 1), nn.Linear(inputs, 1, bias=False)
        self.direction = nn.Parameter(torch.zeros(9))

    def attention(self, x: Tensor, graph: PixelGraph) -> Tensor:
        """Return a, (N, 9), rows summing to 1, zero without a neighbour and where the weight is 0."""
        key = gather(self.key(x), graph).squeeze(2)
        score = F.leaky_relu(self.query(x) + key + self.direction, 0.2)
        gone = graph.neighbours == x.shape[0]
        if graph.weight is not None:
            gone = gone | (graph.weight == 0)
        return score.masked_fill(gone, torch.finfo(score.dtype).min).softmax(1)

    def forward(self, x: Tensor, graph: PixelGraph) -> Tensor:
        """Return the weighted sum of the messages that reach each node."""
        share = self.attention(x, graph)
        share = share if graph.weight is None else share * graph.weight
        return (gather(x, graph) * share.unsqueeze(2)).flatten(1) @ self.weight


class NodeNorm(nn.BatchNorm1d):
    """Batch norm over nodes (N, C); a batch of fewer than two nodes is normalised by the running statistics."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised features."""
        if self.training and x.shape[0] > 1:
            return super().forward(x)
        assert self.running_mean is not None
        assert self.running_var is not None
        return (x - self.running_mean) * (self.weight * (self.running_var + self.eps).rsqrt()) + self.bias


def pool(x: Tensor, parent: Tensor, nodes: int) -> Tensor:
    """Return the maximum of each cell's features: x (N, C) of at least 0, parent (N,), to (nodes, C)."""
    return x.new_zeros(nodes, x.shape[1]).scatter_reduce(0, parent[:, None].expand_as(x), x, "amax")
