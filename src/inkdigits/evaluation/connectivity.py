"""One digit as a graph network processes it, as arrays.

The graph of pixels, the importance of its nodes and edges, the reach of messages after each layer, the topology of the
shape, and the edges whose removal changes the answer.
"""

import copy
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inkdigits.data.pixel_graph import PixelGraph, as_batch, ink_graph
from inkdigits.errors import DataError, UsageError, unknown
from inkdigits.evaluation.explain import METHODS, Importance, explain, methods_for, pairs
from inkdigits.evaluation.topology import Topology, topology
from inkdigits.models.gnn import GNN
from inkdigits.models.registry import CLASSES
from inkdigits.training import Run, load_run

CANDIDATES = 16  # pairs with the steepest gradient that are tried before one is cut
LARGEST_CUT = 100  # pairs; digits of MNIST need 5 to 40
DEFAULT_METHODS = ("integrated-gradients", "occlusion")


@dataclass(frozen=True, eq=False)
class Level:
    """The nodes after one step of the network, and the pixels whose messages have reached them.

    Attributes
    ----------
    name
        ``pixels``, ``layer 1``, …, or ``pooled to 2x2``.
    pos
        Column and row of each node's centre, in pixels, float32 (M, 2).
    side
        Pixels along a node: 1, 2, 4.
    edge_index
        int64 (2, E): edges between touching nodes.
    reached
        bool (M, N): whether a message of pixel n has reached node m.
    """

    name: str
    pos: NDArray[np.float32]
    side: int
    edge_index: NDArray[np.int64]
    reached: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Cut:
    """Pairs of touching pixels; removing their edges changes the answer, and removing all but one of them does not.

    Attributes
    ----------
    pairs
        Their nodes, int64 (K, 2), in the order in which they were cut.
    digit
        The answer without them; None when no cut of up to 100 pairs was found that changes the answer.
    """

    pairs: NDArray[np.int64]
    digit: int | None

    def describe(self, pairs: int) -> str:
        """Return the cut in words; ``pairs`` is the number of all pairs of the digit."""
        if self.digit is None:
            return f"no cut of up to {LARGEST_CUT} pairs of touching pixels was found to change the answer"
        return f"read as {self.digit} without {len(self.pairs)} of {pairs} pairs of touching pixels"


@dataclass(frozen=True, eq=False)
class Connectivity:
    """One digit as its network processes it; N nodes and E edges in the order of ``pixel_graph``.

    Attributes
    ----------
    image
        float32 (H, W) in [0, 1].
    probabilities
        float32 (10,), softmax of the logits.
    target, against
        The explained class, and its rival; None stands for the mean of all other classes.
    pos, edge_index
        As in PyTorch Geometric: float32 (N, 2), int64 (2, E).
    nodes, edges
        Importance by method, float32 (N,) and (E,).
    shape
        Counts of components, holes, ends and junctions.
    cut
        None when it was not asked for.
    """

    image: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    target: int
    against: int | None
    pos: NDArray[np.float32]
    edge_index: NDArray[np.int64]
    edge_attr: NDArray[np.int64]
    nodes: dict[str, NDArray[np.float32]]
    edges: dict[str, NDArray[np.float32]]
    levels: list[Level]
    shape: dict[str, int]
    cut: Cut | None

    @property
    def pairs(self) -> NDArray[np.int64]:
        """The pairs of touching pixels, int64 (P, 2), the lesser node first; each has two edges."""
        return np.unique(np.sort(self.edge_index.T, axis=1), axis=0)

    @property
    def digit(self) -> int:
        """The answer of the network."""
        return int(self.probabilities.argmax())

    def describe(self) -> list[str]:
        """Return a line each for the answer, the shape, and the cut that changes the answer."""
        answer = f"read as {self.digit} with probability {self.probabilities[self.digit]:.4f}"
        cut = [self.cut.describe(len(self.pairs))] if self.cut else []
        return [answer, Topology.describe(self.shape), *cut]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON object; of the messages only the mean share of pixels that reach a node, by level."""
        plain = {f.name: _plain(getattr(self, f.name)) for f in dataclasses.fields(self) if f.name != "levels"}
        mean_reach = [{"name": level.name, "mean_share": _share(level.reached)} for level in self.levels]
        return {"digit": self.digit, **plain, "levels": mean_reach}


def _share(reached: NDArray[np.bool_]) -> float:
    return round(float(reached.mean()), 6) if reached.size else 0.0


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return np.round(value.astype(float), 6).tolist() if value.dtype.kind == "f" else value.tolist()
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, Cut):
        return {"pairs": value.pairs.tolist(), "digit": value.digit}
    return value


def graph_network(run: Run | nn.Module | str | Path) -> GNN:
    """Return the graph network of a run, of its folder, or itself, on the CPU and in evaluation mode.

    Raises
    ------
    UsageError
        When it is another network, which has no graph to explain.
    RunError, ModelError
        When the folder is not that of a complete run.
    """
    loaded = load_run(run) if isinstance(run, str | Path) else run
    model = loaded.model if isinstance(loaded, Run) else loaded
    if not isinstance(model, GNN):
        name = loaded.name if isinstance(loaded, Run) else type(model).__name__
        raise UsageError(f"{name} has no graph; explain a run of gnn or gnn-attention")
    on_cpu = next(model.parameters()).device.type == "cpu"
    return (model if on_cpu else copy.deepcopy(model).cpu()).eval()


def connectivity(
    run: Run | nn.Module | str | Path,
    image: Any,
    target: int | None = None,
    against: int | None = None,
    methods: Sequence[str] = DEFAULT_METHODS,
    cut: bool = True,
) -> Connectivity:
    """Explain the answer of a graph network for one digit.

    Parameters
    ----------
    run
        A run of ``gnn`` or ``gnn-attention``, its folder, or the network itself.
    image
        Ink bright on black, uint8 or float in [0, 1], (28, 28).
    target
        The class to explain; the answer by default. Any other class is explained against the answer: "why not a 9?".
    against
        The rival.
    methods
        Names from :data:`inkdigits.evaluation.explain.METHODS`; attention is added when the network has it.
    cut
        Whether to search for edges whose removal changes the answer, which takes up to a second.

    Raises
    ------
    DataError
        When the image is not grey, 28x28 and finite.
    UsageError
        When the network has no graph, or a class or method does not exist.
    """
    model, batch = graph_network(run), as_batch(image)
    _check(batch, target, against, methods)
    graph = ink_graph(batch, model.ink)
    with torch.inference_mode():
        logits = model.forward_graph(graph)
    target, against = _question(int(logits.argmax()), target, against)
    found = _importances(model, batch, target, against, methods)
    return Connectivity(
        image=batch[0].numpy(),
        probabilities=logits.softmax(1)[0].numpy(),
        target=target,
        against=against,
        pos=graph.pos.numpy(),
        edge_index=graph.edge_index.numpy(),
        edge_attr=graph.edge_attr.numpy(),
        nodes={name: importance.nodes.numpy() for name, importance in found.items()},
        edges={name: importance.edges.numpy() for name, importance in found.items()},
        levels=travel(model, graph),
        shape=topology(batch.numpy()).of(0),
        cut=first_cut(model, graph) if cut else None,
    )


def _check(batch: Tensor, target: int | None, against: int | None, methods: Sequence[str]) -> None:
    for digit in (target, against):
        if digit is not None and digit not in range(CLASSES):
            raise UsageError(f"classes are 0 to {CLASSES - 1}, not {digit!r}")
    for name in methods:
        if name not in METHODS:
            raise unknown("method", name, METHODS)
    if batch.shape != (1, 28, 28):
        size = "x".join(str(length) for length in batch.shape)
        raise DataError(f"one image of 28x28 is needed, not {size}; inkdigits.imaging.normalize.to_mnist makes it")


def _question(answer: int, target: int | None, against: int | None) -> tuple[int, int | None]:
    """Return target and rival: the answer is the default target, and the default rival of any other target."""
    target = answer if target is None else target
    if against is None and target != answer:
        against = answer
    if target == against:
        raise UsageError(f"target and rival are both {target}; name two different digits")
    return target, against


def _importances(
    model: GNN, batch: Tensor, target: int, against: int | None, methods: Sequence[str]
) -> dict[str, Importance]:
    """Return importance by method, with attention when the network has it."""
    names = [*methods]
    if "attention" in methods_for(model) and "attention" not in names:
        names.append("attention")
    wanted, rival = torch.tensor([target]), None if against is None else torch.tensor([against])
    return {name: explain(model, batch, wanted, rival, name) for name in names}


def travel(model: GNN, graph: PixelGraph) -> list[Level]:
    """Return which nodes the messages of each pixel have reached after every layer and pooling of the network."""
    reached = torch.eye(len(graph.cell), dtype=torch.bool)
    side, layer = 1, 0
    levels = [_level("pixels", graph, side, reached)]
    for index in range(len(model.stages)):
        if index:
            graph, parent = graph.coarsened()
            side *= 2
            gathered = torch.zeros(len(graph.cell), reached.shape[1], dtype=torch.int64)
            reached = gathered.index_add(0, parent, reached.long()) > 0
            levels.append(_level(f"pooled to {side}x{side}", graph, side, reached))
        for _ in range(2):
            layer += 1
            nothing = torch.zeros(1, reached.shape[1], dtype=torch.bool)
            reached = torch.cat([reached, nothing])[graph.neighbours].any(1)  # (M, 9, N) to (M, N)
            levels.append(_level(f"layer {layer}", graph, side, reached))
    return levels


def _level(name: str, graph: PixelGraph, side: int, reached: Tensor) -> Level:
    pos = graph.pos * side + (side - 1) / 2
    return Level(name, pos.numpy(), side, graph.edge_index.numpy(), reached.numpy())


def first_cut(model: GNN, graph: PixelGraph) -> Cut:
    """Return a small set of pairs of pixels such that removing their edges changes the answer on a single image.

    The search is greedy. Of the pairs with the steepest gradient, the one that lowers the margin of the answer most is
    cut, until the answer changes. Then every pair that is not needed is restored. So the set is minimal, but a smaller
    set of other pairs may exist.
    """
    pair, number = pairs(graph)
    weight = torch.ones(pair.shape[1])  # (P,)
    answer = int(_logits(model, graph, weight[None], number).argmax())
    cut: list[int] = []
    while not _changed(model, graph, weight, number, answer):
        if len(cut) == min(LARGEST_CUT, len(weight)):
            return Cut(np.empty((0, 2), np.int64), None)
        variable = weight.clone().requires_grad_()
        logits = model.forward_graph(graph.with_edge_weight(variable[number]))
        (slope,) = torch.autograd.grad(_margin(logits, answer).sum(), variable)
        steepest = slope.masked_fill(weight == 0, -torch.inf).topk(min(CANDIDATES, len(weight) - len(cut))).indices
        tries = weight.repeat(len(steepest), 1)
        tries[torch.arange(len(steepest)), steepest] = 0
        best = int(steepest[_margin(_logits(model, graph, tries, number), answer).argmin()])
        weight[best] = 0
        cut.append(best)
    restored = True
    while restored:  # restoring one pair may make another unnecessary
        restored = False
        for index in list(cut):
            weight[index] = 1
            if _changed(model, graph, weight, number, answer):
                cut.remove(index)
                restored = True
            else:
                weight[index] = 0
    digit = int(_logits(model, graph, weight[None], number).argmax())
    return Cut(pair.T[cut].numpy(), digit)


@torch.inference_mode()
def _logits(model: GNN, graph: PixelGraph, weights: Tensor, number: Tensor) -> Tensor:
    """Return logits (K, 10) of one image under K weightings (K, P) of its pairs."""
    return model.forward_graph(graph.repeated(len(weights)).with_edge_weight(weights[:, number].flatten()))


def _changed(model: GNN, graph: PixelGraph, weight: Tensor, number: Tensor, answer: int) -> bool:
    return int(_logits(model, graph, weight[None], number).argmax()) != answer


def _margin(logits: Tensor, answer: int) -> Tensor:
    """Return by how much the logit of the answer exceeds that of the best rival, (K,)."""
    rivals = logits.clone()
    rivals[:, answer] = -torch.inf
    return logits[:, answer] - rivals.amax(1)
