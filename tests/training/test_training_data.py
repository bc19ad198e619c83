import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from inkdigits.data import Dataset
from inkdigits.errors import UsageError
from inkdigits.models import create_model
from inkdigits.training import load_run, train
from inkdigits.training.inference import predict_logits
from inkdigits.training.optimisation import make_criterion
from inkdigits.training.recipe import Recipe
from inkdigits.training.training_data import make_training_data

CPU = torch.device("cpu")


def test_plain_batches_are_the_digits_and_their_labels(small: Dataset) -> None:
    data = make_training_data(small.train, Recipe(), 0, CPU, None)
    index = torch.tensor([3, 1, 4])
    for epoch in (1, 2):
        images, targets = data.batch(index, epoch, torch.Generator())
        assert (images[:, 0] == torch.tensor(small.train.images[[3, 1, 4]]) / 255).all()
        assert targets.tolist() == small.train.labels[[3, 1, 4]].tolist()


def test_outliers_follow_the_digits_as_an_eleventh_class(small: Dataset) -> None:
    data = make_training_data(small.train, Recipe(outliers=0.25), 0, CPU, None)
    images, targets = data.batch(torch.arange(40), 1, torch.Generator().manual_seed(0))
    assert images.shape == (50, 1, 28, 28)
    assert targets[:40].argmax(1).tolist() == small.train.labels[:40].tolist()
    assert (targets[40:].argmax(1) == 10).all()
    assert (targets.sum(1) == 1).all()


def test_the_epochs_use_the_copies_with_soft_targets_in_turn(small: Dataset) -> None:
    torch.manual_seed(0)
    teacher = create_model("lenet5").eval()
    data = make_training_data(small.train, Recipe(distill=0.5, epochs=2, outliers=0.1), 0, CPU, teacher)
    assert data.images.shape == (2, 600, 28, 28)
    assert (data.images[0].numpy() == small.train.images).all()
    assert (data.images[0] != data.images[1]).any()
    assert data.outliers.shape == (2, 60, 28, 28)
    index = torch.arange(20)
    images, targets = data.batch(index, 2, torch.Generator())
    soft_targets = predict_logits(teacher, data.images[1, :20]).softmax(1)
    expected = (soft_targets + F.one_hot(torch.tensor(small.train.labels[:20]), 10)) / 2
    torch.testing.assert_close(targets[:20, :10], expected)
    first, third = (data.batch(index, epoch, torch.Generator())[0][:20] for epoch in (1, 3))
    assert torch.equal(first, third)
    assert not torch.equal(first, images[:20])


def test_digits_and_outliers_of_a_copy_are_equally_sharp(small: Dataset) -> None:
    """If blur told them apart, the network would learn blur instead of shape."""
    teacher = create_model("lenet5").eval()
    data = make_training_data(
        small.train, Recipe(distill=0.5, epochs=8, outliers=0.3, writing_styles=0.3), 0, CPU, teacher
    )
    crisp = []  # share of pictures with a hard edge, by copy
    for images in (data.images, data.outliers):
        crisp.append((images.int().diff(dim=3).abs().amax((2, 3)) >= 230).float().mean(1))
        assert (crisp[-1][1:] < 0.5 * crisp[-1][0]).all()
    torch.testing.assert_close(crisp[0][1:], crisp[1][1:], atol=0.08, rtol=0)


def test_the_eleventh_logit_is_always_zero(small: Dataset) -> None:
    criterion = make_criterion(Recipe(outliers=0.1))
    logits = torch.randn(4, 10)
    no_digit = F.one_hot(torch.tensor([10] * 4), 11).float()
    # cross-entropy of class 10 with logit 0: log(1 + sum of exp), which grows with the negative energy
    torch.testing.assert_close(criterion(logits, no_digit), torch.log1p(logits.exp().sum(1)).mean())


def test_outlier_exposure_lowers_the_log_odds_of_outliers(mnist_5k: Dataset) -> None:
    from inkdigits.synthetic.outliers import make_outliers

    recipe = {"epochs": 3, "batch_size": 64, "outliers": 0.2, "ema": 0.0, "augment": "none"}
    run = train("cnn", mnist_5k, seed=0, **recipe)
    outliers = torch.tensor(make_outliers(300, mnist_5k.test, seed=9))
    known = torch.tensor(mnist_5k.test.images[:300])
    of_outliers, of_known = (predict_logits(run.model, x).logsumexp(1) for x in (outliers, known))
    assert run.metrics["test_acc"] > 0.9
    assert (of_known > 0).float().mean() > 0.9  # log-odds of a digit above 0
    assert (of_outliers < 0).float().mean() > 0.8


def test_a_student_learns_its_teachers_soft_targets(small: Dataset) -> None:
    """The labels have no weight, and the teacher always says 3."""
    teacher = train("mlp", small, epochs=1, batch_size=50, options={"hidden": 32})
    with torch.no_grad():
        list(teacher.model.parameters())[-1].copy_(torch.tensor([0.0] * 3 + [50.0] + [0.0] * 6))
    student = train("lenet5", small, teacher=teacher, distill=1.0, epochs=2, batch_size=50, augment="none")
    predicted = predict_logits(student.model, torch.tensor(small.test.images)).argmax(1)
    assert (predicted == 3).float().mean() > 0.95
    assert student.settings["teacher"]["model"] == "mlp"
    assert not student.environment["notes"]


def test_a_note_says_that_a_teacher_may_know_the_validation_digits(
    small: Dataset, mnist_5k: Dataset, tmp_path: Path
) -> None:
    def notes_of(data: Dataset, **settings: Any) -> list[str]:
        common = {"epochs": 1, "batch_size": 50, "options": {"hidden": 16}, "out": tmp_path / "student"}
        student = train("mlp", data, teacher=tmp_path / "teacher", distill=0.5, **common, **settings)
        assert student.settings["teacher"]["weights_sha256"] == load_run(tmp_path / "teacher").weights_sha256 != ""
        shutil.rmtree(tmp_path / "student")
        return student.environment["notes"][len(data.notes) :]

    train("mlp", small, epochs=1, batch_size=50, options={"hidden": 16}, out=tmp_path / "teacher")
    assert notes_of(small) == []
    assert "some of the validation digits" in notes_of(small, seed=1)[0]
    assert notes_of(small, validation=0) == []
    assert "which may contain digits of mnist-5k" in notes_of(mnist_5k)[0]


def test_a_teacher_and_its_weight_go_together(small: Dataset) -> None:
    with pytest.raises(UsageError, match="--teacher RUN --distill"):
        train("mlp", small, distill=0.5, epochs=1)
    with pytest.raises(UsageError, match="cross-entropy, not mse"):
        train("mlp", small, loss="mse", outliers=0.1, epochs=1)


def test_bfloat16_learns_too(mnist_5k: Dataset) -> None:
    run = train("cnn", mnist_5k, epochs=2, batch_size=64, precision="bfloat16", augment="none", ema=0.0)
    assert run.metrics["test_acc"] > 0.9
    assert all(tensor.dtype != torch.bfloat16 for tensor in run.model.state_dict().values())
    assert np.isfinite(run.history[-1].test_ce)
