import numpy as np
import pytest
import torch

from inkdigits.data import Dataset
from inkdigits.evaluation.refusal import (
    LOGIT_SCORES,
    accuracy_at_coverage,
    auroc,
    energy,
    outliers_by_kind,
    refusal,
    scores_of,
    threshold_of,
)
from inkdigits.models import create_model
from inkdigits.synthetic.unseen_outliers import UNSEEN_OUTLIERS, Sources, matplotlib_fonts
from inkdigits.training import train


def test_auroc_by_hand() -> None:
    assert auroc(np.array([0.0, 1.0, 2.0]), np.array([1.5, 3.0])) == pytest.approx(5 / 6)
    assert auroc(np.array([1.0]), np.array([1.0])) == 0.5  # a tie


def test_the_threshold_lets_through_what_it_should() -> None:
    scores = np.random.default_rng(0).normal(size=2000)
    assert (scores <= threshold_of(scores, 0.99)).mean() == pytest.approx(0.99, abs=0.001)


def test_energy_is_minus_log_sum_exp() -> None:
    logits = torch.tensor([[0.0, 0.0], [1000.0, 0.0]])
    assert energy(logits).tolist() == pytest.approx([-np.log(2), -1000])


def test_the_distance_is_that_of_mahalanobis(small: Dataset) -> None:
    torch.manual_seed(0)
    model = create_model("mlp", hidden=16).eval()
    caught = []
    last = [layer for layer in model.modules() if isinstance(layer, torch.nn.Linear)][-1]
    last.register_forward_pre_hook(lambda layer, inputs: caught.append(inputs[0].detach().double().numpy()))
    score = scores_of(model, small.train)["distance"]
    features, labels = np.concatenate(caught), small.train.labels
    means = np.stack([features[labels == digit].mean(0) for digit in range(10)])
    covariance = np.mean([np.outer(d, d) for d in features - means[labels]], 0)
    covariance += 1e-3 * np.trace(covariance) / 16 * np.eye(16)
    caught.clear()
    values = score(small.test.images[:5])
    for feature, value in zip(np.concatenate(caught), values, strict=True):
        nearest = min((feature - mean) @ np.linalg.solve(covariance, feature - mean) for mean in means)
        assert value == pytest.approx(nearest, rel=1e-6)


def test_outlier_exposure_teaches_to_refuse_other_kinds_and_fonts(mnist_5k: Dataset) -> None:
    common = {"epochs": 4, "batch_size": 64, "augment": "none", "ema": 0.0}
    trained = train("cnn", mnist_5k, outliers=0.2, **common)
    learned, validation_set = mnist_5k.train.split(400, 0)
    sources = Sources(mnist_5k.test.images, matplotlib_fonts())
    found = refusal(scores_of(trained.model, learned), validation_set, mnist_5k.test, outliers_by_kind(sources, 50))
    assert set(found) == {*LOGIT_SCORES, "distance"}
    for score in found.values():
        assert set(score.auroc) == set(score.refused) == set(UNSEEN_OUTLIERS)
        assert all(0 <= value <= 1 for value in score.auroc.values())
    best = found["energy"]
    assert best.accepted > 0.95
    assert min(best.auroc[kind] for kind in ("blank", "noise", "texture", "letter")) > 0.9
    assert best.auroc["shape"] > 0.8


def test_accuracy_at_coverage_leaves_the_most_doubtful_out() -> None:
    scores, correct = np.array([0.1, 0.9, 0.2, 0.5]), np.array([True, False, True, False])
    assert [accuracy_at_coverage(scores, correct, share) for share in (0.5, 0.75, 1.0)] == [
        1.0,
        pytest.approx(2 / 3),
        0.5,
    ]


def test_doubt_counts_less_where_the_largest_logit_is_large() -> None:
    logits = torch.tensor([[4.0, 4.0, *[-9.0] * 8], [14.0, 14.0, *[0.0] * 8], [4.0, *[-9.0] * 9]])
    equal, large, clear = LOGIT_SCORES["probability-and-max-logit"](logits)
    assert clear < large < equal
