"""The graph network: its layers against a convolution and against dense matrices, its answers on odd graphs."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inkdigits.data import Dataset
from inkdigits.data.pixel_graph import SELF, PixelGraph, pixel_graph
from inkdigits.evaluation.metrics import count_macs
from inkdigits.models import create_model
from inkdigits.models.gnn import place, readout
from inkdigits.models.message_passing import AttentiveMessages, DirectedMessages, gather, pool
from inkdigits.training.inference import to_input
from inkdigits.training.recipe import recipe_for


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture
def graph(small: Dataset) -> PixelGraph:
    return pixel_graph(small.train.images[:4])


def kernel(layer: DirectedMessages, inputs: int, outputs: int) -> Tensor:
    return layer.weight.view(3, 3, inputs, outputs).permute(3, 2, 0, 1)


def test_where_every_pixel_is_ink_it_is_a_3x3_convolution() -> None:
    layer, features = DirectedMessages(5, 7), torch.rand(2, 5, 6, 8)
    graph = pixel_graph(torch.ones(2, 6, 8))
    got = layer(features.permute(0, 2, 3, 1).reshape(-1, 5), graph).view(2, 6, 8, 7).permute(0, 3, 1, 2)
    torch.testing.assert_close(got, F.conv2d(features, kernel(layer, 5, 7), padding=1))


def test_on_ink_alone_it_is_the_convolution_of_ink_read_at_ink(graph: PixelGraph) -> None:
    layer, x = DirectedMessages(5, 7), torch.rand(len(graph.cell), 5)
    dense = torch.zeros(4 * 28 * 28, 5).index_copy(0, graph.cell, x).view(4, 28, 28, 5).permute(0, 3, 1, 2)
    there = F.conv2d(dense, kernel(layer, 5, 7), padding=1).permute(0, 2, 3, 1).reshape(-1, 7)[graph.cell]
    torch.testing.assert_close(layer(x, graph), there, rtol=1e-4, atol=1e-5)


def test_it_is_a_sum_of_adjacency_matrices_one_per_direction(graph: PixelGraph) -> None:
    layer, x, nodes = DirectedMessages(5, 7), torch.rand(len(graph.cell), 5), len(graph.cell)
    weights = layer.weight.view(9, 5, 7)
    source, target = graph.edge_index
    expected = x @ weights[SELF]
    for slot in set(range(9)) - {SELF}:
        at = graph.edge_attr == slot
        adjacency = torch.zeros(nodes, nodes)
        adjacency[target[at], source[at]] = 1
        expected = expected + adjacency @ x @ weights[slot]
    torch.testing.assert_close(layer(x, graph), expected, rtol=1e-4, atol=1e-5)


def test_gathering_backwards_gives_the_gradient_of_scattering(graph: PixelGraph) -> None:
    x = torch.rand(len(graph.cell), 5, dtype=torch.float64, requires_grad=True)
    loose = PixelGraph(graph.x, graph.cell, graph.neighbours, graph.size, symmetric=False)
    out = torch.rand(len(x), 9, 5, dtype=torch.float64)
    (fast,) = torch.autograd.grad((gather(x, graph) * out).sum(), x)
    (slow,) = torch.autograd.grad((gather(x, loose) * out).sum(), x)
    torch.testing.assert_close(fast, slow)


@pytest.mark.parametrize("name", ["gnn", "gnn-attention"])
def test_an_edge_of_weight_zero_is_an_edge_taken_away(name: str, graph: PixelGraph) -> None:
    model = create_model(name).eval()
    data = graph.to_data()
    keep = torch.rand(data.edge_index.shape[1]) < 0.7
    weighted = model.forward_graph(graph.with_edge_weight(keep.float()))
    data.edge_index, data.edge_attr = data.edge_index[:, keep], data.edge_attr[keep]
    torch.testing.assert_close(model.forward_graph(PixelGraph.from_data(data)), weighted, rtol=1e-5, atol=1e-6)
    assert (weighted - model.forward_graph(graph)).abs().max() > 2e-5


def test_attention_is_a_share_of_the_neighbours_that_are_there(graph: PixelGraph) -> None:
    layer, x = AttentiveMessages(5, 7), torch.rand(len(graph.cell), 5)
    attention = layer.attention(x, graph)
    torch.testing.assert_close(attention.sum(1), torch.ones(len(x)))
    assert (attention[graph.neighbours == len(x)] == 0).all()
    with torch.no_grad():
        layer.query.weight.zero_()
        layer.key.weight.zero_()
    degrees = (graph.neighbours < len(x)).sum(1)
    torch.testing.assert_close(layer.attention(x, graph).amax(1), 1 / degrees)


def test_pooling_keeps_the_largest_of_each_cell() -> None:
    image = torch.tensor([[0.2, 0.9, 0.0, 0.3], [0.4, 0.0, 0.0, 0.0]])
    graph = pixel_graph(image)
    coarse, parent = graph.coarsened()
    assert pool(graph.x, parent, len(coarse.cell)).squeeze(1).tolist() == pytest.approx([0.9, 0.3])


def test_the_readout_is_the_mean_and_the_maximum_of_each_image(graph: PixelGraph) -> None:
    x = torch.rand(len(graph.cell), 5)
    found = readout(x, graph)
    for image in range(4):
        mine = x[graph.batch == image]
        torch.testing.assert_close(found[image], torch.cat([mine.mean(0), mine.amax(0)]))


def test_a_node_knows_its_place() -> None:
    corners = torch.zeros(1, 5, 9)
    corners[0, [0, 0, 4, 4, 2], [0, 8, 0, 8, 4]] = 1
    assert place(pixel_graph(corners)).tolist() == [[-1, -1], [1, -1], [0, 0], [-1, 1], [1, 1]]


@pytest.mark.parametrize("name", ["gnn", "gnn-attention"])
def test_odd_images_have_an_answer_and_leave_their_neighbours_alone(name: str, small: Dataset) -> None:
    model = create_model(name)
    digits = to_input(torch.tensor(small.train.images[:3]))
    model(digits)  # a step of its running figures
    model.eval()
    odd = torch.zeros(5, 1, 28, 28)
    odd[1, 0, 14, 14], odd[2], odd[3] = 1.0, 1.0, torch.nan
    odd[4] = torch.rand(1, 28, 28)
    with torch.inference_mode():
        together = model(torch.cat([digits[:1], odd, digits[1:]]))
        torch.testing.assert_close(together[[0, 6, 7]], model(digits), rtol=1e-4, atol=1e-5)
        assert together.isfinite().all()
        torch.testing.assert_close(together[1], together[4])  # NaN is no ink
        torch.testing.assert_close(model(odd[:1])[0], model.head.bias + 0 * together[1])
    assert model.train()(odd[:2]).isfinite().all()


def test_small_variants_stay_under_100_000_parameters() -> None:
    _, options = recipe_for("gnn", "small")
    model: nn.Module = create_model("gnn", **options)
    assert sum(parameter.numel() for parameter in model.parameters()) <= 100_000


def test_work_is_counted_on_the_ink_that_digits_have(small: Dataset) -> None:
    model = create_model("gnn", widths=[4])
    nodes = len(pixel_graph(small.test.images[:100]).x) / min(100, len(small.test))
    assert count_macs(model, small.test) == pytest.approx(nodes * (9 * 3 * 4 + 9 * 4 * 4) + 8 * 10, abs=1)
