"""An exported ONNX file as a network that can be trained again.

The export folds each batch norm into its convolution. The network gets that convolution, with a batch norm that only
adds the bias. Options are read from the shapes of the weights, so that any size of the two exported networks is taken.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from inkdigits.errors import ModelError
from inkdigits.files import from_json, read_bytes
from inkdigits.models import create_model
from inkdigits.reader.recognizer import METADATA
from inkdigits.training import Run
from inkdigits.training.recipe import Recipe

PREFIX = "model."  # of the names of weights in the file
LAST_OF_STAGE = 5  # side of the kernel that ends a stage of All-CNN; the others of the stage are 3x3
FIRST_ALONG_LINE = 9  # index in the body of the line reader of the first convolution along the line
EXPOSED = 0.15  # outliers of each batch, per digit, of a network that has learned from outliers

Arrays = Mapping[str, NDArray[Any]]


def load_onnx(path: Path) -> Run:
    """Return the network of an ONNX file of ``inkdigits export``, with the facts of its card as a run without folder.

    Raises
    ------
    ModelError
        When the file cannot be read, is no such file, has integers of 8 bits, or holds another network than
        ``allcnn`` or ``line-ctc``.
    """
    try:
        proto = onnx.load_model_from_string(read_bytes(path))
        card = from_json({entry.key: entry.value for entry in proto.metadata_props}[METADATA], dict[str, Any])
        name, weights = str(card["model"]), _weights(proto)
        options = {"allcnn": _allcnn_options, "line-ctc": _line_options}[name](proto, weights)
        model = create_model(name, **options)
        _load(model, weights)
    except OSError as error:
        raise ModelError(f"cannot read the model {path}: {error.strerror or error}") from error
    except KeyError as error:
        raise ModelError(f"{path} lacks {error}; fine-tuning takes a float file of allcnn or line-ctc") from error
    except Exception as error:  # onnx raises protobuf's own exceptions for a file that is none of its own
        raise ModelError(f"{path} is no ONNX file that inkdigits export wrote ({type(error).__name__})") from error
    exposed = bool(card.get("refusal", {}).get("outlier_exposure"))
    settings = {
        "model": name,
        "options": options,
        "recipe": Recipe(outliers=EXPOSED if exposed else 0.0).to_dict(),
        "seed": 0,
        "data": card.get("data", {}),
    }
    return Run(model.eval(), settings, [], {}, {}, None, str(card.get("run_sha256", "")))


def _weights(proto: onnx.ModelProto) -> dict[str, NDArray[Any]]:
    """Return the constants of a file by name, those that a Cast makes of others among them."""
    found = {weight.name: onnx.numpy_helper.to_array(weight) for weight in proto.graph.initializer}
    for node in proto.graph.node:
        if node.op_type == "Cast" and node.input[0] in found:
            found[node.output[0]] = found[node.input[0]].astype(np.float32)
    return found


def _allcnn_options(proto: onnx.ModelProto, weights: Arrays) -> dict[str, Any]:
    """Return the options of All-CNN from the shapes of its convolutions."""
    kernels = _shapes(weights, r"body\.(\d+)\.weight")
    stages: list[list[int]] = [[]]
    for outputs, _, side, _ in kernels[:-1]:
        stages[-1].append(outputs)
        if side == LAST_OF_STAGE:
            stages.append([])
    return {"stages": stages[:-1], "features": kernels[-1][0], "dropout": 0.0}


def _line_options(proto: onnx.ModelProto, weights: Arrays) -> dict[str, Any]:
    """Return the options of the line reader from the shapes of its convolutions, and the dilations from the graph."""
    kernels = _shapes(weights, r"body\.(\d+)\.0\.weight")  # those that are no residual block
    dilations = []
    for index in range(FIRST_ALONG_LINE, FIRST_ALONG_LINE + len(weights)):
        first = f"{PREFIX}body.{index}.body.0.weight"
        for node in proto.graph.node:
            if node.op_type == "Conv" and node.input[1] == first:
                given = [attribute.ints for attribute in node.attribute if attribute.name == "dilations"]
                dilations.append(int(given[0][1]) if given else 1)
    *channels, features = [kernel[0] for kernel in kernels]
    return {"channels": channels, "features": features, "dilations": dilations, "dropout": 0.1}


def _shapes(weights: Arrays, pattern: str) -> list[tuple[int, ...]]:
    """Return the shapes of the weights whose names match, in order of the number in the name; KeyError for none."""
    found = [(re.fullmatch(re.escape(PREFIX) + pattern, name), array) for name, array in weights.items()]
    ordered = sorted((int(match[1]), array.shape) for match, array in found if match)
    if not ordered:
        raise KeyError("weights")
    return [shape for _, shape in ordered]


def _load(model: nn.Module, weights: Arrays) -> None:
    """Put the weights into a network; each batch norm becomes the bias of the convolution before it.

    Raises
    ------
    KeyError
        When a weight is missing.
    """
    state = {}
    for name, value in model.state_dict().items():
        if f"{PREFIX}{name}" in weights:
            state[name] = torch.tensor(weights[f"{PREFIX}{name}"])
            if state[name].shape != value.shape:
                raise KeyError(name)
    for name, norm in model.named_modules():
        if isinstance(norm, nn.BatchNorm2d):
            before, _, index = name.rpartition(".")
            bias = weights[f"{PREFIX}{before}.{int(index) - 1}.weight_bias"]
            state |= {
                f"{name}.weight": torch.ones(len(bias)),
                f"{name}.bias": torch.tensor(bias),
                f"{name}.running_mean": torch.zeros(len(bias)),
                f"{name}.running_var": torch.full((len(bias),), 1 - norm.eps),
                f"{name}.num_batches_tracked": torch.tensor(1),
            }
    for name in model.state_dict().keys() - state.keys():
        raise KeyError(name)
    model.load_state_dict(state)
