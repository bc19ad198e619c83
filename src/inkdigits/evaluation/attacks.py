"""Adversarial attacks: small changes to images that make a network misclassify them.

FGSM after I. Goodfellow et al., ICLR 2015, arXiv:1412.6572; PGD after A. Madry et al., ICLR 2018, arXiv:1706.06083.
Two changes to PGD. The loss is the margin of the best wrong logit (N. Carlini, D. Wagner, 2017, arXiv:1608.04644),
because its gradient does not vanish when the network is confident. An attack succeeds as soon as one step of one
restart is misclassified, and the step size does not depend on the number of steps; so more steps and more restarts
never raise the measured accuracy.
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
    """Return adversarial images (B, 1, H, W), changed by at most ``epsilon``; unchanged where no attack succeeds.

    Parameters
    ----------
    model
        In evaluation mode.
    images
        float32 in [0, 1], as the result.
    norm
        ``linf`` limits the change of each pixel; ``l2`` limits the Euclidean norm of the change of an image.
    restarts
        The first starts at the image itself, the others at random points of the ball.

    Raises
    ------
    UsageError
        When a setting is invalid.
    """
    if norm not in ("linf", "l2") or epsilon < 0 or steps < 0 or restarts < 1:
        raise UsageError(
            f"an attack takes norm linf or l2, epsilon and steps of at least 0 and 1 restart or more, not {norm}, "
            f"{epsilon}, {steps}, {restarts}"
        )
    generator = torch.Generator(images.device).manual_seed(seed)
    broken = images.clone()
    unbroken = (_margin(model, images, labels) > 0).nonzero().squeeze(1)  # not yet misclassified
    for restart in range(restarts):
        x, goal, start = images[unbroken], labels[unbroken], images[unbroken]
        if restart:
            x = _project(x + epsilon * _random_point(x, norm, generator), start, epsilon, norm)
        for _ in range(steps):
            if not len(unbroken):
                return broken
            x = _project(x + epsilon / 10 * _direction(_gradient(model, x, goal), norm), start, epsilon, norm)
            still = _margin(model, x, goal) > 0
            broken[unbroken[~still]] = x[~still]
            unbroken, x, goal, start = unbroken[still], x[still], goal[still], start[still]
    return broken


def robust_accuracy(model: nn.Module, images: Tensor, labels: Tensor, adversarial: Tensor) -> float:
    """Return the share, in [0, 1], that is classified correctly both before and after the attack."""
    with torch.no_grad():
        correct = (model(images).argmax(1) == labels) & (model(adversarial).argmax(1) == labels)
    return float(correct.float().mean())


def _logit_margin(logits: Tensor, labels: Tensor) -> Tensor:
    """Return by how much the logit of the true class exceeds the best wrong one, (B,)."""
    rivals = logits.scatter(1, labels[:, None], -torch.inf)
    return logits.gather(1, labels[:, None]).squeeze(1) - rivals.amax(1)


@torch.no_grad()
def _margin(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    return _logit_margin(model(images), labels) if len(images) else torch.zeros(0, device=images.device)


def _gradient(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Return the gradient along which the margin of the true class falls."""
    variable = images.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(-_logit_margin(model(variable), labels).sum(), variable)
    return torch.as_tensor(gradient)


def _direction(gradient: Tensor, norm: Norm) -> Tensor:
    if norm == "linf":
        return gradient.sign()
    return gradient / _length(gradient)


def _length(x: Tensor) -> Tensor:
    """Return the L2 norm of each image, (B, 1, 1, 1), at least 1e-12."""
    length: Tensor = torch.linalg.vector_norm(x, dim=(1, 2, 3), keepdim=True)
    return length.clamp(min=1e-12)


def _random_point(x: Tensor, norm: Norm, generator: torch.Generator) -> Tensor:
    """Return a random point of the unit ball for each image."""
    share = torch.rand(x.shape if norm == "linf" else (len(x), 1, 1, 1), generator=generator, device=x.device)
    return share * _direction(torch.randn(x.shape, generator=generator, device=x.device), norm)


def _project(x: Tensor, start: Tensor, epsilon: float, norm: Norm) -> Tensor:
    change = x - start
    if norm == "linf":
        return (start + change.clamp(-epsilon, epsilon)).clamp(0, 1)
    return (start + change * (epsilon / _length(change)).clamp(max=1)).clamp(0, 1)
