from pathlib import Path

import pytest

from inkdigits.report import Comparison, compare


@pytest.fixture(scope="session")
def comparison(small_npz: Path, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """Four networks and two seeds on 600 real digits."""
    out = tmp_path_factory.mktemp("comparison")
    models = ["mlp", "lenet5", "autoencoder", "gnn"]
    return compare(models, str(small_npz), seeds=2, epochs=3, faithfulness=20, device="cpu", out=out)
