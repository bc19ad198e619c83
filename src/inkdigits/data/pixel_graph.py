"""A digit as a graph: the ink pixels are the nodes, and edges connect each to its neighbours among the eight around it.

The graph of a whole batch is one set of tensors, built without a loop over images; no edge connects two images. The
neighbours of a node are a row of nine slots, one per direction, so that message passing is one gather and one product.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inkdigits.errors import DataError, UsageError

INK = 0.1  # a pixel brighter than this is ink
SELF = 4  # the slot of the node itself, among the nine of a 3x3 window read row by row
OFFSETS = torch.tensor([(row, column) for row in (-1, 0, 1) for column in (-1, 0, 1)])  # (9, 2), one per slot
DIRECTIONS = ("NW", "N", "NE", "W", "self", "E", "SW", "S", "SE")  # the direction of each slot's neighbour


def _coarse_slots() -> Tensor:
    """Return int64 (4, 9): by position in a 2x2 cell and slot of a neighbour, the slot of that neighbour's cell."""
    position = torch.tensor([(0, 0), (0, 1), (1, 0), (1, 1)])
    offset = (position[:, None] + OFFSETS).div(2, rounding_mode="floor")  # (4, 9, 2) in -1, 0, 1
    return (offset[..., 0] + 1) * 3 + offset[..., 1] + 1


COARSE_SLOTS = _coarse_slots()


@dataclass(frozen=True, eq=False)
class PixelGraph:
    """The ink pixels of a batch of images, and which of them are neighbours.

    Attributes
    ----------
    x
        Features of the nodes, float32 (N, C). A new graph has the intensity, (N, 1) in (0, 1].
    cell
        int64 (N,), ascending: image * height * width + row * width + column of each node.
    neighbours
        int64 (N, 9): the node in each slot of the 3x3 window, N for an empty slot; slot 4 is the node itself.
    size
        (images, height, width).
    weight
        float32 (N, 9), the factor of the message through each slot; None means 1 for all.
    symmetric
        Whether every edge certainly has its reverse. It does in a graph of pixels from which no edge was removed.
    """

    x: Tensor
    cell: Tensor
    neighbours: Tensor
    size: tuple[int, int, int]
    weight: Tensor | None = None
    symmetric: bool = True

    @property
    def batch(self) -> Tensor:
        """The image of each node, int64 (N,)."""
        return self.cell // (self.size[1] * self.size[2])

    @property
    def pos(self) -> Tensor:
        """Column and row of each node, rows counted downwards: float32 (N, 2)."""
        _, height, width = self.size
        return torch.stack([self.cell % width, self.cell // width % height], dim=1).float()

    @cached_property
    def _edges(self) -> tuple[Tensor, Tensor]:
        present = self.neighbours < len(self.cell)
        present[:, SELF] = False
        target, slot = present.nonzero(as_tuple=True)
        return target, slot

    @property
    def edge_index(self) -> Tensor:
        """Source and target of each edge, int64 (2, E); each pair of neighbours has an edge in both directions."""
        target, slot = self._edges
        return torch.stack([self.neighbours[target, slot], target])

    @property
    def edge_attr(self) -> Tensor:
        """Slot of the source as seen from the target, int64 (E,), 0 to 8 except 4; :data:`DIRECTIONS` names them."""
        return self._edges[1]

    def with_edge_weight(self, edge_weight: Tensor) -> "PixelGraph":
        """Return the graph whose messages are multiplied by ``edge_weight`` (E,), in the order of ``edge_index``."""
        weight = torch.ones(self.neighbours.shape, dtype=edge_weight.dtype, device=edge_weight.device)
        return replace(self, weight=weight.index_put(self._edges, edge_weight))

    def to_data(self) -> Any:
        """Return PyTorch Geometric's ``Data``: x, edge_index, edge_attr, pos, batch, and image_size.

        Raises
        ------
        ModuleNotFoundError
            When torch_geometric is not installed.
        """
        from torch_geometric.data import Data

        return Data(
            x=self.x,
            edge_index=self.edge_index,
            edge_attr=self.edge_attr,
            pos=self.pos,
            batch=self.batch,
            image_size=self.size,
        )

    @classmethod
    def from_data(cls, data: Any) -> "PixelGraph":
        """Return the graph of a ``Data`` such as :meth:`to_data` returns.

        Edges may be missing. Messages are multiplied by ``edge_weight`` (E,) if the data has one.
        """
        nodes, (_, height, width) = len(data.x), data.image_size
        column, row = data.pos.long().unbind(1)
        neighbours = torch.full((nodes, 9), nodes, device=data.x.device)
        neighbours[:, SELF] = torch.arange(nodes, device=data.x.device)
        slots = data.edge_index[1], data.edge_attr
        neighbours[slots] = data.edge_index[0]
        weight = None
        if data.edge_weight is not None:
            weight = torch.ones(nodes, 9, device=data.x.device).index_put(slots, data.edge_weight)
        cell = (data.batch * height + row) * width + column
        return cls(data.x, cell, neighbours, data.image_size, weight, symmetric=False)

    def repeated(self, copies: int) -> "PixelGraph":
        """Return the graph of the same images ``copies`` times, one copy after the other."""
        images, height, width = self.size
        nodes = len(self.cell)
        number = torch.arange(copies, device=self.cell.device)[:, None]
        cell = (self.cell + number * images * height * width).flatten()
        absent = self.neighbours == nodes
        neighbours = torch.where(absent, copies * nodes, self.neighbours + number[:, :, None] * nodes).flatten(0, 1)
        weight = None if self.weight is None else self.weight.repeat(copies, 1)
        size = (images * copies, height, width)
        return PixelGraph(self.x.repeat(copies, 1), cell, neighbours, size, weight, self.symmetric)

    def coarsened(self) -> "tuple[PixelGraph, Tensor]":
        """Return the graph of 2x2 cells that hold a node, without features, and the cell of each node, int64 (N,).

        Cells that touch are neighbours. The weight of the edge between two cells is the largest weight of the edges
        between their nodes, or 1 if no node of one touches a node of the other.
        """
        images, height, width = self.size
        rows, columns = (height + 1) // 2, (width + 1) // 2
        row, column = self.cell // width % height, self.cell % width
        coarse_cell = (self.batch * rows + row // 2) * columns + column // 2  # (N,)
        cell, number = _numbered(coarse_cell, images * rows * columns)
        parent = number[coarse_cell]  # (N,)
        size = (images, rows, columns)
        weight = None
        if self.weight is not None or not self.symmetric:
            weight = self._heaviest(COARSE_SLOTS.to(row.device)[row % 2 * 2 + column % 2], parent, cell.shape[0])
        empty = self.x.new_zeros((cell.shape[0], 0))
        return PixelGraph(empty, cell, _touching(cell, size), size, weight), parent

    def _heaviest(self, slot: Tensor, parent: Tensor, cells: int) -> Tensor:
        """Return the weights (M, 9) between cells, given for each pair of nodes the slot (N, 9) between their cells."""
        nodes = len(self.cell)
        ones = torch.ones(self.neighbours.shape, device=self.cell.device)
        weight = ones if self.weight is None else self.weight
        weight = torch.where(self.neighbours < nodes, weight, 0)  # a removed edge has weight 0
        touch = _touching(self.cell, self.size) < nodes
        at = torch.where(
            touch, parent[:, None] * 9 + slot, cells * 9
        ).flatten()  # pairs that do not touch go to an extra place, which is dropped
        heaviest = weight.new_zeros(cells * 9 + 1).scatter_reduce(0, at, weight.flatten(), "amax")
        known = torch.zeros(cells * 9 + 1, dtype=torch.bool, device=at.device).index_fill(0, at, True)
        return torch.where(known, heaviest, 1)[:-1].view(-1, 9)


def _numbered(places: Tensor, total: int) -> tuple[Tensor, Tensor]:
    """Return the places that occur, ascending, int64 (M,), and for each of ``total`` places its index among them."""
    occurs = torch.zeros(total, dtype=torch.bool, device=places.device).index_fill(0, places, True)
    return occurs.nonzero().squeeze(1), occurs.cumsum(0) - 1


def as_batch(images: Any) -> Tensor:
    """Return float32 (B, H, W) in [0, 1] of one image or a batch, uint8 or float, array or tensor.

    Raises
    ------
    DataError
        When it is not a grey image, or has NaN, infinity, or floats outside [0, 1].
    """
    try:
        tensor = images.detach() if isinstance(images, Tensor) else torch.tensor(np.array(images))
    except (TypeError, ValueError) as error:
        raise DataError(
            f"an image is an array or a tensor of numbers, not {type(images).__name__} ({error})"
        ) from error
    colour = tensor.ndim == 3 and tensor.shape[2] in (3, 4)
    if tensor.ndim == 4 and tensor.shape[1] == 1:
        tensor = tensor.squeeze(1)
    elif tensor.ndim == 2:
        tensor = tensor.unsqueeze(0)
    if tensor.ndim != 3 or colour:
        raise DataError(
            f"images must be grey, (H, W), (B, H, W) or (B, 1, H, W), not {tuple(tensor.shape)}; "
            "inkdigits.imaging.normalize converts colour pictures"
        )
    if tensor.dtype == torch.uint8:
        return tensor.float() / 255
    if not tensor.is_floating_point():
        raise DataError(f"images must be uint8 or float in [0, 1], not {tensor.dtype}")
    if not tensor.isfinite().all():
        raise DataError("the images have NaN or infinity")
    if tensor.numel() and (tensor.min() < 0 or tensor.max() > 1):
        low, high = tensor.min().item(), tensor.max().item()
        raise DataError(f"float images must lie in [0, 1], not {low:.3g} to {high:.3g}; divide them by 255")
    return tensor.float()


def pixel_graph(images: Any, ink: float = INK, coarse: bool = False) -> PixelGraph:
    """Return the graph of the ink pixels of images.

    Parameters
    ----------
    images
        One image (H, W) or a batch (B, H, W) or (B, 1, H, W), ink bright on black, uint8 or float in [0, 1].
    ink
        Pixels brighter than this, in [0, 1], are nodes. A blank image has none.
    coarse
        Take the brightest of each 2x2 pixels first. The 14x14 grid is simpler in drawings.

    Raises
    ------
    DataError
        When the images are not grey images of finite numbers.
    UsageError
        When ``ink`` is not a brightness.
    """
    if not 0 <= ink < 1:
        raise UsageError(f"ink is a brightness of at least 0 and below 1, not {ink}")
    batch = as_batch(images)
    if coarse:
        batch = torch.nn.functional.max_pool2d(batch.unsqueeze(1), 2, ceil_mode=True).squeeze(1)
    return ink_graph(batch, ink)


def ink_graph(images: Tensor, ink: float = INK) -> PixelGraph:
    """Return the graph of float images (B, H, W) without checks; NaN counts as no ink."""
    count, height, width = images.shape
    flat = images.flatten()
    is_ink = flat > ink
    cell = is_ink.nonzero().squeeze(1)  # (N,)
    size = (count, height, width)
    return PixelGraph(flat[cell].unsqueeze(1), cell, _touching(cell, size), size)


def _touching(cell: Tensor, size: tuple[int, int, int]) -> Tensor:
    """Return the neighbours int64 (N, 9) of ascending cells (N,): the node in each slot, N for an empty slot."""
    images, height, width = size
    nodes = cell.shape[0]
    image, row, column = cell // (height * width), cell // width % height, cell % width
    home = (image * (height + 2) + row + 1) * (width + 2) + column + 1  # in images with a border of one cell
    number = torch.full((images * (height + 2) * (width + 2),), nodes, device=cell.device)
    number = number.index_copy(0, home, torch.arange(nodes, device=cell.device))
    steps = (OFFSETS[:, 0] * (width + 2) + OFFSETS[:, 1]).to(cell.device)  # (9,)
    return number[home[:, None] + steps]
