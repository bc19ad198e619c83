"""The Open Inference Protocol: NVIDIA's client against a real server."""

import json
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from inkdigits.data import Dataset
from inkdigits.reader import Recognizer
from inkdigits.server import v2

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of gevent and others, on import
    from tritonclient import http as triton
    from tritonclient.utils import InferenceServerException

URL = "/v2/models/digits/infer"


@pytest.fixture
def client(served: Any) -> Iterator[Any]:
    opened = triton.InferenceServerClient(f"127.0.0.1:{served.port}")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def images(mnist_5k: Dataset) -> np.ndarray:
    return mnist_5k.test.images[:16]


def input_tensor(images: np.ndarray, kind: str, binary: bool) -> Any:
    tensor = triton.InferInput("images", list(images.shape), kind)
    tensor.set_data_from_numpy(images, binary_data=binary)
    return tensor


def test_the_client_finds_the_server_alive_and_the_model_ready(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("digits")
    assert not client.is_model_ready("letters")
    assert client.get_server_metadata()["name"] == "inkdigits"
    facts = client.get_model_metadata("digits")
    assert facts["inputs"] == [{"name": "images", "datatype": "UINT8", "shape": [-1, 28, 28]}]
    assert client.is_model_ready("digits", facts["versions"][0])
    assert not client.is_model_ready("digits", "0")


@pytest.mark.parametrize("kind", ["UINT8", "FP32"])
@pytest.mark.parametrize("sent_binary", [True, False])
@pytest.mark.parametrize("got_binary", [True, False])
def test_infer_answers_as_the_recognizer(
    client: Any, images: np.ndarray, kind: str, sent_binary: bool, got_binary: bool
) -> None:
    pixels = images if kind == "UINT8" else (images / 255).astype(np.float32)
    names = ("logits", "probabilities", "refusal", "reject")
    wanted = [triton.InferRequestedOutput(name, binary_data=got_binary) for name in names]
    answer = client.infer("digits", [input_tensor(pixels, kind, sent_binary)], outputs=wanted, request_id="r-1")
    expected = Recognizer(threads=1).run(images)
    assert answer.get_response()["id"] == "r-1"
    for name in names[:3]:
        np.testing.assert_array_equal(answer.as_numpy(name), getattr(expected, name))
    verdicts = [prediction.reject for prediction in Recognizer(threads=1).predict(images)]
    assert [v2.REJECTS[code] for code in answer.as_numpy("reject")] == verdicts


def test_all_outputs_are_returned_by_default(client: Any, images: np.ndarray) -> None:
    answer = client.infer("digits", [input_tensor(images, "UINT8", True)])
    assert answer.as_numpy("probabilities").shape == (16, 10)
    assert answer.as_numpy("refusal").shape == (16,)


def test_blank_and_noise_are_refused_as_the_recognizer_refuses_them(client: Any, images: np.ndarray) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1, 28, 28), np.uint8)
    batch = np.concatenate([np.zeros((1, 28, 28), np.uint8), noise, images[:1]])
    answer = client.infer("digits", [input_tensor(batch, "UINT8", True)])
    assert [v2.REJECTS[code] for code in answer.as_numpy("reject")] == ["blank", "not_a_digit", None]


def test_a_batch_may_be_empty(client: Any) -> None:
    answer = client.infer("digits", [input_tensor(np.zeros((0, 28, 28), np.uint8), "UINT8", False)])
    assert answer.as_numpy("logits").shape == (0, 10)


def test_the_client_sees_the_error(client: Any, images: np.ndarray) -> None:
    with pytest.raises(InferenceServerException, match=r"it must be \[N, 28, 28\] or \[N, 1, 28, 28\]"):
        client.infer("digits", [input_tensor(images[:, :20].copy(), "UINT8", True)])
    with pytest.raises(InferenceServerException, match="from 0 to 1"):
        client.infer("digits", [input_tensor(images.astype(np.float32), "FP32", True)])
    with pytest.raises(InferenceServerException, match="no model of that name"):
        client.infer("letters", [input_tensor(images, "UINT8", True)])


def request(**changed: Any) -> dict[str, Any]:
    tensor = {"name": "images", "shape": [1, 28, 28], "datatype": "UINT8", "data": [0] * 784}
    return {"inputs": [{**tensor, **changed}]}


def test_nested_and_flat_data_give_the_same_answer(served: Any, images: np.ndarray) -> None:
    shape = list(images.shape)
    flat, nested, whole = (
        served.client.post(URL, json=request(shape=shape, data=data)).json()["outputs"]
        for data in (images.ravel().tolist(), images.tolist(), images.astype(float).tolist())
    )
    assert flat == nested == whole


@pytest.mark.parametrize(
    ("status", "changed"),
    [
        (422, {"data": [0] * 783}),
        (422, {"data": [256] * 784}),
        (422, {"data": [-1] * 784}),
        (422, {"data": [0.5] * 784}),
        (422, {"data": [True] * 784}),
        (422, {"data": ["0"] * 784}),
        (422, {"data": [[0] * 783, 0]}),
        (422, {"data": 0}),
        (422, {"data": None}),
        (422, {"data": [10**30] * 784, "datatype": "FP32"}),
        (422, {"datatype": "INT64"}),
        (422, {"name": "pictures"}),
        (422, {"shape": [1, 784]}),
        (422, {"shape": [-1, 28, 28]}),
        (413, {"shape": [5000, 28, 28]}),
        (422, {"parameters": {"binary_data_size": 784}}),
    ],
)
def test_an_invalid_tensor_is_refused(served: Any, status: int, changed: dict[str, Any]) -> None:
    answer = served.client.post(URL, json=request(**changed))
    assert answer.status_code == status
    assert answer.json()["error"] == answer.json()["detail"]


@pytest.mark.parametrize(("length", "size", "tail"), [(-10, 784, 784), (10_000, 784, 784), (0, 784, 700), (0, 10, 784)])
def test_a_binary_tensor_must_have_the_stated_length(served: Any, length: int, size: int, tail: int) -> None:
    binary = request(parameters={"binary_data_size": size})
    del binary["inputs"][0]["data"]
    head = json.dumps(binary).encode()
    headers = {"inference-header-content-length": str(len(head) + length)}
    answer = served.client.post(URL, content=head + bytes(tail), headers=headers)
    assert answer.status_code == 400


def test_an_invalid_header_length_is_422(served: Any) -> None:
    for value in ("x", "-1", "1.5"):
        answer = served.client.post(URL, json=request(), headers={"inference-header-content-length": value})
        assert answer.status_code == 422


def test_a_batch_may_have_a_channel(served: Any, images: np.ndarray) -> None:
    with_channel, plain = (
        served.client.post(URL, json=request(shape=list(pixels.shape), data=pixels.tolist())).json()["outputs"]
        for pixels in (images[:, None], images)
    )
    assert with_channel == plain
