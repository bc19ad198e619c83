"""Adversarial training: the network trains on images that an attack has just changed to raise its loss.

A. Madry et al., "Towards deep learning models resistant to adversarial attacks", ICLR 2018, arXiv:1706.06083.
Projected gradient ascent (PGD) from a random start approximates the inner maximum.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from inkdigits.training.recipe import Recipe

PATH_LENGTH = 2.5  # sum of the lengths of all steps, in radii of the ball: every point of it can be reached
RAMP = 0.25  # share of training in which epsilon grows from 0 to the recipe's value


def pgd_attack(
    loss: Callable[[Tensor], Tensor], images: Tensor, epsilon: float, steps: int, generator: torch.Generator
) -> Tensor:
    """Return images that raise ``loss``, with no pixel changed by more than ``epsilon``.

    Parameters
    ----------
    loss
        Takes images (B, 1, H, W), returns the scalar to be maximised.
    images
        float32 (B, 1, H, W) in [0, 1]; so are those returned.
    generator
        Source of the random start, on the CPU.
    """
    start = 2 * torch.rand(images.shape, generator=generator).to(images.device) - 1
    x = (images + epsilon * start).clamp(0, 1)
    for _ in range(steps):
        x.requires_grad_()
        (gradient,) = torch.autograd.grad(loss(x), x)
        x = x.detach() + PATH_LENGTH * epsilon / steps * gradient.sign()
        x = x.clamp(images - epsilon, images + epsilon).clamp(0, 1)
    return x


def adversarial_images(
    model: nn.Module,
    loss: Callable[[Tensor], Tensor],
    images: Tensor,
    recipe: Recipe,
    progress: float,
    generator: torch.Generator,
) -> Tensor:
    """Return the images (B, 1, H, W) to train on: adversarial, or unchanged if the recipe's epsilon is 0.

    The model is in evaluation mode during the attack, so that its batch norms do not count the adversarial images.

    Parameters
    ----------
    loss
        The objective that the model trains on, as a function of the images; the attack raises it.
    progress
        Share of training that is done, in [0, 1].
    """
    if not recipe.epsilon:
        return images
    was_training = model.training
    model.eval()
    epsilon = recipe.epsilon * min(1.0, progress / RAMP)
    adversarial = pgd_attack(loss, images, epsilon, recipe.attack_steps, generator)
    model.train(was_training)
    return adversarial
