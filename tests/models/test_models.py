"""One body for every registered network, and what the registry checks of networks from elsewhere."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from inkdigits.data import Dataset
from inkdigits.errors import ModelError, PluginError, UsageError
from inkdigits.evaluation.metrics import count_macs, count_parameters
from inkdigits.models import create_model, list_models, model_spec, register_model
from inkdigits.models.registry import MODELS, resolve_options
from inkdigits.training.inference import to_input
from inkdigits.training.recipe import recipe_for

ALL = list_models()


@pytest.fixture
def batch(small: Dataset) -> tuple[Tensor, Tensor]:
    return to_input(torch.tensor(small.train.images[:32])), torch.tensor(small.train.labels[:32])


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def test_the_comparison_lists_its_networks_first_and_new_files_after_them() -> None:
    assert ALL[:11] == [
        "mlp",
        "cnn",
        "allcnn",
        "lenet5",
        "resnet",
        "densenet",
        "lstm",
        "autoencoder",
        "gnn",
        "gnn-attention",
        "views",
    ]


@pytest.mark.parametrize("name", ALL)
def test_images_become_logits_with_a_finite_loss(name: str, batch: tuple[Tensor, Tensor]) -> None:
    images, labels = batch
    model, spec = create_model(name), model_spec(name)
    loss, logits = spec.objective(model, images, labels, F.cross_entropy)
    assert logits.shape == (32, 10)
    assert logits.dtype == torch.float32
    assert loss.isfinite()
    assert not torch.allclose(logits.sum(1), torch.ones(32), atol=1e-3)  # logits, not softmax


@pytest.mark.parametrize("name", ALL)
def test_gradients_reach_every_parameter(name: str, batch: tuple[Tensor, Tensor]) -> None:
    model = create_model(name)
    loss, _ = model_spec(name).objective(model, *batch, F.cross_entropy)
    loss.backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.abs().sum() > 0, key


@pytest.mark.parametrize("name", ALL)
def test_saved_weights_give_the_same_logits(name: str, batch: tuple[Tensor, Tensor], tmp_path: Path) -> None:
    model, other = create_model(name).eval(), create_model(name).eval()
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, tmp_path / "w.safetensors")
    assert not torch.equal(model(batch[0]), other(batch[0]))
    other.load_state_dict(load_file(tmp_path / "w.safetensors"))
    assert torch.equal(model(batch[0]), other(batch[0]))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize("name", ALL)
def test_onnx_runtime_gives_the_same_logits(name: str, batch: tuple[Tensor, Tensor], tmp_path: Path) -> None:
    model, path = create_model(name).eval(), tmp_path / "m.onnx"
    shapes = ({0: torch.export.Dim("batch")},)
    torch.onnx.export(
        model, (batch[0],), path, input_names=["images"], dynamic_shapes=shapes, dynamo=True, verbose=False
    )
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    blank = torch.zeros(1, 1, 28, 28)
    for images in (batch[0][:1], batch[0][:7], batch[0], blank, torch.cat([batch[0], blank])):
        with torch.inference_mode():
            expected = model(images).numpy()
        (logits,) = session.run(None, {"images": images.numpy()})
        np.testing.assert_allclose(logits, expected, atol=1e-4)


@pytest.mark.parametrize("name", ALL)
def test_it_can_learn_32_digits_by_heart(name: str, batch: tuple[Tensor, Tensor]) -> None:
    images, labels = batch
    model = create_model(name)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(120):
        loss, _ = model_spec(name).objective(model, images, labels, F.cross_entropy)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if (model.eval()(images).argmax(1) == labels).all():
            break
        model.train()
    assert (model.eval()(images).argmax(1) == labels).all()


@pytest.mark.parametrize("name", ALL)
def test_it_names_its_paper_and_its_recipes_are_valid(name: str) -> None:
    spec = model_spec(name)
    assert any(year in spec.paper for year in map(str, range(1980, 2027)))
    assert {"fast", "standard"} <= set(spec.recipes)
    for preset in spec.recipes:
        _, options = recipe_for(name, preset)
        create_model(name, **options)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mlp", {"activation": "sigmoid"}),
        ("cnn", {"channels": [8, 16], "stem": "strided"}),
        ("lenet5", {"pooling": "average", "activation": "tanh"}),
        ("resnet", {"blocks": 2, "width": 8, "stem_stride": 1}),
        ("densenet", {"growth_rate": 4, "layers": [2, 2, 2]}),
        ("gnn", {"widths": [4, 8], "ink": 0.5}),
        ("lstm", {"hidden": 16, "layers": 2, "bidirectional": True}),
    ],
)
def test_options_build_working_variants(name: str, options: dict[str, object]) -> None:
    assert create_model(name, **options)(torch.rand(3, 1, 28, 28)).shape == (3, 10)


def test_parameters_and_macs_are_those_counted_by_hand() -> None:
    lenet5 = create_model("lenet5")
    assert count_parameters(lenet5) == 156 + 2416 + 48_120 + 10_164 + 850
    assert count_macs(lenet5) == 28 * 28 * 6 * 25 + 10 * 10 * 16 * 150 + 400 * 120 + 120 * 84 + 84 * 10
    lstm = create_model("lstm")
    assert count_macs(lstm) == 28 * 4 * 128 * (28 + 128) + 128 * 10
    resnet = create_model("resnet", blocks=1, width=4, stem_stride=1)
    convolutions = [m for m in resnet.modules() if isinstance(m, nn.Conv2d)]
    assert len([c for c in convolutions if c.kernel_size == (3, 3)]) + 1 == 8  # 6n + 2 layers, n = 1


def test_dense_layers_pass_all_earlier_maps_on() -> None:
    densenet = create_model("densenet")
    layer = next(m for m in densenet.modules() if type(m).__name__ == "DenseLayer").eval()
    x = torch.rand(2, 32, 14, 14)
    assert torch.equal(layer(x)[:, :32], x)
    assert layer(x).shape == (2, 32 + 16, 14, 14)


def test_projection_shortcuts_are_trained() -> None:
    names = [name for name, _ in create_model("resnet").named_parameters() if "shortcut" in name]
    assert len(names) == 2 * 3  # a convolution's weight, a norm's weight and bias, at both changes of shape


def test_mistakes_are_named() -> None:
    with pytest.raises(UsageError, match="did you mean 'resnet'"):
        create_model("restnet")
    with pytest.raises(ModelError, match="unexpected keyword argument 'depth'; its options are: hidden"):
        create_model("mlp", depth=3)
    with pytest.raises(ModelError, match="relu, sigmoid"):
        create_model("mlp", activation="swish")
    with pytest.raises(UsageError, match=r"two models are called 'mlp': inkdigits.models.mlp.MLP and torch.*Identity"):
        register_model("mlp", nn.Identity, paper="", recipes={})
    with pytest.raises(UsageError, match="has the recipes fast, but none called 'standard'"):
        register_model("quick", nn.Identity, paper="", recipes={"fast": {}})
    says = "the recipe 'fast' of the model 'quick': there is no setting 'epoch'; did you mean 'epochs'?"
    with pytest.raises(UsageError, match=re.escape(says)):
        register_model("quick", paper="", recipes={"standard": {"options": {}}, "fast": {"epoch": 1}})
    assert "quick" not in list_models()


@pytest.fixture
def outside() -> Iterator[str]:
    """The name of a network that a test registers; it is taken out of the registry again."""
    yield "outside"
    MODELS.remove("outside")


RECIPES = {"standard": {"epochs": 1}}


class Noise(nn.Module):
    """Draws random numbers, in evaluation too."""

    def forward(self, images: Tensor) -> Tensor:
        return images + torch.rand_like(images)


def test_a_network_from_elsewhere_comes_last_with_its_options(outside: str) -> None:
    @register_model(outside, paper="", recipes=RECIPES)
    def build(width: int = 3, **options: Any) -> nn.Module:
        assert options == {"bias": False}
        return nn.Sequential(nn.Flatten(), nn.Linear(784, width), Noise(), nn.Linear(width, 10, **options))

    assert list_models() == [*ALL, outside]
    assert MODELS.origin(outside) == __name__
    assert MODELS.origin("mlp") == ""
    assert resolve_options(outside, {"bias": False}) == {"width": 3, "bias": False}
    model = create_model(outside, bias=False)
    assert model.training
    torch.manual_seed(0)
    assert torch.equal(build(bias=False)[1].weight, model[1].weight)  # type: ignore[index]
    drawn = torch.rand(1)
    torch.manual_seed(0)
    create_model(outside, bias=False)
    assert torch.equal(torch.rand(1), drawn)  # the check of its logits used up no random number


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 11)), r"returns torch.float32 \(2, 11\) for 2 images"),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 10), nn.Flatten(0)), r"returns torch.float32 \(20,\)"),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 10).double()), "RuntimeError: mat1 and mat2"),
        (lambda: nn.LSTM(28, 10), "fails on images"),
        (lambda: "network", "is built as str, not as a torch.nn.Module"),
    ],
)
def test_a_network_from_elsewhere_must_return_ten_logits(outside: str, build: Any, says: str) -> None:
    register_model(outside, build, paper="", recipes=RECIPES)
    with pytest.raises(PluginError, match=f"the model 'outside' of the plug-in {__name__} .*{says}"):
        create_model(outside)


def test_options_that_json_cannot_write_are_refused_before_training(outside: str) -> None:
    @register_model(outside, paper="", recipes=RECIPES)
    def build(activation: Any = nn.ReLU) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 10), activation())

    with pytest.raises(ModelError, match=r"options of outside are written into model.json, but .* not JSON"):
        create_model(outside)
