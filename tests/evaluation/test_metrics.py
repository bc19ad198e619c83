import numpy as np
import pytest
import torch
from torch import Tensor, nn

from inkdigits.data import Dataset
from inkdigits.errors import UsageError
from inkdigits.evaluation import evaluate
from inkdigits.evaluation.metrics import confusion_matrix, milliseconds_per_image, reconstruct, reconstruction_mse
from inkdigits.models import create_model


class AlwaysThree(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.eye(10)[3] * 5)

    def forward(self, images: Tensor) -> Tensor:
        return self.bias.expand(len(images), 10)


def test_figures_of_a_known_answer(small: Dataset) -> None:
    result = evaluate(AlwaysThree(), small.test)
    threes = (small.test.labels == 3).mean()
    assert result.accuracy == pytest.approx(threes)
    p = np.exp(5) / (np.exp(5) + 9)
    q = (1 - p) / 9
    assert result.cross_entropy == pytest.approx(-(threes * np.log(p) + (1 - threes) * np.log(q)), rel=1e-4)
    wrong = p**2 + (1 - q) ** 2 + 8 * q**2
    assert result.mse == pytest.approx((threes * ((1 - p) ** 2 + 9 * q**2) + (1 - threes) * wrong) / 10, rel=1e-4)
    assert result.interval[0] < threes < result.interval[1]
    assert result.correct.mean() == result.accuracy
    assert (result.confusion()[:, 3] == small.test.counts).all()


def test_confusion_has_the_truth_in_rows() -> None:
    matrix = confusion_matrix(np.array([0, 0, 9]), np.array([0, 4, 9]))
    assert matrix[0, 4] == 1
    assert matrix.sum() == 3
    assert np.trace(matrix) == 2


def test_evaluation_uses_no_dropout_and_leaves_the_mode_as_it_was(small: Dataset) -> None:
    model = create_model("cnn").train()
    first, second = evaluate(model, small.test), evaluate(model, small.test)
    assert (first.probabilities == second.probabilities).all()
    assert model.training


def test_no_digits_are_no_result(small: Dataset) -> None:
    with pytest.raises(UsageError, match="no digits"):
        evaluate(AlwaysThree(), small.test[:0])


def test_reconstruction_is_measured_for_autoencoders_only(small: Dataset) -> None:
    model = create_model("autoencoder")
    measured = reconstruction_mse(model, small.test)
    images = torch.tensor(small.test.images).unsqueeze(1) / 255
    with torch.inference_mode():
        expected = (model.eval().decode(model.encode(images)) - images).square().mean().item()
    assert measured == pytest.approx(expected, rel=1e-5)
    copies = reconstruct(model, small.test.images)
    assert np.square(copies - small.test.images / 255).mean() == pytest.approx(expected, rel=1e-5)
    assert reconstruction_mse(create_model("mlp"), small.test) is None


def test_a_larger_network_takes_longer(small: Dataset) -> None:
    slow, quick = create_model("resnet", width=64), create_model("lenet5")
    assert milliseconds_per_image(slow, small.test) > milliseconds_per_image(quick, small.test)
