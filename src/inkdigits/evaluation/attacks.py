"""Images changed on purpose, as little as need be, so that a network misreads them.

FGSM after I. Goodfellow et al., ICLR 2015, arXiv:1412.6572; PGD after A. Madry et al., ICLR 2018, arXiv:1706.06083.
Changed: the loss is the lead of the best wrong logit (N. Carlini, D. Wagner, 2017, arXiv:1608.04644), whose gradient
does not fade where the network is sure; an image counts as broken from the first step of any restart that breaks it,
and the length of a step does not depend on their number, so that more steps from the image itself never help the
network, and neither do more restarts.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from inkdigits.errors import UsageError

Norm = Literal["linf", "l2"]


def fgsm(model: nn.Module, images: Tensor, labels: Tensor, epsilon: float) -> Tensor:
    """Return images (B, 1, H, W) after one step of ``epsilon`` in [0, 1] along the sign of the gradient."""
    return (images + epsilon * _gradient(model, images, labels).sign()).clamp(0, 1)


def pgd(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    epsilon: float,
    norm: Norm = "linf",
    steps: int = 40,
    restarts: int = 1,
    seed: int = 0,
) -> Tensor:
    """Return images (B, 1, H, W), changed by at most ``epsilon`` so that they are misread, or else as they were.

    Parameters
    ----------
    model
        In evaluation mode.
    images
        float32 in [0, 1]; the changed ones are too.
    norm
        ``linf``: no pixel changes by more; ``l2``: the square root of the summed squares of all changes is no more.
    restarts
        The first starts at the image itself, the others anywhere in the ball.

    Raises
    ------
    UsageError
        When a setting cannot be meant.
    """
    if norm not in ("linf", "l2") or epsilon < 0 or steps < 0 or restarts < 1:
        raise UsageError(
            f"an attack takes norm linf or l2, epsilon and steps of at least 0 and a restart or more, not {norm}, "
            f"{epsilon}, {steps}, {restarts}"
        )
    dice = torch.Generator(images.device).manual_seed(seed)
    broken = images.clone()
    open_ = (_lead(model, images, labels) > 0).nonzero().squeeze(1)  # those that are read rightly still
    for restart in range(restarts):
        x, goal, start = images[open_], labels[open_], images[open_]
        if restart:
            x = _project(x + epsilon * _anywhere(x, norm, dice), start, epsilon, norm)
        for _ in range(steps):
            if not len(open_):
                return broken
            x = _project(x + epsilon / 10 * _direction(_gradient(model, x, goal), norm), start, epsilon, norm)
            still = _lead(model, x, goal) > 0
            broken[open_[~still]] = x[~still]
            open_, x, goal, start = open_[still], x[still], goal[still], start[still]
    return broken


def robust_accuracy(model: nn.Module, images: Tensor, labels: Tensor, attacked: Tensor) -> float:
    """Return the share, in [0, 1], that is read rightly both as it was and attacked."""
    with torch.no_grad():
        right = (model(images).argmax(1) == labels) & (model(attacked).argmax(1) == labels)
    return float(right.float().mean())


def _logit_lead(logits: Tensor, labels: Tensor) -> Tensor:
    rivals = logits.scatter(1, labels[:, None], -torch.inf)
    return logits.gather(1, labels[:, None]).squeeze(1) - rivals.amax(1)


@torch.no_grad()
def _lead(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    return _logit_lead(model(images), labels) if len(images) else torch.zeros(0, device=images.device)


def _gradient(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Return the gradient along which the right answer loses its lead."""
    variable = images.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(-_logit_lead(model(variable), labels).sum(), variable)
    return torch.as_tensor(gradient)


def _direction(gradient: Tensor, norm: Norm) -> Tensor:
    if norm == "linf":
        return gradient.sign()
    return gradient / _length(gradient)


def _length(x: Tensor) -> Tensor:
    """Return the L2 norm of each image, (B, 1, 1, 1), not quite zero."""
    length: Tensor = torch.linalg.vector_norm(x, dim=(1, 2, 3), keepdim=True)
    return length.clamp(min=1e-12)


def _anywhere(x: Tensor, norm: Norm, dice: torch.Generator) -> Tensor:
    """Return a random point of the unit ball for each image."""
    share = torch.rand(x.shape if norm == "linf" else (len(x), 1, 1, 1), generator=dice, device=x.device)
    return share * _direction(torch.randn(x.shape, generator=dice, device=x.device), norm)


def _project(x: Tensor, start: Tensor, epsilon: float, norm: Norm) -> Tensor:
    change = x - start
    if norm == "linf":
        return (start + change.clamp(-epsilon, epsilon)).clamp(0, 1)
    return (start + change * (epsilon / _length(change)).clamp(max=1)).clamp(0, 1)
