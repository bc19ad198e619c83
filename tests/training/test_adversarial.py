from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inkdigits.data import Dataset
from inkdigits.evaluation.attacks import pgd, robust_accuracy
from inkdigits.models import model_spec
from inkdigits.training import train
from inkdigits.training.adversarial import adversarial_images, pgd_attack
from inkdigits.training.digit_task import DigitTask
from inkdigits.training.inference import to_input
from inkdigits.training.recipe import Recipe
from inkdigits.training.trainer import NoProgress, Trainer
from inkdigits.training.training_data import make_training_data


def test_the_attack_stays_within_epsilon_and_raises_the_loss(mnist_5k: Dataset) -> None:
    model = train("cnn", mnist_5k, epochs=1, batch_size=64, augment="none", ema=0.0).model
    images, labels = to_input(torch.tensor(mnist_5k.test.images[:100])), torch.tensor(mnist_5k.test.labels[:100])

    def loss(x: Tensor) -> Tensor:
        return F.cross_entropy(model(x), labels)

    x = pgd_attack(loss, images, 0.1, 5, torch.Generator().manual_seed(0))
    assert (x - images).abs().max() == pytest.approx(0.1, abs=1e-6)
    assert x.min() >= 0
    assert x.max() <= 1
    assert not x.requires_grad
    with torch.no_grad():
        assert loss(x) > 2 * loss(images)


def test_epsilon_grows_in_the_first_quarter_of_training() -> None:
    model, images = nn.Dropout(), torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(0))

    def change(progress: float) -> float:
        generator = torch.Generator().manual_seed(0)
        recipe = Recipe(epsilon=0.1, attack_steps=5)
        x = adversarial_images(model, lambda x: x.sum(), images, recipe, progress, generator)
        assert model.training
        return float((x - images).abs().max())

    assert [change(progress) for progress in (0, 0.125, 0.25, 1)] == pytest.approx([0, 0.05, 0.1, 0.1], abs=1e-6)


def test_without_epsilon_the_images_and_the_random_state_do_not_change() -> None:
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    images = torch.rand(4, 1, 28, 28)
    assert adversarial_images(nn.Identity(), torch.sum, images, Recipe(), 0.5, generator) is images
    assert torch.equal(generator.get_state(), before)


def gradient(loss: object, images: Tensor) -> Tensor:
    x = images.clone().requires_grad_()
    return torch.autograd.grad(loss(x), x)[0]  # type: ignore[operator]


@pytest.mark.parametrize("name", ["autoencoder", "views", "cnn"])
def test_the_attack_ascends_the_objective_that_the_model_trains_on(
    name: str, small: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    threes = small.train[(small.train.labels == 3).nonzero()[0][:32]]
    recipe, cpu = Recipe(epochs=1, batch_size=32, epsilon=0.2, attack_steps=2), torch.device("cpu")
    task = DigitTask(model_spec(name), recipe, make_training_data(threes, recipe, 0, cpu, None), cpu)
    trainer = Trainer({"model": name, "options": {}, "seed": 0}, recipe, task, cpu)
    labels, attacks = torch.tensor(threes.labels), []

    def spy(loss: object, images: Tensor, *settings: object) -> Tensor:
        used, expected, of_logits = (
            gradient(f, images)
            for f in (
                loss,
                lambda x: task.spec.objective(trainer.model, x, labels, F.cross_entropy)[0],
                lambda x: F.cross_entropy(trainer.model(x), labels),
            )
        )
        attacks.append((torch.equal(used, expected), torch.allclose(used, of_logits), trainer.model.training))
        return images

    monkeypatch.setattr("inkdigits.training.adversarial.pgd_attack", spy)
    trainer.train_epoch(1, NoProgress())
    assert attacks == [(True, name == "cnn", False)]


def test_the_attack_draws_from_the_generator_of_training(small: Dataset) -> None:
    recipe, cpu = Recipe(epochs=1, batch_size=32, epsilon=0.2, attack_steps=1), torch.device("cpu")
    task = DigitTask(model_spec("cnn"), recipe, make_training_data(small.train, recipe, 0, cpu, None), cpu)
    model = Trainer({"model": "cnn", "options": {}, "seed": 0}, recipe, task, cpu).model.eval()
    losses = []
    for other in (1, 2):
        torch.manual_seed(other)  # PyTorch's own generator must not count
        losses.append(task.loss(model, torch.arange(32), 1, 1.0, torch.Generator().manual_seed(0))[0].item())
    assert losses[0] == losses[1]


def test_adversarial_training_withstands_more_attacks(mnist_5k: Dataset) -> None:
    common = {"epochs": 3, "batch_size": 32, "augment": "none", "ema": 0.0}
    part = replace(mnist_5k, train=mnist_5k.train[::2])
    plain = train("cnn", part, **common)
    hardened = train("cnn", part, epsilon=0.2, attack_steps=2, **common)
    images, labels = to_input(torch.tensor(mnist_5k.test.images[::10])), torch.tensor(mnist_5k.test.labels[::10])

    def accuracy(model: nn.Module) -> float:
        return robust_accuracy(model, images, labels, pgd(model, images, labels, 0.2, steps=10))

    assert accuracy(hardened.model) > accuracy(plain.model) + 0.2
