from dataclasses import fields

import pytest

from inkdigits.data.augment import AUGMENTATIONS
from inkdigits.errors import UsageError
from inkdigits.models.registry import RECIPE_KEYS
from inkdigits.training.recipe import Recipe, recipe_for

LIMITS = {  # the nearest values that are refused and allowed, at either end
    "epochs": (0, 1, 100_000, 100_001),
    "batch_size": (1, 2, 1_000_000, 1_000_001),
    "lines": (63, 64, 100_000_000, 100_000_001),
    "lr": (0.0, 1e-9, 100.0, 101.0),
    "momentum": (-0.1, 0.0, 0.99, 1.0),
    "beta2": (-0.1, 0.0, 0.99, 1.0),
    "weight_decay": (-0.1, 0.0, 100.0, 101.0),
    "warmup": (-0.1, 0.0, 1.0, 1.1),
    "label_smoothing": (-0.1, 0.0, 0.99, 1.0),
    "distill": (-0.1, 0.0, 1.0, 1.1),
    "outliers": (-0.1, 0.0, 1.0, 1.1),
    "writing_styles": (-0.1, 0.0, 1.0, 1.1),
    "epsilon": (-0.1, 0.0, 1.0, 1.1),
    "attack_steps": (0, 1, 1000, 1001),
    "ema": (-0.1, 0.0, 0.99, 1.0),
}
TEXTS = {"optimizer", "schedule", "loss", "augment", "precision"}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"epochs": 0}, "epochs must be at least 1 and at most 100,000, not 0"),
        ({"lr": -0.1}, "lr must be above 0 and at most 100, not -0.1"),
        ({"lr": float("nan")}, "lr must be above 0"),
        ({"batch_size": 1}, "batch-size must be at least 2"),
        ({"ema": 1.0}, "ema must be at least 0 and below 1, not 1.0"),
        ({"loss": "mes"}, "there is no loss 'mes'; did you mean 'mse'"),
        ({"optimizer": "adamx"}, "did you mean 'adamw'|did you mean 'adam'"),
        ({"schedule": "one_cycle"}, "did you mean 'one-cycle'"),
        ({"augment": "geometrical"}, "there is no augmentation 'geometrical'; did you mean 'geometric'"),
        ({"precision": "float16"}, "did you mean 'bfloat16'"),
        ({"epoch": 3}, "did you mean 'epochs'"),
    ],
)
def test_a_wrong_setting_is_one_line_with_the_allowed_values(settings: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Recipe.from_dict(settings)


@pytest.mark.parametrize("name", LIMITS)
def test_a_number_is_allowed_within_its_limits_only(name: str) -> None:
    too_low, lowest, highest, too_high = LIMITS[name]
    for value in (lowest, highest):
        assert getattr(Recipe(**{name: value}), name) == value
    for value in (too_low, too_high):
        with pytest.raises(UsageError, match=name.replace("_", "-")):
            Recipe(**{name: value})


def test_every_number_has_limits_and_every_text_has_choices() -> None:
    assert {field.name for field in fields(Recipe) if field.type is not str} == set(LIMITS)
    assert {field.name for field in fields(Recipe) if field.type is str} == TEXTS
    for field in fields(Recipe):
        assert field.metadata["help"].endswith(".")
        assert bool(field.metadata["choices"]) == (field.type is str)


def test_the_help_of_a_text_names_its_choices() -> None:
    by_name = {field.name: field.metadata for field in fields(Recipe)}
    own = {name for name, function in AUGMENTATIONS.items() if function.__module__ == "inkdigits.data.augment"}
    assert own <= set(by_name["augment"]["choices"]())
    for name, choices in (("augment", own), *((name, by_name[name]["choices"]) for name in TEXTS - {"augment"})):
        assert all(choice in by_name[name]["help"] for choice in choices)


def test_the_registry_of_models_knows_every_setting() -> None:
    assert set(RECIPE_KEYS) == {field.name for field in fields(Recipe)} | {"options"}


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
