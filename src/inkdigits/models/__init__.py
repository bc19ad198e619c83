"""The networks, one file and one paper each. Importing this package imports every file, which fills the registry."""

import pkgutil
from importlib import import_module

from inkdigits.models.registry import ModelSpec, create_model, list_models, model_spec, register_model

# The comparison lists these first, in this order, which the colours of its figures follow; other files come by name.
FIRST = ("mlp", "cnn", "allcnn", "lenet5", "resnet", "densenet", "lstm", "autoencoder", "gnn", "views")
NOT_IMPORTED = {"pyg"}  # holds no network, and PyTorch Geometric takes seconds to import

_files = {module.name for module in pkgutil.iter_modules(__path__)} - NOT_IMPORTED
for _name in sorted(_files, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name)):
    import_module(f"{__name__}.{_name}")

__all__ = ["ModelSpec", "create_model", "list_models", "model_spec", "register_model"]
