"""Adversarial training: the network learns from images that were just changed against it.

A. Madry et al., "Towards deep learning models resistant to adversarial attacks", ICLR 2018, arXiv:1706.06083: the
inner maximum is sought by projected gradient ascent from a random start.
"""

import torch
from torch import Tensor, nn

from inkdigits.models.registry import Criterion
from inkdigits.training.recipe import Recipe

REACH = 2.5  # the steps together are this many times as long as the way to the rim of the ball
GROWTH = 0.25  # share of training in which the ball grows to its size


def pgd_attack(
    model: nn.Module,
    images: Tensor,
    targets: Tensor,
    criterion: Criterion,
    recipe: Recipe,
    progress: float,
    generator: torch.Generator,
) -> Tensor:
    """Return images (B, 1, H, W) in [0, 1], no pixel moved by more than ``recipe.epsilon``, that the loss is high on.

    ``progress``, in [0, 1], is how far training is. The network's batch norms are left as they are: it answers in
    evaluation mode.
    """
    epsilon, was_training = recipe.epsilon * min(1.0, progress / GROWTH), model.training
    model.eval()
    start = 2 * torch.rand(images.shape, generator=generator).to(images.device) - 1
    x = (images + epsilon * start).clamp(0, 1)
    for _ in range(recipe.attack_steps):
        x.requires_grad_()
        (gradient,) = torch.autograd.grad(criterion(model(x).float(), targets), x)
        x = x.detach() + REACH * epsilon / recipe.attack_steps * gradient.sign()
        x = x.clamp(images - epsilon, images + epsilon).clamp(0, 1)
    model.train(was_training)
    return x
