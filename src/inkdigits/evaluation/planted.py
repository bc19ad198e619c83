"""Images whose decisive pixels and edges are known: a small figure determines the class, among meaningless strokes.

A good explanation finds the figure. The idea comes from benchmarks with planted motifs: R. Ying et al., "GNNExplainer",
NeurIPS 2019, arXiv:1903.03894.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from inkdigits.evaluation.explain import explain, pairs
from inkdigits.evaluation.statistics import mean_interval
from inkdigits.models.gnn import GNN

SIZE, TILE = 28, 6  # pixels along an image, and along the tile of one figure or stroke
FIGURES = (  # ten classes
    "#.#/.#./#.#", ".#./###/.#.", "###/#.#/###", "###/.#./.#.", "#.#/#.#/###",
    "##./.##/..#", "..#/.#./###", "#../##./###", "###/###/###", ".#./#.#/.#.",
)  # fmt: skip
STROKES = ("####", "#/#/#/#", "#.../.#../..#./...#", "...#/..#./.#../#...", "#", "##")


def _stamp(text: str) -> NDArray[np.bool_]:
    return np.array([[mark == "#" for mark in row] for row in text.split("/")])


def planted_images(n: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return images float32 (n, 28, 28) in [0, 1], classes int64 (n,), and whether a pixel is of the figure, bool.

    Each image has one of ten figures in one tile, and strokes in half of the other tiles, all of varying brightness.
    """
    rng = np.random.default_rng(seed)
    images = np.zeros((n, SIZE, SIZE), np.float32)
    figure = np.zeros((n, SIZE, SIZE), bool)
    labels = rng.integers(0, len(FIGURES), n)
    tiles = [(row, column) for row in range(0, SIZE - TILE, TILE) for column in range(0, SIZE - TILE, TILE)]
    figures, strokes = [_stamp(text) for text in FIGURES], [_stamp(text) for text in STROKES]
    for index, label in enumerate(labels):
        chosen = rng.permutation(len(tiles))[: 1 + len(tiles) // 2]
        for place, tile in enumerate(chosen):
            stamp = figures[label] if place == 0 else strokes[rng.integers(len(strokes))]
            row, column = (
                start + rng.integers(1, TILE - size) for start, size in zip(tiles[tile], stamp.shape, strict=True)
            )
            at = index, slice(row, row + stamp.shape[0]), slice(column, column + stamp.shape[1])
            images[at] = stamp * rng.uniform(0.4, 1.0)
            figure[at] = stamp & (place == 0)
    return torch.tensor(images), torch.tensor(labels), torch.tensor(figure)


def train_planted(kind: type[GNN], images: Tensor, labels: Tensor, epochs: int = 6, **options: Any) -> GNN:
    """Return a network trained to classify images by their figure."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return _train(kind(**options), images, labels, epochs)


def _train(model: GNN, images: Tensor, labels: Tensor, epochs: int) -> GNN:
    steps = epochs * (len(images) // 64)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=steps)
    for _ in range(epochs):
        for chosen in torch.randperm(len(images))[: len(images) // 64 * 64].split(64):
            optimizer.zero_grad()
            F.cross_entropy(model(images[chosen].unsqueeze(1)), labels[chosen]).backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def auroc_of_planted(
    kind: type[GNN], methods: Sequence[str], train: int = 4000, test: int = 250, **options: Any
) -> dict[tuple[str, str], tuple[float, float, float]]:
    """Return for each method and part how well it finds the figure: mean AUROC per image with its 95 % interval.

    The network is trained on ``train`` images; of ``test`` others, those that it classifies correctly are explained. An
    edge belongs to the figure when both its pixels do.

    Parameters
    ----------
    kind, options
        The network's class and its options.
    """
    from sklearn.metrics import roc_auc_score

    images, labels, _ = planted_images(train, seed=0)
    model = train_planted(kind, images, labels, **(options or {"widths": (16, 32, 48)}))
    images, labels, figure = planted_images(test, seed=1)
    with torch.inference_mode():
        correct = model(images.unsqueeze(1)).argmax(1) == labels
    images, labels, figure = images[correct], labels[correct].clone(), figure[correct]
    found = {}
    for method in methods:
        importance = explain(model, images, labels, method=method)
        graph, (ends, _) = importance.graph, pairs(importance.graph)
        of_figure = figure.flatten()[graph.cell]
        parts = {
            "nodes": (importance.nodes, of_figure, graph.batch),
            "edges": (importance.pairs, of_figure[ends].all(0), graph.batch[ends[0]]),
        }
        for part, (score, truth, owner) in parts.items():
            areas = [roc_auc_score(truth[owner == i], score[owner == i]) for i in range(len(images))]
            found[method, part] = mean_interval(np.array(areas))
    return found
