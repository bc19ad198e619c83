from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import torch

from inkdigits.data import Dataset
from inkdigits.models import create_model
from inkdigits.models.gnn import GNN
from inkdigits.training import train


@pytest.fixture(scope="session")
def gnn(mnist_5k: Dataset, shared_folder: Callable[[str], AbstractContextManager[Path]]) -> GNN:
    """A small graph network that has learned something, trained by the first worker that asks."""
    options = {"widths": [8, 16, 32], "dropout": 0.0}
    settings = {"epochs": 3, "batch_size": 64, "augment": "none", "ema": 0.0, "device": "cpu"}
    with shared_folder("gnn") as out:
        run = train("gnn", mnist_5k, options=options, out=out, resume=True, **settings)
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
