"""Detection of out-of-distribution pictures: refusal scores, compared on kinds of outliers.

``energy``: W. Liu et al., 2020, arXiv:2010.03759; ``max-logit``: D. Hendrycks et al., 2022, arXiv:1911.11132;
``distance``: of the last features from the nearest class, by the covariance that the classes share: K. Lee et al.,
2018, arXiv:1807.03888. A high score means that the network would refuse the picture.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from inkdigits.data import DigitSet
from inkdigits.models.ensemble import Ensemble
from inkdigits.synthetic.unseen_outliers import UNSEEN_OUTLIERS, Sources, make_unseen_outliers
from inkdigits.training.inference import logits_of

PER_KIND = 1000  # pictures of each kind of outlier
ACCEPTED = 0.993  # share of the validation digits that the threshold accepts
MAX_LOGIT_WEIGHT = 0.05  # of the largest logit beside the log-probability; see docs/robustness.md
RIDGE = 1e-3  # of the mean variance, added to the features' covariance

Score = Callable[[NDArray[np.uint8]], NDArray[np.float64]]  # images (N, 28, 28) to scores (N,)


@dataclass(frozen=True)
class Refusal:
    """Quality of one refusal score.

    Attributes
    ----------
    threshold
        A picture with a higher score is refused; the share :data:`ACCEPTED` of the validation digits is accepted.
    accepted
        Share of the test digits that are accepted, in [0, 1].
    auroc
        By kind of outlier, the probability that one of them scores higher than a test digit.
    refused
        By kind of outlier, the share that is refused.
    """

    threshold: float
    accepted: float
    auroc: dict[str, float]
    refused: dict[str, float]


def energy(logits: Tensor) -> Tensor:
    """Return -log sum exp of logits (N, 10), (N,)."""
    return -logits.logsumexp(1)


def negative_max_logit(logits: Tensor) -> Tensor:
    """Return minus the largest of logits (N, 10), (N,)."""
    return -logits.amax(1)


def probability_and_max_logit(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Return -(log p + w m) of logits (N, 10), (N,).

    p is the largest probability at the temperature, m the largest logit, w :data:`MAX_LOGIT_WEIGHT`. The score grows
    where several digits are likely, and where no digit is.
    """
    largest = (logits / temperature).softmax(1).amax(1)
    return -(largest.log() + MAX_LOGIT_WEIGHT * logits.amax(1))


LOGIT_SCORES: Mapping[str, Callable[[Tensor], Tensor]] = MappingProxyType(  # those that need the logits alone
    {
        "probability": lambda logits: -logits.log_softmax(1).amax(1),
        "energy": energy,
        "max-logit": negative_max_logit,
        "probability-and-max-logit": probability_and_max_logit,
    }
)


def accuracy_at_coverage(scores: NDArray[np.floating], correct: NDArray[np.bool_], coverage: float) -> float:
    """Return the accuracy on the share ``coverage`` of digits with the lowest refusal scores, in [0, 1].

    Parameters
    ----------
    scores, correct
        Refusal score, and whether the answer is correct, (N,) each, N at least 1.
    coverage
        In (0, 1].
    """
    kept = np.argsort(scores, kind="stable")[: max(1, round(coverage * len(scores)))]
    return float(correct[kept].mean())


def scores_of(model: nn.Module, known: DigitSet) -> dict[str, Score]:
    """Return the scores of a network by name; ``distance`` only for a single network whose last layer is linear.

    Parameters
    ----------
    known
        Training digits, on whose features the distance is fitted.
    """

    def of_logits(rule: Callable[[Tensor], Tensor]) -> Score:
        return lambda images: rule(torch.tensor(logits_of(model, images))).double().numpy()

    scores = {name: of_logits(rule) for name, rule in LOGIT_SCORES.items()}
    linear = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    if linear and linear[-1].out_features == 10 and not isinstance(model, Ensemble):
        scores["distance"] = _distance(model, linear[-1], known)
    return scores


def _distance(model: nn.Module, last: nn.Linear, known: DigitSet) -> Score:
    def features(images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return the input of the last layer, (N, F); the inputs of all views when the network reads several."""
        caught: list[Tensor] = []
        hook = last.register_forward_pre_hook(lambda layer, inputs: caught.append(inputs[0].double()))
        try:
            logits_of(model, images)
        finally:
            hook.remove()
        return torch.cat(caught).view(len(images), -1).numpy()

    x = features(known.images)
    classes = np.unique(known.labels)
    means = np.stack([x[known.labels == digit].mean(0) for digit in classes])  # (C, F)
    spread = x - means[np.searchsorted(classes, known.labels)]
    covariance = spread.T @ spread / len(x)
    covariance += RIDGE * max(np.trace(covariance) / len(covariance), 1e-12) * np.eye(len(covariance))
    whiten = np.linalg.cholesky(np.linalg.inv(covariance))  # (F, F)
    centres = means @ whiten

    def score(images: NDArray[np.uint8]) -> NDArray[np.float64]:
        white = features(images) @ whiten
        squares = (white**2).sum(1)[:, None] - 2 * white @ centres.T + (centres**2).sum(1)  # (N, C)
        return np.asarray(squares.min(1), np.float64)

    return score


def outliers_by_kind(sources: Sources, per_kind: int = PER_KIND) -> dict[str, NDArray[np.uint8]]:
    """Return pictures of every kind of outlier, each uint8 (per_kind, 28, 28), made of test digits and fonts."""
    return {kind: make_unseen_outliers(kind, per_kind, sources) for kind in UNSEEN_OUTLIERS}


def refusal(
    scores: Mapping[str, Score], validation: DigitSet, test: DigitSet, outliers: Mapping[str, NDArray[np.uint8]]
) -> dict[str, Refusal]:
    """Measure scores on every kind of outlier.

    Parameters
    ----------
    validation
        Digits that the threshold is set on; the network did not learn from them.
    outliers
        By kind, uint8 (N, 28, 28).
    """
    found = {}
    for name, score in scores.items():
        threshold, of_digits = threshold_of(score(validation.images)), score(test.images)
        of_kinds = {kind: score(images) for kind, images in outliers.items()}
        found[name] = Refusal(
            threshold,
            accepted=float((of_digits <= threshold).mean()),
            auroc={kind: auroc(of_digits, values) for kind, values in of_kinds.items()},
            refused={kind: float((values > threshold).mean()) for kind, values in of_kinds.items()},
        )
    return found


def threshold_of(scores: NDArray[np.float64], accepted: float = ACCEPTED) -> float:
    """Return the threshold that the share ``accepted`` of the scores (N,) does not exceed."""
    return float(np.quantile(scores, accepted))


def auroc(digits: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """Return the probability that one of ``others`` scores higher than one of ``digits``; a tie counts as half."""
    labels = np.repeat([0, 1], [len(digits), len(others)])
    return float(roc_auc_score(labels, np.concatenate([digits, others])))
