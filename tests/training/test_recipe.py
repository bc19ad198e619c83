import pytest

from inkdigits.errors import UsageError
from inkdigits.training.recipe import Recipe, recipe_for


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"epochs": 0}, "epochs must be at least 1, not 0"),
        ({"lr": -0.1}, "lr must be above 0"),
        ({"lr": float("nan")}, "lr must be above 0"),
        ({"batch_size": 1}, "batch-size must be at least 2"),
        ({"ema": 1.0}, "ema must be from 0 to below 1"),
        ({"loss": "mes"}, "did you mean 'mse'"),
        ({"optimizer": "adamx"}, "did you mean 'adamw'|did you mean 'adam'"),
        ({"schedule": "one_cycle"}, "did you mean 'one-cycle'"),
        ({"augment": "geometrical"}, "did you mean 'geometric'"),
        ({"epoch": 3}, "did you mean 'epochs'"),
    ],
)
def test_what_cannot_be_meant_is_refused(settings: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Recipe.from_dict(settings)


def test_a_recipe_survives_its_dictionary() -> None:
    recipe = Recipe(epochs=3, loss="mse", augment="geometric")
    assert Recipe.from_dict(recipe.to_dict()) == recipe


def test_overrides_replace_the_preset_and_none_does_not() -> None:
    recipe, options = recipe_for("mlp", "best", {"epochs": 2, "lr": None})
    assert recipe.epochs == 2
    assert recipe.augment == "geometric"
    assert recipe.lr == recipe_for("mlp", "best")[0].lr
    assert options["hidden"] == 1024


def test_an_unknown_preset_is_named() -> None:
    with pytest.raises(UsageError, match="preset of lenet5 'best'"):
        recipe_for("lenet5", "best")
