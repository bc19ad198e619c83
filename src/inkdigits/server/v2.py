"""The Open Inference Protocol, version 2, with the extension for binary tensors: batches of digits through the network.

https://github.com/kserve/open-inference-protocol, and "Binary Tensor Data Extension" of Triton Inference Server. The
model has one input, ``images``: UINT8, or FP32 in [0, 1], of shape [-1, 28, 28] or [-1, 1, 28, 28], ink bright on dark
as in MNIST.
"""

import contextlib
from collections.abc import Iterator
from itertools import chain
from typing import Annotated, Any, Literal

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from inkdigits.imaging.normalize import SIZE
from inkdigits.reader import Reader
from inkdigits.reader.recognizer import Outputs, Recognizer
from inkdigits.reader.refusal import AMBIGUOUS, BLANK, NOT_A_DIGIT
from inkdigits.server.problems import ProblemError
from inkdigits.server.schemas import Count
from inkdigits.server.settings import MAX_BATCH
from inkdigits.server.uploads import parse_json

SERVER = {"name": "inkdigits", "extensions": ["binary_tensor_data"]}
MODEL = "digits"  # name of the only model
INPUT = "images"
TYPES: dict[str, Any] = {"UINT8": np.dtype(np.uint8), "FP32": np.dtype("<f4")}
OUTPUTS: dict[str, tuple[str, list[int]]] = {  # datatype and shape of each
    "logits": ("FP32", [-1, 10]),
    "probabilities": ("FP32", [-1, 10]),
    "refusal": ("FP32", [-1]),
    "reject": ("UINT8", [-1]),
}
REJECTS = (None, BLANK, NOT_A_DIGIT, AMBIGUOUS)  # by value of the output ``reject``: the model's refusal policy
HEADER_LENGTH = "inference-header-content-length"


class TensorParameters(BaseModel):
    """The supported parameters of a tensor."""

    binary_data_size: Count | None = None
    binary_data: bool | None = None


def _shape_schema(*sides: int) -> dict[str, Any]:
    """Return the JSON Schema of the shape [N, *sides]."""
    items = [{"type": "integer", "minimum": 0, "maximum": MAX_BATCH}, *({"const": side} for side in sides)]
    return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}


def _data_schema(number: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON Schema of pixels: a flat list of numbers, or one that is nested as the shape says."""

    def nested(*sides: int) -> dict[str, Any]:
        if not sides:
            return number
        return {"type": "array", "items": nested(*sides[1:]), "minItems": sides[0], "maxItems": sides[0]}

    lists = ({"type": "array", "items": nested(*sides)} for sides in ((), (SIZE, SIZE), (1, SIZE, SIZE)))
    return {"anyOf": list(lists)}


SHAPES = {"anyOf": [_shape_schema(SIZE, SIZE), _shape_schema(1, SIZE, SIZE)]}
PIXELS = {  # of each datatype
    "UINT8": {"type": "integer", "minimum": 0, "maximum": 255},
    "FP32": {"type": "number", "minimum": 0, "maximum": 1},
}
NOT_BINARY = {"properties": {"binary_data_size": {"type": "null"}}}
ALL_JSON: list[Any] = [  # an input tensor in a body that is all JSON
    {
        "properties": {"datatype": {"const": datatype}, "data": _data_schema(number), "parameters": NOT_BINARY},
        "required": ["data"],
    }
    for datatype, number in PIXELS.items()
]


class InputTensor(BaseModel):
    """A batch of digits. The numbers must fill the shape. In binary they follow the JSON, and there is no ``data``."""

    model_config = ConfigDict(json_schema_extra={"oneOf": ALL_JSON})

    name: Literal["images"]
    shape: Annotated[
        list[Count],
        Field(min_length=3, max_length=4, description="[N, 28, 28] or [N, 1, 28, 28]."),
        WithJsonSchema(SHAPES),
    ]
    datatype: Literal["UINT8", "FP32"]
    parameters: TensorParameters = TensorParameters()
    data: Annotated[
        list[Any] | None, Field(description="Numbers, flat or nested; null when they follow in binary.")
    ] = None


class RequestedOutput(BaseModel):
    """An output that the response must contain."""

    name: Literal["logits", "probabilities", "refusal", "reject"]
    parameters: TensorParameters = TensorParameters()


class RequestParameters(BaseModel):
    """The supported parameters of a request."""

    binary_data_output: bool | None = None


class InferRequest(BaseModel):
    """A request for inference."""

    id: str | None = None
    parameters: RequestParameters = RequestParameters()
    inputs: Annotated[list[InputTensor], Field(min_length=1, max_length=1)]
    outputs: Annotated[list[RequestedOutput], Field(max_length=len(OUTPUTS))] = []


class OutputTensor(BaseModel):
    """An output of the network. Its data is a flat list, or follows the JSON in binary."""

    name: str
    datatype: str
    shape: list[int]
    data: list[float] | None = None
    parameters: TensorParameters | None = None


class InferResponse(BaseModel):
    """The result of an inference."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[OutputTensor]


class TensorFacts(BaseModel):
    """Name, type and shape of a tensor."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(BaseModel):
    """The inputs and outputs of a model."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorFacts]
    outputs: list[TensorFacts]


class ServerMetadata(BaseModel):
    """Name and version of the server, and the protocol extensions that it supports."""

    name: str
    version: str
    extensions: list[str]


class Ready(BaseModel):
    """Whether a model accepts requests."""

    name: str
    ready: bool


def version_of(reader: Reader) -> str:
    """Return the first 8 characters of the hash of the model's weights or of its run; "1" when the card has neither."""
    card = reader.recognizer.card
    return str(card.get("weights_sha256") or card.get("run_sha256") or "1")[:8]


def metadata(version: str) -> dict[str, Any]:
    """Return the metadata of the model: names, types and shapes of its inputs and outputs."""
    return {
        "name": MODEL,
        "versions": [version],
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": INPUT, "datatype": "UINT8", "shape": [-1, SIZE, SIZE]}],
        "outputs": [{"name": name, "datatype": kind, "shape": shape} for name, (kind, shape) in OUTPUTS.items()],
    }


def infer(recognizer: Recognizer, version: str, header_length: int | None, body: bytes) -> tuple[bytes, int | None]:
    """Return the body of the response, and the length of its JSON if binary tensors follow it.

    Parameters
    ----------
    version
        Version of the model, for the response.
    header_length
        Length of the JSON in the request's body; None when all of the body is JSON.

    Raises
    ------
    ProblemError
        400 when the request is broken, 413 when the batch is too large, 422 when a field is invalid.
    """
    split = _split(body, header_length)
    try:
        request = parse_json(body[:split], InferRequest)
    except ProblemError as problem:
        if header_length is None or problem.status != 400:
            raise
        raise ProblemError(400, f"of the length in Inference-Header-Content-Length, {problem.detail}") from None
    images = _images(request.inputs[0], memoryview(body)[split:])
    answers = recognizer.run(images)
    outputs: list[dict[str, Any]] = []
    tail: list[bytes] = []
    for name, binary in _requested_outputs(request):
        values = _rejects(recognizer, answers, images) if name == "reject" else getattr(answers, name)
        kind = OUTPUTS[name][0]
        output: dict[str, Any] = {"name": name, "datatype": kind, "shape": list(values.shape)}
        if binary:
            tail.append(values.astype(TYPES[kind], copy=False).tobytes())
            output["parameters"] = {"binary_data_size": len(tail[-1])}
        else:
            output["data"] = np.ascontiguousarray(values).ravel()
        outputs.append(output)
    response: dict[str, Any] = {"model_name": MODEL, "model_version": version, "outputs": outputs}
    if request.id is not None:
        response["id"] = request.id
    head = orjson.dumps(response, option=orjson.OPT_SERIALIZE_NUMPY)
    return (b"".join([head, *tail]), len(head)) if tail else (head, None)


def _rejects(recognizer: Recognizer, answers: Outputs, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return for each image the index in :data:`REJECTS` of the reason of its refusal, 0 if it is accepted."""
    reasons = recognizer.policy.decide(answers.probabilities, answers.logits, np.asarray(images.any((1, 2)), np.bool_))
    return np.array([REJECTS.index(reason) for reason in reasons], np.uint8)


def _requested_outputs(request: InferRequest) -> Iterator[tuple[str, bool]]:
    """Yield the name of each requested output, all by default, and whether it is sent in binary."""
    default = bool(request.parameters.binary_data_output)
    for output in request.outputs or [RequestedOutput.model_construct(name=name) for name in OUTPUTS]:
        binary = output.parameters.binary_data
        yield output.name, default if binary is None else binary


def _split(body: bytes, header_length: int | None) -> int:
    """Return the length of the JSON at the beginning of the body."""
    if header_length is None:
        return len(body)
    if header_length > len(body):
        raise ProblemError(400, "Inference-Header-Content-Length is not the length of the JSON in this body")
    return header_length


def _images(tensor: InputTensor, tail: memoryview) -> NDArray[np.uint8]:
    """Return a tensor as uint8 (N, 28, 28)."""
    count = tensor.shape[0]
    if tensor.shape[1:] not in ([SIZE, SIZE], [1, SIZE, SIZE]):
        detail = f"inputs.0.shape: it must be [N, {SIZE}, {SIZE}] or [N, 1, {SIZE}, {SIZE}], not {tensor.shape}"
        raise ProblemError(422, detail)
    if count > MAX_BATCH:
        raise ProblemError(413, f"the batch has {count} digits, more than {MAX_BATCH:,}; split it")
    values = _numbers(tensor, tail)
    if values.size != count * SIZE * SIZE:
        raise ProblemError(422, f"inputs.0.data: {values.size} numbers do not fill the shape {tensor.shape}")
    if tensor.datatype == "FP32":
        if not bool(((values >= 0) & (values <= 1)).all()):  # refuses NaN too
            raise ProblemError(422, "inputs.0.data: FP32 pixels must be from 0 to 1, ink bright")
        values = np.rint(values * 255)
    return values.astype(np.uint8, copy=False).reshape(count, SIZE, SIZE)


def _numbers(tensor: InputTensor, tail: memoryview) -> NDArray[Any]:
    """Return the flat numbers of a tensor, from its JSON or from the bytes behind the JSON."""
    size = tensor.parameters.binary_data_size
    if size is None:
        if tensor.data is None:
            raise ProblemError(422, "inputs.0: it has neither data nor parameters.binary_data_size")
        if len(tail):
            raise ProblemError(400, "bytes follow the JSON, but inputs.0.parameters has no binary_data_size")
        return _from_json(tensor.data, tensor.datatype)
    if tensor.data is not None:
        raise ProblemError(422, "inputs.0: it has both data and parameters.binary_data_size")
    kind = TYPES[tensor.datatype]
    if size != len(tail) or size % kind.itemsize:
        detail = f"{len(tail)} bytes follow the JSON, not the {size} of inputs.0.parameters.binary_data_size"
        raise ProblemError(400, detail)
    return np.frombuffer(tail, kind)


def _from_json(data: Any, datatype: str) -> NDArray[Any]:
    """Return the numbers of nested lists as a flat array."""
    depth, kinds = 0, {type(data)}
    while kinds == {list} and depth < 5:
        data = data if depth == 0 else list(chain.from_iterable(data))
        kinds = set(map(type, data))
        depth += 1
    if not depth or not kinds <= {int, float}:
        raise ProblemError(422, "inputs.0.data: it is not a list of numbers, or is nested unevenly")
    if datatype == "FP32" or float in kinds:
        values = np.array(data, np.float64)
        if datatype == "FP32":
            return values
        if bool(((values >= 0) & (values <= 255) & (values == np.rint(values))).all()):
            return values.astype(np.uint8)
    else:
        with contextlib.suppress(ValueError):
            return np.frombuffer(bytes(data), np.uint8)  # 5 times as fast as NumPy on lists, and strict
    raise ProblemError(422, "inputs.0.data: UINT8 pixels must be whole numbers from 0 to 255")
