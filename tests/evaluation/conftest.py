import pytest
import torch

from inkdigits.data import Dataset
from inkdigits.models import create_model
from inkdigits.models.gnn import GNN
from inkdigits.training import train


@pytest.fixture(scope="session")
def gnn(mnist_5k: Dataset) -> GNN:
    """A small graph network that has learned something."""
    options = {"widths": [8, 16, 32], "dropout": 0.0}
    run = train("gnn", mnist_5k, options=options, epochs=3, batch_size=64, augment="none", ema=0.0, device="cpu")
    assert run.metrics["test_acc"] > 0.85
    assert isinstance(run.model, GNN)
    return run.model


@pytest.fixture(scope="session")
def attentive() -> GNN:
    """A network with attention that has learned nothing."""
    torch.manual_seed(0)
    model = create_model("gnn-attention", widths=[8, 16]).eval()
    assert isinstance(model, GNN)
    return model
