"""Explanations of a graph network: the importance of each pixel, and of each edge between pixels, for its answer.

Every method takes a graph network in evaluation mode and float images (B, H, W) in [0, 1], and returns an
:class:`Importance` for all of them. It explains the *margin*: the logit of a target class minus that of a rival ("why a
4 and not a 9?"), or minus the mean of the nine other logits.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inkdigits.data.pixel_graph import SELF, PixelGraph, ink_graph
from inkdigits.errors import UsageError, unknown
from inkdigits.models.gnn import GNN
from inkdigits.models.message_passing import AttentiveMessages
from inkdigits.models.registry import CLASSES

STEPS = 32  # points of the Gauss-Legendre rule
MASK_EPOCHS, MASK_LR = 100, 0.1  # of GNNExplainer
CHUNK = 256  # altered copies of a graph in one forward pass


@dataclass(frozen=True, eq=False)
class Importance:
    """Importance of each node and edge for the target: float32 (N,) and (E,), in the order of the graph.

    For signed methods a positive value supports the target and a negative value opposes it.
    """

    graph: PixelGraph
    nodes: Tensor
    edges: Tensor

    @property
    def pairs(self) -> Tensor:
        """Importance (P,) of each pair of touching pixels: the sum of its two edges, in the order of ``pairs``."""
        _, number = pairs(self.graph)
        count = int(number.max()) + 1 if len(number) else 0
        return self.edges.new_zeros(count).index_add(0, number, self.edges)


Method = Callable[[GNN, Tensor, Tensor, Tensor | None, int], Importance]

UNSIGNED = ("gnn-explainer", "attention")  # methods without a sign


def pairs(graph: PixelGraph) -> tuple[Tensor, Tensor]:
    """Return the pairs of touching nodes, int64 (2, P) with the lesser first, and for each edge its pair, (E,)."""
    source, target = graph.edge_index
    low, high = torch.minimum(source, target), torch.maximum(source, target)
    unique, number = torch.unique(low * len(graph.cell) + high, return_inverse=True)
    return torch.stack([unique // max(1, len(graph.cell)), unique % max(1, len(graph.cell))]), number


def margin(logits: Tensor, target: Tensor, against: Tensor | None = None) -> Tensor:
    """Return (B,): the logit of ``target`` (B,) minus that of ``against`` (B,), or minus the mean of the other classes.

    Unlike a single logit, it is invariant to adding a constant to all logits, as softmax is.
    """
    own = logits.gather(1, target[:, None]).squeeze(1)
    if against is not None:
        return own - logits.gather(1, against[:, None]).squeeze(1)
    return own - (logits.sum(1) - own) / (logits.shape[1] - 1)


def integrated_gradients(
    model: GNN, images: Tensor, target: Tensor, against: Tensor | None = None, seed: int = 0
) -> Importance:
    """Integrate gradients of the margin from no messages to all (M. Sundararajan et al., ICML 2017, equation 1).

    The path multiplies all messages, including those of a node to itself, by a weight from 0 to 1. An edge gets the
    integral for its message, a node that for all messages it sends. So the nodes of an image add up to the difference
    between its margin and the margin without any message.
    """
    graph = ink_graph(images, model.ink)
    places, shares = np.polynomial.legendre.leggauss(STEPS)
    gathered = torch.zeros(graph.neighbours.shape)  # (N, 9)
    for place, share in zip((places + 1) / 2, shares / 2, strict=True):
        weight = torch.full(graph.neighbours.shape, float(place), requires_grad=True)
        total = margin(model.forward_graph(replace(graph, weight=weight)), target, against).sum()
        (gradient,) = torch.autograd.grad(total, weight, materialize_grads=True)
        gathered += share * gradient
    nodes = torch.zeros(len(graph.cell) + 1).index_add(0, graph.neighbours.flatten(), gathered.flatten())
    return Importance(graph, nodes[:-1], gathered[graph.edge_index[1], graph.edge_attr])


@torch.inference_mode()
def occlusion(model: GNN, images: Tensor, target: Tensor, against: Tensor | None = None, seed: int = 0) -> Importance:
    """Return the loss of margin without a pixel, or without a pair's two edges (M. Zeiler, R. Fergus, ECCV 2014)."""
    found = [
        _occluded(model, image[None], target[i : i + 1], None if against is None else against[i : i + 1])
        for i, image in enumerate(images)
    ]
    graph = ink_graph(images, model.ink)
    return Importance(graph, *(torch.cat([part[k] for part in found] or [torch.zeros(0)]) for k in (0, 1)))


def _occluded(model: GNN, image: Tensor, target: Tensor, against: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return the importance of the nodes (N,) and edges (E,) of one image (1, H, W)."""
    graph = ink_graph(image, model.ink)
    whole = margin(model.forward_graph(graph), target, against)

    def loss(altered: PixelGraph) -> Tensor:
        copies = altered.size[0]
        rival = None if against is None else against.expand(copies)
        return whole - margin(model.forward_graph(altered), target.expand(copies), rival)

    nodes, edges = [torch.zeros(0)], [torch.zeros(0)]
    for cells in _chunks(graph.cell):
        less = image.flatten().repeat(len(cells), 1)
        less[torch.arange(len(cells)), cells] = 0
        nodes.append(loss(ink_graph(less.view(-1, *image.shape[1:]), model.ink)))
    pair, number = pairs(graph)
    for chosen in _chunks(torch.arange(pair.shape[1])):
        kept = (number[None] != chosen[:, None]).float()  # (copies, E)
        edges.append(loss(graph.repeated(len(chosen)).with_edge_weight(kept.flatten())))
    return torch.cat(nodes), torch.cat(edges)[number] / 2  # the loss of a pair, divided between its two edges


def _chunks(entries: Tensor) -> tuple[Tensor, ...]:
    return entries.split(CHUNK) if len(entries) else ()


def gnn_explainer(
    model: GNN, images: Tensor, target: Tensor, against: Tensor | None = None, seed: int = 0
) -> Importance:
    """Learn masks of nodes and edges that are small and preserve the target (R. Ying et al., NeurIPS 2019).

    The implementation is PyTorch Geometric's, applied to all images together, whose graphs are not connected. It
    explains the target only; ``against`` is not used. The masks are initialised with noise from ``seed``.
    """
    from torch_geometric.explain import Explainer, GNNExplainer

    from inkdigits.models.pyg import DataGNN

    graph = ink_graph(images, model.ink)
    if not graph.edge_index.shape[1]:  # there would be nothing to train
        return Importance(graph, torch.zeros(len(graph.cell)), torch.zeros(0))
    explainer = Explainer(
        DataGNN(copy.deepcopy(model)),  # a copy, because it collects gradients
        # the loss is a mean over images, the size of the masks a sum over them: the coefficient compensates
        GNNExplainer(epochs=MASK_EPOCHS, lr=MASK_LR, edge_size=GNNExplainer.default_coeffs["edge_size"] / len(images)),
        explanation_type="phenomenon",
        node_mask_type="object",
        edge_mask_type="object",
        model_config={"mode": "multiclass_classification", "task_level": "graph", "return_type": "raw"},
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        found = explainer(**graph.to_data().to_dict(), target=target)
    return Importance(graph, found.node_mask.squeeze(1).detach(), found.edge_mask.detach())


@torch.inference_mode()
def attention(
    model: GNN, images: Tensor, target: Tensor | None = None, against: Tensor | None = None, seed: int = 0
) -> Importance:
    """Return the attention of nodes to their neighbours: the mean over the layers on the pixel grid, for any target.

    The importance of a node is all the attention that it receives, including its own.

    Raises
    ------
    UsageError
        When the network has no attention.
    """
    graph, shares = ink_graph(images, model.ink), []

    def collect(layer: torch.nn.Module, inputs: tuple[Tensor, PixelGraph], _: Any) -> None:
        x, seen = inputs
        if seen.size == graph.size:
            assert isinstance(layer, AttentiveMessages)
            shares.append(layer.attention(x, seen))

    hooks = [layer.register_forward_hook(collect) for layer in model.modules() if isinstance(layer, AttentiveMessages)]
    if not hooks:
        raise UsageError("this network has no attention to show; train gnn-attention")
    try:
        model.forward_graph(graph)
    finally:
        for hook in hooks:
            hook.remove()
    share = torch.stack(shares).mean(0)  # (N, 9)
    source, target_node = graph.edge_index
    edges = share[target_node, graph.edge_attr]
    return Importance(graph, share[:, SELF].index_add(0, source, edges), edges)


def intensity(
    model: GNN, images: Tensor, target: Tensor | None = None, against: Tensor | None = None, seed: int = 0
) -> Importance:
    """Return the brightness of each pixel, and for an edge the mean of its ends: a baseline."""
    graph = ink_graph(images, model.ink)
    x = graph.x.squeeze(1)
    return Importance(graph, x, x[graph.edge_index].mean(0))


def random(
    model: GNN, images: Tensor, target: Tensor | None = None, against: Tensor | None = None, seed: int = 0
) -> Importance:
    """Return uniform random importance, determined by ``seed``: a baseline."""
    graph = ink_graph(images, model.ink)
    generator = torch.Generator().manual_seed(seed)
    nodes, edges = (torch.rand(n, generator=generator) for n in (len(graph.cell), graph.edge_index.shape[1]))
    return Importance(graph, nodes, edges)


METHODS: dict[str, Method] = {
    "integrated-gradients": integrated_gradients,
    "occlusion": occlusion,
    "gnn-explainer": gnn_explainer,
    "attention": attention,
}
BASELINES: dict[str, Method] = {"intensity": intensity, "random": random}


def methods_for(model: GNN) -> list[str]:
    """Return the names of the methods that this network supports."""
    attentive = any(isinstance(layer, AttentiveMessages) for layer in model.modules())
    return [name for name in METHODS if attentive or name != "attention"]


def explain(
    model: GNN,
    images: Tensor,
    target: Tensor,
    against: Tensor | None = None,
    method: str = "integrated-gradients",
    seed: int = 0,
) -> Importance:
    """Return the importance of nodes and edges for the target class of each image.

    Parameters
    ----------
    images
        float32 (B, H, W) in [0, 1].
    target, against
        int64 (B,): classes; see :func:`margin`.
    method
        One of :data:`METHODS` or :data:`BASELINES`.
    seed
        For the methods that start from noise.

    Raises
    ------
    UsageError
        When the method or a class does not exist.
    """
    known = METHODS | BASELINES
    if method not in known:
        raise unknown("method", method, known)
    for classes in (target, against):
        if classes is not None and len(classes) and not (int(classes.min()) >= 0 and int(classes.max()) < CLASSES):
            raise UsageError(f"classes are 0 to {CLASSES - 1}, not {classes.tolist()}")
    return known[method](model.eval(), images, target, against, seed)
