"""The graph networks under PyTorch Geometric's own explainers."""

import pytest
import torch
from torch_geometric.explain import CaptumExplainer, Explainer, GNNExplainer
from torch_geometric.loader import DataLoader

from inkdigits.data import Dataset
from inkdigits.data.pixel_graph import PixelGraph, pixel_graph
from inkdigits.models import create_model
from inkdigits.models.pyg import DataGNN


@pytest.fixture
def graph(small: Dataset) -> PixelGraph:
    return pixel_graph(small.test.images[:3])


@pytest.fixture
def model() -> DataGNN:
    torch.manual_seed(0)
    return DataGNN(create_model("gnn", widths=[8, 16])).eval()  # type: ignore[arg-type]


def test_data_is_read_as_its_graph(model: DataGNN, graph: PixelGraph) -> None:
    torch.testing.assert_close(model(**graph.to_data().to_dict()), model.network.forward_graph(graph))


def test_the_order_of_edges_does_not_matter(model: DataGNN, graph: PixelGraph) -> None:
    data = graph.to_data()
    expected = model(**data.to_dict())
    order = torch.randperm(data.edge_index.shape[1])
    data.edge_index, data.edge_attr = data.edge_index[:, order], data.edge_attr[order]
    torch.testing.assert_close(model(**data.to_dict()), expected)


@pytest.mark.parametrize("algorithm", [GNNExplainer(epochs=5), CaptumExplainer("IntegratedGradients")])
def test_their_explainers_reach_every_edge_and_node(algorithm: object, model: DataGNN, graph: PixelGraph) -> None:
    data = graph.to_data()
    explainer = Explainer(
        model,
        algorithm,
        explanation_type="model",
        node_mask_type="attributes",
        edge_mask_type="object",
        model_config={"mode": "multiclass_classification", "task_level": "graph", "return_type": "raw"},
    )
    found = explainer(**data.to_dict())
    assert found.edge_mask.shape == (data.edge_index.shape[1],)
    assert found.node_mask.shape == (len(data.x), 1)
    assert (found.edge_mask != 0).float().mean() > 0.9
    assert (found.node_mask != 0).float().mean() > 0.9


def test_a_mask_of_edges_is_their_weight(model: DataGNN, graph: PixelGraph) -> None:
    data = graph.to_data()
    keep = (torch.rand(data.edge_index.shape[1]) < 0.7).float()
    explainer = Explainer(
        model,
        GNNExplainer(epochs=1),
        explanation_type="model",
        edge_mask_type="object",
        model_config={"mode": "multiclass_classification", "task_level": "graph", "return_type": "raw"},
    )
    with torch.no_grad():
        masked = explainer.get_masked_prediction(**data.to_dict(), edge_mask=keep)
        torch.testing.assert_close(masked, model.network.forward_graph(graph.with_edge_weight(keep)))


def test_their_loader_batches_single_digits(small: Dataset, model: DataGNN) -> None:
    digits = [pixel_graph(image) for image in small.test.images[:3]]
    (batch,) = DataLoader([digit.to_data() for digit in digits], batch_size=3)
    assert batch.batch.tolist() == pixel_graph(small.test.images[:3]).batch.tolist()
    logits = model(**batch.to_dict())
    torch.testing.assert_close(logits, torch.cat([model.network.forward_graph(digit) for digit in digits]))
