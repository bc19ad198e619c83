"""The networks, one file and one paper each; importing this package fills the registry."""

# isort: off  (the order in which the report lists them)
from inkdigits.models import autoencoder, cnn, densenet, lenet5, lstm, mlp, resnet
from inkdigits.models.registry import ModelSpec, create_model, list_models, model_spec, register_model

# isort: on

__all__ = [
    "ModelSpec",
    "autoencoder",
    "cnn",
    "create_model",
    "densenet",
    "lenet5",
    "list_models",
    "lstm",
    "mlp",
    "model_spec",
    "register_model",
    "resnet",
]
