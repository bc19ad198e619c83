import dataclasses
import itertools
import json

import numpy as np
import pytest
import torch

import inkdigits
from inkdigits.data import Dataset
from inkdigits.data.pixel_graph import PixelGraph, pixel_graph
from inkdigits.errors import DataError, RunError, UsageError
from inkdigits.evaluation.connectivity import Connectivity, connectivity, first_cut, travel
from inkdigits.evaluation.explain import pairs
from inkdigits.evaluation.topology import Topology
from inkdigits.models import create_model
from inkdigits.models.gnn import GNN


@pytest.fixture(scope="module")
def found(gnn: GNN, small: Dataset) -> Connectivity:
    return connectivity(gnn, small.test.images[0])


def test_the_arrays_are_those_of_the_graph_and_the_network(found: Connectivity, gnn: GNN, small: Dataset) -> None:
    graph = pixel_graph(small.test.images[0])
    np.testing.assert_array_equal(found.edge_index, graph.edge_index.numpy())
    np.testing.assert_array_equal(found.pos, graph.pos.numpy())
    image = torch.tensor(small.test.images[0])[None, None].float() / 255
    np.testing.assert_allclose(found.probabilities, gnn(image).softmax(1)[0].detach(), rtol=1e-4, atol=1e-6)
    assert set(found.nodes) == set(found.edges) == {"integrated-gradients", "occlusion"}
    for method in found.nodes:
        assert found.nodes[method].shape == (len(graph.x),)
        assert found.edges[method].shape == (graph.edge_index.shape[1],)
    np.testing.assert_array_equal(found.pairs, pairs(graph)[0].T)
    assert (found.target, found.against) == (found.digit, None)


def test_messages_travel_as_powers_of_the_adjacency_and_through_cells(gnn: GNN, small: Dataset) -> None:
    graph = pixel_graph(small.test.images[1])
    levels = travel(gnn, graph)
    assert [level.name for level in levels] == [
        *("pixels", "layer 1", "layer 2", "pooled to 2x2", "layer 3", "layer 4", "pooled to 4x4", "layer 5", "layer 6")
    ]
    nodes = len(graph.x)
    adjacency = np.eye(nodes, dtype=int)
    adjacency[tuple(graph.edge_index.numpy())] = 1
    np.testing.assert_array_equal(levels[2].reached, np.linalg.matrix_power(adjacency, 2) > 0)
    column, row = graph.pos.numpy().T
    for cell, (x, y) in enumerate(levels[3].pos):
        within = (abs(column - x) < 1) & (abs(row - y) < 1)
        np.testing.assert_array_equal(levels[3].reached[cell], levels[2].reached[within].any(0))
    for before, after in itertools.pairwise(levels):
        assert after.reached.mean() >= before.reached.mean()


def test_nothing_travels_between_pieces(gnn: GNN) -> None:
    image = torch.zeros(1, 28, 28)
    image[0, 2:4, 2:4], image[0, 20:24, 20:24] = 1, 1
    last = travel(gnn, pixel_graph(image))[-1]
    for reached, (x, _) in zip(last.reached, last.pos, strict=True):
        first_piece = x < 10
        assert reached.tolist() == [first_piece] * 4 + [not first_piece] * 16


def test_the_cut_changes_the_answer_and_none_of_it_can_be_spared(gnn: GNN, small: Dataset) -> None:
    for image in small.test.images[:25]:
        graph = pixel_graph(image)
        cut = first_cut(gnn, graph)
        whole = int(gnn.forward_graph(graph).argmax())
        known = [tuple(pair) for pair in pairs(graph)[0].T.tolist()]
        number = pairs(graph)[1]

        def answer(removed: list[list[int]], graph: PixelGraph = graph, known: object = known) -> int:
            gone = torch.tensor([known.index(tuple(pair)) for pair in removed])  # type: ignore[attr-defined]
            keep = ~torch.isin(number, gone)  # noqa: B023
            return int(gnn.forward_graph(graph.with_edge_weight(keep.float())).argmax())

        assert 0 < len(cut.pairs) < len(known)
        removed = cut.pairs.tolist()
        assert answer(removed) == cut.digit != whole
        for index in range(len(removed)):
            assert answer(removed[:index] + removed[index + 1 :]) == whole


@pytest.mark.parametrize("side", [3, 28])
def test_where_no_cut_is_found_that_is_said(side: int) -> None:
    model = create_model("gnn", widths=[4]).eval()
    with torch.no_grad():
        model.head.weight.zero_()
        model.head.bias.copy_(torch.arange(10.0))
    cut = first_cut(model, pixel_graph(torch.ones(side, side)))  # type: ignore[arg-type]
    assert (len(cut.pairs), cut.digit) == (0, None)
    assert "no cut of up to 100 pairs" in cut.describe(20)


def test_another_digit_is_explained_against_the_one_that_is_read(gnn: GNN, small: Dataset) -> None:
    read = connectivity(gnn, small.test.images[0], methods=["integrated-gradients"])
    why_not = connectivity(
        gnn, small.test.images[0], (read.digit + 1) % 10, methods=["integrated-gradients"], cut=False
    )
    assert why_not.cut is None
    assert why_not.against == read.digit
    total = why_not.nodes["integrated-gradients"].sum()
    assert total < read.nodes["integrated-gradients"].sum()


def test_it_is_described_by_answer_shape_and_cut(found: Connectivity) -> None:
    answer, shape, cut = found.describe()
    assert answer == f"read as {found.digit} with probability {found.probabilities[found.digit]:.4f}"
    assert shape == Topology.describe(found.shape)
    assert f"of {len(found.pairs)} pairs of touching pixels" in cut
    assert dataclasses.replace(found, cut=None).describe() == [answer, shape]


def test_all_of_it_is_json(found: Connectivity) -> None:
    again = json.loads(json.dumps(found.to_dict()))
    assert again["digit"] == found.digit
    assert len(again["edges"]["occlusion"]) == found.edge_index.shape[1]
    assert [level["name"] for level in again["levels"]] == [level.name for level in found.levels]


@pytest.mark.parametrize("image", [np.zeros((28, 28)), np.eye(28) * (np.arange(28) == 9), np.ones((28, 28))])
def test_odd_images_have_an_answer(image: np.ndarray, gnn: GNN) -> None:
    found = connectivity(gnn, image)
    assert np.isfinite(found.probabilities).all()
    assert len(found.pos) == (image > 0).sum()
    if not image.any():
        assert found.shape == {"components": 0, "holes": 0, "ends": 0, "junctions": 0}
        assert found.cut is not None
        assert found.cut.digit is None


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (np.zeros((28, 28, 3), np.uint8), "images must be grey"),
        (np.full((28, 28), np.nan), "NaN"),
        (np.zeros((27, 28)), r"28x28 is needed, not 1x27x28"),
        (np.zeros((2, 28, 28)), r"not 2x28x28"),
        (np.full((28, 28), 200.0), "divide them by 255"),
        ("seven.png", "not str"),
        ([[0.0, 1.0], [0.0]], "not list"),
    ],
)
def test_other_images_are_refused(image: np.ndarray, says: str, gnn: GNN) -> None:
    with pytest.raises(DataError, match=says):
        connectivity(gnn, image)


def test_only_graph_networks_are_explained(gnn: GNN, tmp_path: object) -> None:
    assert inkdigits.connectivity is connectivity
    blank = np.zeros((28, 28))
    with pytest.raises(UsageError, match="CNN has no graph"):
        connectivity(create_model("cnn"), blank)
    with pytest.raises(RunError, match="does not exist"):
        connectivity(f"{tmp_path}/nowhere", blank)
    with pytest.raises(UsageError, match="target and rival are both 3"):
        connectivity(gnn, blank, target=3, against=3)
    for wrong in (12, 3.5, "3", -1):
        with pytest.raises(UsageError, match="classes are 0 to 9"):
            connectivity(gnn, blank, target=wrong, methods=[])  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="did you mean 'occlusion'"):
        connectivity(gnn, blank, methods=["oclusion"])
