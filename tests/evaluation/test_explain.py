"""Explanations against what they must add up to, against trusted libraries, and on odd images."""

import dataclasses

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients
from torch import Tensor

from inkdigits.data import Dataset
from inkdigits.data.pixel_graph import PixelGraph, ink_graph
from inkdigits.errors import UsageError
from inkdigits.evaluation.explain import BASELINES, METHODS, STEPS, explain, margin, methods_for, pairs
from inkdigits.models.gnn import GNN


@pytest.fixture
def images(small: Dataset) -> Tensor:
    return torch.tensor(small.test.images[:4]).float() / 255


@pytest.fixture
def read(gnn: GNN, images: Tensor) -> Tensor:
    return gnn(images.unsqueeze(1)).argmax(1)


def weighted(graph: PixelGraph, weight: float) -> PixelGraph:
    return dataclasses.replace(graph, weight=torch.full(graph.neighbours.shape, weight))


def test_integrated_gradients_add_up_to_what_the_messages_change(gnn: GNN, images: Tensor, read: Tensor) -> None:
    found = explain(gnn, images, read)
    graph = found.graph
    with torch.inference_mode():
        all_heard, nothing_heard = (margin(gnn.forward_graph(weighted(graph, w)), read) for w in (1.0, 0.0))
    total = torch.zeros(4).index_add(0, graph.batch, found.nodes)
    torch.testing.assert_close(total, all_heard - nothing_heard, rtol=0.03, atol=0.1)
    assert total.abs().max() > 2


def test_integrated_gradients_are_captums(gnn: GNN, images: Tensor, read: Tensor) -> None:
    graph = ink_graph(images[:1])

    def answers(weight: Tensor) -> Tensor:
        copies = dataclasses.replace(graph.repeated(len(weight)), weight=weight.flatten(0, 1))
        return margin(gnn.forward_graph(copies), read[:1].expand(len(weight)))

    theirs = IntegratedGradients(answers).attribute(torch.ones(1, *graph.neighbours.shape), n_steps=STEPS)[0]
    mine = explain(gnn, images[:1], read[:1]).edges
    torch.testing.assert_close(mine, theirs[graph.edge_index[1], graph.edge_attr].float(), rtol=1e-3, atol=1e-4)


def test_occlusion_is_the_margin_without_that_pixel_or_pair(gnn: GNN, images: Tensor, read: Tensor) -> None:
    image, target = images[:1], read[:1]
    found = explain(gnn, image, target, method="occlusion")
    graph = found.graph
    with torch.inference_mode():
        whole = margin(gnn(image.unsqueeze(1)), target)
        node = int(found.nodes.argmax())
        less = image.clone().flatten()
        less[graph.cell[node]] = 0
        assert found.nodes[node] == pytest.approx(
            (whole - margin(gnn(less.view(1, 1, 28, 28)), target)).item(), abs=1e-4
        )
        pair = int(found.pairs.argmax())
        data = graph.to_data()
        keep = pairs(graph)[1] != pair
        data.edge_index, data.edge_attr = data.edge_index[:, keep], data.edge_attr[keep]
        cut = margin(gnn.forward_graph(PixelGraph.from_data(data)), target)
    assert found.pairs[pair] == pytest.approx((whole - cut).item(), abs=1e-4)
    assert int((~keep).sum()) == 2


@pytest.mark.parametrize("method", ["integrated-gradients", "occlusion", "attention", "intensity"])
def test_a_digit_is_explained_the_same_among_others(method: str, attentive: GNN, images: Tensor, read: Tensor) -> None:
    together = explain(attentive, images, read, method=method)
    alone = explain(attentive, images[2:3], read[2:3], method=method)
    graph = together.graph
    torch.testing.assert_close(together.nodes[graph.batch == 2], alone.nodes, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(together.edges[graph.batch[graph.edge_index[1]] == 2], alone.edges, rtol=1e-3, atol=1e-4)


def test_why_not_is_the_other_side_of_why(gnn: GNN, images: Tensor, read: Tensor) -> None:
    other = (read + 1) % 10
    why, why_not = explain(gnn, images, read, other), explain(gnn, images, other, read)
    torch.testing.assert_close(why.edges, -why_not.edges)
    assert not torch.allclose(why.edges, explain(gnn, images, read).edges, atol=1e-3)


def test_gnn_explainer_gives_masks_and_the_same_ones_again(gnn: GNN, images: Tensor, read: Tensor) -> None:
    found = explain(gnn, images, read, method="gnn-explainer")
    for mask in (found.nodes, found.edges):
        assert mask.min() >= 0
        assert mask.max() <= 1
        assert mask.std() > 0.05
    torch.testing.assert_close(found.edges, explain(gnn, images, read, method="gnn-explainer").edges)


def test_gnn_explainer_explains_a_digit_much_the_same_among_others(gnn: GNN, images: Tensor, read: Tensor) -> None:
    together = explain(gnn, images, read, method="gnn-explainer")
    graph = together.graph
    for index in range(len(images)):
        alone = explain(gnn, images[index : index + 1], read[index : index + 1], method="gnn-explainer")
        mine = together.edges[graph.batch[graph.edge_index[1]] == index]
        assert np.corrcoef(mine, alone.edges)[0, 1] > 0.3
        assert float(mine.mean()) == pytest.approx(float(alone.edges.mean()), abs=0.1)  # its size weighs the same


def test_explaining_leaves_no_trace_on_the_network(gnn: GNN, images: Tensor, read: Tensor) -> None:
    before = torch.random.get_rng_state()
    for method in ("integrated-gradients", "gnn-explainer"):
        explain(gnn, images, read, method=method)
    assert all(parameter.grad is None for parameter in gnn.parameters())
    assert torch.equal(before, torch.random.get_rng_state())


def test_attention_is_shown_where_there_is_attention(gnn: GNN, attentive: GNN, images: Tensor, read: Tensor) -> None:
    found = explain(attentive, images, read, method="attention")
    assert found.edges.min() >= 0
    graph = found.graph
    given = torch.zeros(len(graph.cell)).index_add(0, graph.edge_index[1], found.edges)
    received = torch.zeros(len(graph.cell)).index_add(0, graph.edge_index[0], found.edges)
    itself = found.nodes - received  # what a node keeps for itself
    torch.testing.assert_close(given + itself, torch.ones(len(graph.cell)))  # each gives away one whole share
    assert "attention" in methods_for(attentive)
    assert "attention" not in methods_for(gnn)
    with pytest.raises(UsageError, match="no attention"):
        explain(gnn, images, read, method="attention")


@pytest.mark.parametrize("method", [*METHODS, *BASELINES])
def test_odd_images_have_an_explanation_beside_a_good_one(method: str, attentive: GNN, images: Tensor) -> None:
    odd = torch.zeros(4, 28, 28)
    odd[1, 14, 14], odd[2], odd[3] = 1, 1, images[0]
    found = explain(attentive, odd, torch.tensor([0, 1, 2, 3]), method=method)
    assert len(found.nodes) == 1 + 28 * 28 + len(ink_graph(images[:1]).x)
    assert found.nodes.isfinite().all()
    assert found.edges.isfinite().all()
    blank = explain(attentive, odd[:1], torch.tensor([0]), method=method)
    assert (len(blank.nodes), len(blank.edges), len(blank.pairs)) == (0, 0, 0)
    lonely = explain(attentive, odd[1:2], torch.tensor([0]), method=method)
    assert (len(lonely.nodes), len(lonely.edges)) == (1, 0)


def test_an_unknown_method_or_class_is_said(gnn: GNN, images: Tensor, read: Tensor) -> None:
    with pytest.raises(UsageError, match="did you mean 'occlusion'"):
        explain(gnn, images, read, method="oclusion")
    with pytest.raises(UsageError, match="classes are 0 to 9"):
        explain(gnn, images, read + 10)
