"""The networks, one file and one paper each; importing this package fills the registry."""

from inkdigits.models.registry import ModelSpec, create_model, list_models, model_spec, register_model

# isort: off
# the order in which the comparison lists them
from inkdigits.models import mlp, cnn, allcnn, lenet5, resnet, densenet, lstm, autoencoder, gnn, views, ensemble
# isort: on

__all__ = [
    "ModelSpec",
    "allcnn",
    "autoencoder",
    "cnn",
    "create_model",
    "densenet",
    "ensemble",
    "gnn",
    "lenet5",
    "list_models",
    "lstm",
    "mlp",
    "model_spec",
    "register_model",
    "resnet",
    "views",
]
