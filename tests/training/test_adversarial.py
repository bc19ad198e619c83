import pytest
import torch

from inkdigits.data import Dataset
from inkdigits.evaluation.attacks import pgd, robust_accuracy
from inkdigits.training import train
from inkdigits.training.adversarial import pgd_attack
from inkdigits.training.inference import to_input
from inkdigits.training.loop import make_criterion
from inkdigits.training.recipe import Recipe


def test_an_attack_stays_near_and_raises_the_loss(mnist_5k: Dataset) -> None:
    run = train("cnn", mnist_5k, epochs=1, batch_size=64, augment="none", ema=0.0)
    images, labels = to_input(torch.tensor(mnist_5k.test.images[:100])), torch.tensor(mnist_5k.test.labels[:100])
    recipe = Recipe(epsilon=0.1, attack_steps=5)
    criterion = make_criterion(recipe)
    x = pgd_attack(run.model, images, labels, criterion, recipe, 1.0, torch.Generator().manual_seed(0))
    assert (x - images).abs().max() == pytest.approx(0.1, abs=1e-6)
    early = pgd_attack(run.model, images, labels, criterion, recipe, 0.125, torch.Generator().manual_seed(0))
    assert (early - images).abs().max() == pytest.approx(0.05, abs=1e-6)
    assert x.min() >= 0
    assert x.max() <= 1
    assert not x.requires_grad
    with torch.no_grad():
        assert criterion(run.model(x), labels) > 2 * criterion(run.model(images), labels)
    assert not run.model.training


def test_training_on_attacks_withstands_more_of_them(mnist_5k: Dataset) -> None:
    common = {"epochs": 3, "batch_size": 64, "augment": "none", "ema": 0.0}
    plain = train("cnn", mnist_5k, **common)
    hard = train("cnn", mnist_5k, epsilon=0.2, attack_steps=3, **common)
    images, labels = to_input(torch.tensor(mnist_5k.test.images[:200])), torch.tensor(mnist_5k.test.labels[:200])

    def left(model: torch.nn.Module) -> float:
        return robust_accuracy(model, images, labels, pgd(model, images, labels, 0.2, steps=10))

    assert left(hard.model) > left(plain.model) + 0.2
