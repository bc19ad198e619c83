"""The network that reads lines, and the registry's task."""

import pytest
import torch
from torch import nn

from inkdigits.errors import UsageError
from inkdigits.evaluation.metrics import count_parameters, count_strip_macs
from inkdigits.models import create_model, list_models, model_spec, register_model
from inkdigits.models.line_ctc import PAD, STRIDE, LineCTC
from inkdigits.models.registry import DIGIT, LINE, MODELS, require_digits
from inkdigits.synthetic.line_text import CHARACTERS
from inkdigits.training.line_task import require_line_recipe
from inkdigits.training.recipe import recipe_for

SMALL = {"channels": [8, 8, 8], "features": 12, "dilations": [1]}


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def test_a_task_has_its_own_networks() -> None:
    assert list_models(LINE) == ["line-ctc"]
    assert "line-ctc" not in list_models()
    assert list_models() == list_models(DIGIT)
    assert model_spec("line-ctc").task == LINE
    assert {model_spec(name).task for name in list_models()} == {DIGIT}


def test_a_line_network_is_refused_where_digits_are_read() -> None:
    require_digits("cnn", "`evaluate` measures")
    with pytest.raises(UsageError, match=r"^line-ctc reads lines; `evaluate` measures networks that read digits$"):
        require_digits("line-ctc", "`evaluate` measures")


def test_a_task_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UsageError, match="there is no task 'lines'; did you mean 'line'"):
        register_model("outside", nn.Identity, paper="", recipes={"standard": {}}, task="lines")
    assert "outside" not in MODELS


def test_a_line_network_from_elsewhere_need_not_return_ten_logits() -> None:
    register_model("outside", lambda: nn.Flatten(2), paper="", recipes={"standard": {}}, task=LINE)
    try:
        assert list_models(LINE) == ["line-ctc", "outside"]
        assert create_model("outside")(torch.zeros(1, 1, 40, 80)).shape == (1, 1, 3200)
    finally:
        MODELS.remove("outside")


@pytest.mark.parametrize("width", [8, 9, 40, 61, 200])
@pytest.mark.parametrize("options", [{}, SMALL])
def test_strips_become_steps(width: int, options: dict[str, object]) -> None:
    """One step for every four pixels, with eight pixels of paper at each end."""
    logits, edges = create_model("line-ctc", **options).eval()(torch.rand(3, 1, 40, width))
    steps = -(-(width + 2 * PAD) // STRIDE)
    assert logits.shape == (3, steps, 1 + len(CHARACTERS))
    assert edges.shape == (3, steps, 4)
    assert logits.dtype == edges.dtype == torch.float32


def test_step_t_stands_at_pixel_4t_minus_6() -> None:
    """A change of one pixel changes the steps around it alike: the middle of those is where it stands."""
    model = create_model("line-ctc", dropout=0.0, **SMALL).eval().double()
    blank = torch.zeros(1, 1, 40, 400, dtype=torch.float64)
    before = model(blank)[0]
    for pixel in (150, 201):
        marked = blank.clone()
        marked[..., pixel] = 1
        changed = (model(marked)[0] - before).abs().sum(2)[0].nonzero()[:, 0]
        assert 4 * changed.double().mean().item() - PAD + STRIDE / 2 == pytest.approx(pixel, abs=STRIDE)
        assert len(changed) < 30  # it sees a part of the line only


def test_lines_of_a_batch_do_not_influence_each_other() -> None:
    model, strips = create_model("line-ctc", **SMALL).eval(), torch.rand(4, 1, 40, 100)
    together = model(strips)
    for place in range(4):
        for one, all_of_them in zip(model(strips[place : place + 1]), together, strict=True):
            assert torch.allclose(one[0], all_of_them[place], atol=1e-5)


def test_gradients_reach_every_parameter() -> None:
    model = create_model("line-ctc")
    logits, edges = model(torch.rand(2, 1, 40, 80))
    (logits.square().mean() + edges.square().mean()).backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.abs().sum() > 0, key


def test_its_recipes_are_those_of_lines_and_build_it() -> None:
    spec = model_spec("line-ctc")
    assert "2006" in spec.paper
    assert {"fast", "standard"} <= set(spec.recipes)
    for preset in spec.recipes:
        recipe, options = recipe_for("line-ctc", preset)
        require_line_recipe("line-ctc", recipe)
        assert isinstance(create_model("line-ctc", **options), LineCTC)


def test_parameters_and_macs_are_those_counted_by_hand() -> None:
    model = create_model("line-ctc", **SMALL)
    plain, residual = 8 * 8 * 9, 2 * 8 * 8 * 9
    weights = 8 * 25 + plain + plain + 5 * residual + 12 * 8 * 15 + 12 * 12 * 5 + 12 * 12
    norms = 2 * (8 + 8 + 8 + 10 * 8 + 12 + 2 * 12)
    heads = 12 * 17 + 17 + 12 * 4 + 4
    assert count_parameters(model) == weights + norms + heads
    half, steps = (200 + 16) // 2, (200 + 16) // 4
    macs = 20 * half * (8 * 25 + residual) + 10 * steps * (plain + 2 * residual) + 5 * steps * (plain + 2 * residual)
    macs += steps * (12 * 8 * 15 + 12 * 12 * 5 + 12 * 12 + 12 * 17 + 12 * 4)
    assert count_strip_macs(model) == macs
