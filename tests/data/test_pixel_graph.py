"""The graph of ink pixels: its edges by hand, on a whole grid, in batches, and after pooling."""

import numpy as np
import pytest
import torch
from torch_geometric.utils import grid, is_undirected, remove_self_loops

from inkdigits.data import Dataset
from inkdigits.data.pixel_graph import DIRECTIONS, SELF, PixelGraph, pixel_graph
from inkdigits.errors import DataError

CORNER = torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.0, 0.0], [0.0, 0.8, 0.2]])  # nodes 0, 1 above one another; 2, 3 beside


def pairs(graph: PixelGraph) -> set[tuple[int, int]]:
    return set(map(tuple, graph.edge_index.T.tolist()))


def test_a_small_shape_has_the_edges_written_by_hand() -> None:
    graph = pixel_graph(CORNER)
    assert graph.x.squeeze(1).tolist() == pytest.approx([1.0, 0.5, 0.8, 0.2])
    assert graph.pos.tolist() == [[0, 0], [0, 1], [1, 2], [2, 2]]  # column, row
    named = {(s, t): DIRECTIONS[d] for (s, t), d in zip(graph.edge_index.T.tolist(), graph.edge_attr, strict=True)}
    assert named == {(0, 1): "N", (1, 0): "S", (1, 2): "NW", (2, 1): "SE", (2, 3): "W", (3, 2): "E"}


def test_all_ink_is_the_grid_of_pytorch_geometric() -> None:
    graph = pixel_graph(torch.ones(5, 7))
    edges, _ = grid(5, 7)
    assert pairs(graph) == set(map(tuple, remove_self_loops(edges)[0].T.tolist()))


def test_a_batch_is_the_union_of_its_images(small: Dataset) -> None:
    images = small.train.images[:6].copy()
    images[2] = 0
    images.setflags(write=False)  # as load() gives them
    batch = pixel_graph(images)
    nodes = edges = 0
    for number, image in enumerate(images):
        graph = pixel_graph(image)
        at = batch.batch == number
        assert torch.equal(batch.x[at], graph.x)
        assert torch.equal(batch.pos[at], graph.pos)
        mine = at[batch.edge_index[0]]
        assert torch.equal(batch.edge_index[:, mine] - nodes, graph.edge_index)
        assert torch.equal(batch.edge_attr[mine], graph.edge_attr)
        nodes, edges = nodes + len(graph.x), edges + graph.edge_index.shape[1]
    assert (nodes, edges) == (len(batch.x), batch.edge_index.shape[1])


def test_data_of_pytorch_geometric_and_back(small: Dataset) -> None:
    graph = pixel_graph(small.train.images[:3])
    data = graph.to_data()
    data.validate(raise_on_error=True)
    assert is_undirected(data.edge_index)
    assert not data.has_self_loops()
    again = PixelGraph.from_data(data)
    for name in ("x", "cell", "neighbours", "edge_index", "edge_attr", "batch", "pos"):
        assert torch.equal(getattr(again, name), getattr(graph, name)), name


def test_cells_that_touch_are_joined_though_their_pixels_leave_a_gap() -> None:
    image = torch.zeros(6, 6)
    image[0, 0] = image[0, 1] = image[0, 2] = 1  # cells (0,0), (0,1)
    image[5, 5] = 1  # cell (2,2)
    image[2, 5] = 1  # cell (1,2): beside (0,1) and (2,2), no pixel of which it touches
    coarse, parent = pixel_graph(image).coarsened()
    assert coarse.pos.tolist() == [[0, 0], [1, 0], [2, 1], [2, 2]]
    assert parent.tolist() == [0, 0, 1, 2, 3]
    assert pairs(coarse) == {(0, 1), (1, 0), (1, 2), (2, 1), (2, 3), (3, 2)}
    assert coarse.neighbours[:, SELF].tolist() == [0, 1, 2, 3]


def test_a_whole_grid_stays_a_whole_grid_when_pooled() -> None:
    coarse, _ = pixel_graph(torch.ones(2, 7, 9)).coarsened()
    assert coarse.size == (2, 4, 5)
    whole = pixel_graph(torch.ones(2, 4, 5))
    assert torch.equal(coarse.neighbours, whole.neighbours)
    assert torch.equal(coarse.cell, whole.cell)


def test_a_pooled_edge_weighs_as_much_as_the_heaviest_that_crosses() -> None:
    image = torch.zeros(2, 4)
    image[:, 1:3] = 1  # two cells, joined by four edges either way
    graph = pixel_graph(image)
    crossing = graph.pos[graph.edge_index[0], 0] != graph.pos[graph.edge_index[1], 0]
    weight = torch.where(crossing, torch.linspace(0.1, 0.4, len(crossing)), 0.9)
    coarse, _ = graph.with_edge_weight(weight).coarsened()
    assert coarse.weight is not None
    into = {t: weight[crossing & (graph.pos[graph.edge_index[1], 0] == t + 1)].max() for t in (0, 1)}
    slot = {0: DIRECTIONS.index("E"), 1: DIRECTIONS.index("W")}
    for node in (0, 1):
        assert coarse.weight[node, slot[node]] == into[node]
        assert coarse.weight[node, SELF] == 1


def test_a_gap_weighs_one_and_what_was_taken_away_nothing() -> None:
    image = torch.zeros(2, 6)
    image[0, [0, 1, 2, 5]] = 1  # three cells: the first two touch by their pixels, the last leaves a gap
    graph = pixel_graph(image)
    muted, _ = graph.with_edge_weight(torch.zeros(graph.edge_index.shape[1])).coarsened()
    data = graph.to_data()
    data.edge_index, data.edge_attr = data.edge_index[:, :0], data.edge_attr[:0]
    bare, _ = PixelGraph.from_data(data).coarsened()
    east = DIRECTIONS.index("E")
    for coarse in (muted, bare):
        assert coarse.weight is not None
        assert coarse.weight[:2, east].tolist() == [0, 1]
        assert coarse.weight[:, SELF].tolist() == [1, 1, 1]
    assert graph.coarsened()[0].weight is None


def test_the_coarse_graph_is_that_of_the_brightest_of_each_cell(small: Dataset) -> None:
    image = small.train.images[0]
    brightest = image.reshape(14, 2, 14, 2).max((1, 3))
    assert torch.equal(pixel_graph(image, coarse=True).neighbours, pixel_graph(brightest).neighbours)


@pytest.mark.parametrize(("image", "nodes", "edges"), [(np.zeros((28, 28)), 0, 0), (np.eye(1), 1, 0)])
def test_blank_and_single_pixels_have_a_graph(image: np.ndarray, nodes: int, edges: int) -> None:
    graph = pixel_graph(image)
    assert (len(graph.x), graph.edge_index.shape) == (nodes, (2, edges))
    assert len(graph.coarsened()[0].cell) == nodes


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.full((28, 28), np.nan), "NaN or infinity"),
        (np.full((28, 28), 200.0), r"must lie in \[0, 1\], not 200 to 200"),
        (np.zeros((28, 28), np.int32), "uint8 or float"),
        (np.zeros((28, 28, 3), np.uint8), r"not \(28, 28, 3\)"),
        (np.zeros((2, 3, 28, 28), np.uint8), r"not \(2, 3, 28, 28\)"),
        (np.zeros(784), r"not \(784,\)"),
    ],
)
def test_what_is_no_grey_image_is_refused(image: np.ndarray, words: str) -> None:
    with pytest.raises(DataError, match=words):
        pixel_graph(image)
