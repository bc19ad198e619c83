"""Faithfulness of explanations: whether the network depends on what an explanation calls important.

Fidelity after K. Amara et al., "GraphFramEx", LoG 2022, arXiv:2206.09677; unfaithfulness after C. Agarwal et al.,
"Evaluating explainability for graph neural networks", Scientific Data 10, 2023, arXiv:2208.09339; deletion and
insertion after V. Petsiuk et al., "RISE", BMVC 2018, arXiv:1806.07421; shuffled weights after J. Adebayo et al.,
"Sanity checks for saliency maps", NeurIPS 2018, arXiv:1810.03292.
"""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inkdigits.data.pixel_graph import ink_graph
from inkdigits.errors import UsageError
from inkdigits.evaluation.connectivity import graph_network
from inkdigits.evaluation.explain import BASELINES, Importance, explain, methods_for, pairs
from inkdigits.evaluation.planted import auroc_of_planted
from inkdigits.evaluation.statistics import mean_interval, wilson
from inkdigits.files import checked
from inkdigits.models.gnn import GNN
from inkdigits.training import Run
from inkdigits.training.inference import to_input

SHARES = (
    0.0,
    0.05,
    0.1,
    0.2,
    0.3,
    0.4,
    0.5,
    0.6,
    0.7,
    0.8,
    0.9,
    1.0,
)  # of the nodes or edges that are removed, or kept
TOP = 0.2  # the share that counts as the explanation in fidelity and unfaithfulness
SHUFFLED, PLANTED = 0.5, 0.9  # limits: the highest rank correlation, and the lowest AUROC, without a doubt
BATCH = 50  # digits that are explained together

Part = Literal["nodes", "edges"]
Figure = tuple[float, float, float]  # mean, and the limits of its 95 % interval
Notify = Callable[[str], None]


@dataclass(frozen=True)
class Faithfulness:
    """One method on one part of the graph; figures are means over the digits with their 95 % interval.

    Attributes
    ----------
    fidelity_plus, fidelity_minus
        Share of answers that change when the most important 20 % are removed (high is good), or when only they are
        kept (low is good).
    unfaithfulness
        1 - exp(-KL(whole || kept)) of the probabilities when only those 20 % are kept: 0 to 1, low is good.
    deletion, insertion
        Area under the answer's probability while nodes or edges are removed, the most important first (low is good),
        or inserted in the same order (high is good).
    deletion_over_random, insertion_over_random, deletion_over_intensity, insertion_over_intensity
        Difference of the areas to those of random importance, or of brightness, on the same digits; positive is
        better, and an interval above 0 is evidence.
    shuffled
        Spearman's rank correlation with the importance under shuffled weights; 0 when an explanation depends on the
        weights only.
    seeds
        Rank correlation between networks of two seeds; NaN with a single seed.
    planted
        AUROC of finding the edges, or pixels, that determine the class by construction.
    deletion_curve, insertion_curve
        Mean probability at each of :data:`SHARES`.
    """

    method: str
    part: Part
    n: int
    fidelity_plus: Figure
    fidelity_minus: Figure
    unfaithfulness: Figure
    deletion: Figure
    insertion: Figure
    deletion_over_random: Figure
    insertion_over_random: Figure
    deletion_over_intensity: Figure
    insertion_over_intensity: Figure
    shuffled: Figure
    seeds: Figure
    planted: Figure
    deletion_curve: tuple[float, ...]
    insertion_curve: tuple[float, ...]

    @property
    def doubts(self) -> list[str]:
        """The checks that the explanation fails, in words; empty when it passes all."""
        doubts = []
        for baseline in ("random", "intensity"):
            for curve in ("deletion", "insertion"):
                _, low, _ = getattr(self, f"{curve}_over_{baseline}")
                if not low > 0:
                    doubts.append(f"{curve} no better than {'chance' if baseline == 'random' else 'brightness'}")
        if not self.shuffled[2] < SHUFFLED:
            doubts.append(f"similar with shuffled weights (correlation {self.shuffled[0]:.2f})")
        if self.planted[0] != self.planted[0]:
            doubts.append("planted signals not tested")
        elif self.planted[0] < PLANTED:
            doubts.append(f"misses planted signals (AUROC {self.planted[0]:.2f})")
        return doubts


@dataclass(frozen=True)
class Explained:
    """Faithfulness as kept on disk, with the weights that it was measured on and the number of digits asked for."""

    weights: str
    asked: int
    rows: list[Faithfulness]

    @property
    def digits(self) -> int:
        """Number of digits that were explained."""
        return self.rows[0].n

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object; NaN becomes None."""
        rows = [{key: _none_for_nan(value) for key, value in asdict(row).items()} for row in self.rows]
        return {"weights": self.weights, "asked": self.asked, "rows": rows}

    @classmethod
    def from_dict(cls, values: Any) -> "Explained":
        """Read what :meth:`to_dict` returns.

        Raises
        ------
        ValueError
            When a value is missing or has another type.
        """
        return checked(_nan_for_none(values), cls)

    def __post_init__(self) -> None:
        """Raise ValueError when nothing was explained."""
        if not self.rows:
            raise ValueError("there is no row")


def _none_for_nan(value: Any) -> Any:
    return [None if v != v else v for v in value] if isinstance(value, tuple) else value


def _nan_for_none(value: Any) -> Any:
    """Return decoded JSON with NaN for each null in a list."""
    if isinstance(value, dict):
        return {key: _nan_for_none(item) for key, item in value.items()}
    if isinstance(value, list):
        return [math.nan if item is None else _nan_for_none(item) for item in value]
    return value


@dataclass(frozen=True, eq=False)
class _Answers:
    """Per digit: whether the answer changed, the divergence, and the answer's probability at each share."""

    plus: NDArray[np.float64]
    minus: NDArray[np.float64]
    unfaithfulness: NDArray[np.float64]
    deletion: NDArray[np.float64]  # (n, shares)
    insertion: NDArray[np.float64]


def faithfulness(
    models: Sequence[Run | GNN],
    images: NDArray[np.uint8],
    methods: Sequence[str] | None = None,
    *,
    planted: bool = True,
    notify: Notify | None = None,
) -> list[Faithfulness]:
    """Measure the faithfulness of explanations of a graph network.

    Parameters
    ----------
    models
        Networks of one kind from several seeds, or their runs; the first is measured.
    images
        Test digits, uint8 (n, 28, 28), 500 or more for narrow intervals. Those without ink are left out.
    methods
        Names; all that the network supports by default. Two baselines are added: random importance and brightness.
    planted
        Whether to train a network on images with a planted signal, which takes a minute; else that figure is NaN.

    Raises
    ------
    UsageError
        When no digit has ink, or a method does not exist.
    """
    say, model = notify or (lambda line: None), graph_network(models[0])
    batch = to_input(torch.tensor(images)).squeeze(1)
    batch = batch[(batch > model.ink).flatten(1).any(1)]
    if not len(batch):
        raise UsageError("there is no digit with ink to explain")
    names = [*(methods_for(model) if methods is None else methods), *BASELINES]
    answers: dict[tuple[str, Part], _Answers] = {}
    others: dict[tuple[str, Part], tuple[Figure, Figure]] = {}
    shuffled = shuffled_copy(model)
    for name in names:
        say(f"{name}: explaining {len(batch)} digits")
        found = explained(model, batch, name)
        unlike = explained(shuffled, batch, name, answer_of=model, seed=1)
        twins = [explained(graph_network(other), batch, name, answer_of=model, seed=2) for other in models[1:2]]
        for part in ("nodes", "edges"):
            answers[name, part] = _answers(model, batch, found, part)
            same = rank_correlation(found, twins[0], part) if twins else np.array([np.nan])
            others[name, part] = mean_interval(rank_correlation(found, unlike, part)), mean_interval(same)
    found_planted = auroc_of_planted(type(model), names) if planted else {}
    nothing = (np.nan, np.nan, np.nan)
    return [
        _row(name, part, answers, *others[name, part], found_planted.get((name, part), nothing))
        for part in ("nodes", "edges")
        for name in names
    ]


def explained(model: GNN, batch: Tensor, method: str, answer_of: GNN | None = None, seed: int = 0) -> list[Importance]:
    """Return importance, by batches of 50, for the answer of ``answer_of``, by default of the model itself."""
    found = []
    for images in batch.split(BATCH):
        with torch.inference_mode():
            target = (answer_of or model)(images.unsqueeze(1)).argmax(1)
        found.append(explain(model, images, target.clone(), method=method, seed=seed))
    return found


def shuffled_copy(model: GNN) -> GNN:
    """Return a copy of the network with the entries of each parameter shuffled, in the same order at every call."""
    copied, generator = copy.deepcopy(model), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in copied.parameters():
            order = torch.randperm(parameter.numel(), generator=generator)
            parameter.copy_(parameter.flatten()[order].view_as(parameter))
    return copied.eval()


def rank_correlation(a: Sequence[Importance], b: Sequence[Importance], part: Part) -> NDArray[np.float64]:
    """Return Spearman's correlation between two importances for each digit, (n,); 0 where one of them is constant."""
    from scipy.stats import rankdata

    values = []
    for first, second in zip(a, b, strict=True):
        owner = owners(first, part).numpy()
        x, y = scores(first, part).numpy(), scores(second, part).numpy()
        for image in range(first.graph.size[0]):
            of_x, of_y = (rankdata(v[owner == image]) for v in (x, y))
            constant = len(of_x) < 2 or np.ptp(of_x) == 0 or np.ptp(of_y) == 0
            values.append(0.0 if constant else float(np.corrcoef(of_x, of_y)[0, 1]))
    return np.array(values)


def scores(importance: Importance, part: Part) -> Tensor:
    """Return the importance of each node (N,), or of each pair of touching nodes (P,)."""
    return importance.nodes if part == "nodes" else importance.pairs


def owners(importance: Importance, part: Part) -> Tensor:
    """Return the image of each node or pair, int64."""
    batch = importance.graph.batch
    return batch if part == "nodes" else batch[pairs(importance.graph)[0][0]]


def rank_share(score: Tensor, owner: Tensor) -> Tensor:
    """Return for each entry the share, in [0, 1), of its image's entries that rank higher; ties rank by position."""
    order = torch.argsort(score, descending=True, stable=True)
    order = order[torch.argsort(owner[order], stable=True)]
    count = torch.bincount(owner)
    first = count.cumsum(0) - count
    rank = torch.empty_like(score)
    rank[order] = (torch.arange(len(score)) - first[owner[order]]).to(score.dtype)
    return rank / count[owner]


def unfaithfulness(whole: Tensor, kept: Tensor) -> Tensor:
    """Return 1 - exp(-KL(whole || kept)), (B,) in [0, 1], of probabilities (B, C)."""
    divergence = (whole * (whole.clamp(min=1e-12).log() - kept.clamp(min=1e-12).log())).sum(1)
    return 1 - torch.exp(-divergence.clamp(min=0))


@torch.inference_mode()
def _answers(model: GNN, batch: Tensor, found: Sequence[Importance], part: Part) -> _Answers:
    columns: list[list[NDArray[np.float64]]] = [[] for _ in range(5)]
    for images, importance in zip(batch.split(BATCH), found, strict=True):
        share = rank_share(scores(importance, part), owners(importance, part))
        whole = _masked(model, images, part, torch.ones_like(share))
        answer = whole.argmax(1)
        without = torch.stack([_masked(model, images, part, (share >= s).float()) for s in SHARES])  # (S, B, 10)
        alone = torch.stack([_masked(model, images, part, (share < s).float()) for s in SHARES])
        top = SHARES.index(TOP)
        figures = (
            without[top].argmax(1) != answer,
            alone[top].argmax(1) != answer,
            unfaithfulness(whole, alone[top]),
            without[:, torch.arange(len(images)), answer].T,
            alone[:, torch.arange(len(images)), answer].T,
        )
        for column, figure in zip(columns, figures, strict=True):
            column.append(figure.double().numpy())
    return _Answers(*(np.concatenate(column) for column in columns))


def _masked(model: GNN, images: Tensor, part: Part, keep: Tensor) -> Tensor:
    """Return probabilities (B, 10) with only the nodes, or pairs, for which ``keep`` is 1."""
    graph = ink_graph(images, model.ink)
    if part == "nodes":
        flat = torch.zeros(images.numel()).index_copy(0, graph.cell, graph.x.squeeze(1) * keep)
        graph = ink_graph(flat.view(images.shape), model.ink)
    else:
        graph = graph.with_edge_weight(keep[pairs(graph)[1]])
    return model.forward_graph(graph).softmax(1)


def _row(
    name: str,
    part: Part,
    answers: dict[tuple[str, Part], _Answers],
    shuffled: Figure,
    seeds: Figure,
    planted: Figure,
) -> Faithfulness:
    own = answers[name, part]
    deletion, insertion = area(own.deletion), area(own.insertion)
    over = {}
    for baseline in BASELINES:
        other = answers[baseline, part]
        over[f"deletion_over_{baseline}"] = mean_interval(area(other.deletion) - deletion)
        over[f"insertion_over_{baseline}"] = mean_interval(insertion - area(other.insertion))
    return Faithfulness(
        method=name,
        part=part,
        n=len(own.plus),
        fidelity_plus=_share(own.plus),
        fidelity_minus=_share(own.minus),
        unfaithfulness=mean_interval(own.unfaithfulness),
        deletion=mean_interval(deletion),
        insertion=mean_interval(insertion),
        **over,
        shuffled=shuffled,
        seeds=seeds,
        planted=planted,
        deletion_curve=tuple(own.deletion.mean(0).tolist()),
        insertion_curve=tuple(own.insertion.mean(0).tolist()),
    )


def _share(met: NDArray[np.float64]) -> Figure:
    return float(met.mean()), *wilson(int(met.sum()), len(met))


def area(curves: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the area under each curve (n, shares) over :data:`SHARES`, by trapezoids."""
    return np.asarray(np.trapezoid(curves, SHARES, axis=1))
