"""Measures of explanations, against PyTorch Geometric's and SciPy's, and on what is known to be correct or wrong."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor
from torch_geometric.explain import Explainer, Explanation, GNNExplainer
from torch_geometric.explain.metric import fidelity

from inkdigits.data import Dataset
from inkdigits.errors import UsageError
from inkdigits.evaluation.explain import explain, pairs
from inkdigits.evaluation.faithfulness import (
    SHARES,
    Explained,
    Faithfulness,
    area,
    explained,
    faithfulness,
    owners,
    rank_correlation,
    rank_share,
    shuffled_copy,
    unfaithfulness,
)
from inkdigits.evaluation.planted import auroc_of_planted, planted_images
from inkdigits.models.gnn import GNN
from inkdigits.models.pyg import DataGNN


@pytest.fixture(scope="module")
def measured(gnn: GNN, small: Dataset) -> dict[tuple[str, str], Faithfulness]:
    methods = ["integrated-gradients", "gnn-explainer"]
    rows = faithfulness([gnn, shuffled_copy(gnn)], small.test.images[:30], methods, planted=False)
    return {(row.method, row.part): row for row in rows}


@pytest.fixture
def images(small: Dataset) -> Tensor:
    return torch.tensor(small.test.images[:6]).float() / 255


def test_the_share_that_is_more_important_is_counted_within_each_image() -> None:
    score = torch.tensor([0.1, 0.9, 0.5, 7.0, 8.0])
    owner = torch.tensor([0, 0, 0, 1, 1])
    torch.testing.assert_close(rank_share(score, owner), torch.tensor([2 / 3, 0, 1 / 3, 1 / 2, 0]))


def test_chance_and_brightness_gain_nothing_over_themselves(measured: dict[tuple[str, str], Faithfulness]) -> None:
    for part in ("nodes", "edges"):
        assert measured["random", part].deletion_over_random[0] == 0
        assert measured["intensity", part].insertion_over_intensity[0] == 0
        assert measured["intensity", part].doubts


def test_integrated_gradients_of_edges_beat_chance(measured: dict[tuple[str, str], Faithfulness]) -> None:
    row = measured["integrated-gradients", "edges"]
    assert row.deletion_over_random[1] > 0
    assert row.insertion_over_random[1] > 0
    assert row.fidelity_plus[0] > measured["random", "edges"].fidelity_plus[0]
    assert abs(row.shuffled[0]) < 0.2
    assert row.deletion[1] < row.deletion[0] < row.deletion[2]
    assert row.deletion_curve[0] == pytest.approx(row.insertion_curve[-1])
    assert row.deletion_curve[-1] == pytest.approx(row.insertion_curve[0])


def test_fidelity_is_that_of_pytorch_geometric(gnn: GNN, small: Dataset) -> None:
    images = torch.tensor(small.test.images[:40]).float() / 255
    (row,) = (
        row
        for row in faithfulness([gnn], small.test.images[:40], ["integrated-gradients"], planted=False)
        if (row.method, row.part) == ("integrated-gradients", "edges")
    )
    found = explain(gnn, images, gnn(images.unsqueeze(1)).argmax(1))
    graph = found.graph
    top = (rank_share(found.pairs, owners(found, "edges")) < 0.2).float()[pairs(graph)[1]]
    explainer = Explainer(
        DataGNN(gnn),
        GNNExplainer(epochs=1),
        explanation_type="model",
        edge_mask_type="object",
        model_config={"mode": "multiclass_classification", "task_level": "graph", "return_type": "raw"},
    )
    fields = graph.to_data().to_dict()
    explanation = Explanation(edge_mask=top, **fields)
    explanation._model_args = ["edge_attr", "pos", "batch", "image_size"]
    explanation.target = explainer.get_target(explainer.get_prediction(**fields))
    plus, minus = fidelity(explainer, explanation)
    assert (row.fidelity_plus[0], row.fidelity_minus[0]) == pytest.approx((plus, minus), abs=1e-6)


def test_unfaithfulness_is_one_less_the_exponential_of_the_divergence() -> None:
    whole, kept = torch.tensor([[0.5, 0.5], [1.0, 0.0]]), torch.tensor([[0.25, 0.75], [0.5, 0.5]])
    first = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)
    expected = torch.tensor([1 - math.exp(-first), 1 - math.exp(-math.log(2))])
    torch.testing.assert_close(unfaithfulness(whole, kept), expected)
    torch.testing.assert_close(unfaithfulness(whole, whole), torch.zeros(2))


def test_the_area_is_that_under_straight_lines() -> None:
    falling = 1 - np.array(SHARES)
    at_once = np.array([1.0, *[0.0] * (len(SHARES) - 1)])
    assert area(np.stack([falling, at_once, np.ones(len(SHARES))])).tolist() == pytest.approx([0.5, 0.025, 1])


def test_doubts_name_the_checks_that_fail() -> None:
    good, bad, wide = (0.2, 0.1, 0.3), (-0.2, -0.3, -0.1), (0.2, -0.1, 0.5)
    figures = [(0.5, 0.4, 0.6)] * 5
    curves = [(0.0,), (0.0,)]
    rows = {
        "sound": Faithfulness("m", "edges", 9, *figures, good, good, good, good, good, good, (0.97, 0.9, 1.0), *curves),
        "dim": Faithfulness("m", "edges", 9, *figures, good, good, wide, bad, good, good, (0.97, 0.9, 1.0), *curves),
        "fixed": Faithfulness("m", "edges", 9, *figures, good, good, good, good, (0.9, 0.8, 1.0), good, bad, *curves),
    }
    assert rows["sound"].doubts == []
    assert rows["dim"].doubts == ["deletion no better than brightness", "insertion no better than brightness"]
    assert [doubt.split(" (")[0] for doubt in rows["fixed"].doubts] == [
        *("similar with shuffled weights", "misses planted signals")
    ]


def test_rank_correlation_is_spearmans(gnn: GNN, images: Tensor) -> None:
    a, b = explained(gnn, images, "integrated-gradients"), explained(gnn, images, "intensity")
    got = rank_correlation(a, b, "nodes")
    owner = owners(a[0], "nodes")
    for index in range(len(images)):
        x, y = (found[0].nodes[owner == index].numpy() for found in (a, b))
        assert got[index] == pytest.approx(spearmanr(x, y).statistic)
    np.testing.assert_allclose(rank_correlation(a, a, "edges"), 1)


def test_shuffling_keeps_the_numbers_and_loses_their_places(gnn: GNN) -> None:
    for (name, mine), theirs in zip(gnn.named_parameters(), shuffled_copy(gnn).parameters(), strict=True):
        torch.testing.assert_close(mine.flatten().sort().values, theirs.flatten().sort().values)
        assert mine.numel() < 8 or not torch.equal(mine, theirs), name


def test_a_result_is_kept_as_json_and_read_back(measured: dict[tuple[str, str], Faithfulness]) -> None:
    explained_rows = Explained("abc", 60, list(measured.values()))
    again = Explained.from_dict(explained_rows.to_dict())
    assert again.rows[0].fidelity_plus == explained_rows.rows[0].fidelity_plus
    assert math.isnan(again.rows[0].planted[0])
    assert again.rows[0].doubts == explained_rows.rows[0].doubts


def test_planted_figures_are_where_they_are_said_to_be() -> None:
    images, labels, figure = planted_images(200, seed=0)
    assert set(labels.tolist()) == set(range(10))
    assert ((images > 0) | ~figure).all()
    share = figure.sum((1, 2)) / (images > 0).sum((1, 2))
    assert 0.05 < share.mean() < 0.5
    assert torch.equal(images, planted_images(200, seed=0)[0])
    assert not torch.equal(images, planted_images(200, seed=1)[0])


def test_the_planted_signal_is_found_by_gradients_and_not_by_chance() -> None:
    found = auroc_of_planted(GNN, ["integrated-gradients", "random"], train=3000, test=100)
    assert found["integrated-gradients", "edges"][0] > 0.95
    assert found["integrated-gradients", "nodes"][0] > 0.95
    assert found["random", "edges"][0] == pytest.approx(0.5, abs=0.05)


def test_digits_without_ink_are_left_out(gnn: GNN, small: Dataset) -> None:
    blank = np.zeros((1, 28, 28), np.uint8)
    rows = faithfulness([gnn], np.concatenate([blank, small.test.images[:3]]), [], planted=False)
    assert {row.n for row in rows} == {3}
    with pytest.raises(UsageError, match="no digit with ink"):
        faithfulness([gnn], blank)
