"""Reading over HTTP, and the answers to invalid requests."""

import base64
import io
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
import pytest
from PIL import Image

from inkdigits.imaging.files import page_images
from inkdigits.imaging.normalize import to_mnist
from inkdigits.reader import Reader
from tests.server.conftest import as_png

PNG = {"content-type": "image/png"}


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(threads=1)


def in_base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def test_a_raw_body_a_form_and_json_give_the_same_digit(served: Any, pngs: list[bytes]) -> None:
    raw = served.client.post("/v1/predict", content=pngs[0], headers=PNG)
    form = served.client.post("/v1/predict", files={"image": ("7.png", pngs[0], "image/png")}, data={"more": "x"})
    in_json = served.client.post("/v1/predict", json={"image": in_base64(pngs[0])})
    assert raw.status_code == 200
    assert raw.content == form.content == in_json.content


def test_predict_answers_as_the_recognizer(served: Any, pngs: list[bytes], reader: Reader) -> None:
    for png in pngs[:8]:
        answer = served.client.post("/v1/predict", content=png, headers=PNG).json()
        pixels = next(page_images(png)).pixels
        (prediction,) = reader.recognizer.read_crops([pixels])
        assert {key: answer[key] for key in prediction.to_dict()} == json.loads(json.dumps(prediction.to_dict()))
        assert answer["model"] == reader.recognizer.name
        assert abs(sum(answer["probabilities"]) - 1) < 1e-4
        seen = np.asarray(Image.open(io.BytesIO(base64.b64decode(answer["picture"]))))
        np.testing.assert_array_equal(seen, to_mnist(pixels))


def test_blank_paper_is_rejected(served: Any, blank: bytes) -> None:
    answer = served.client.post("/v1/predict", content=blank, headers=PNG).json()
    assert (answer["digit"], answer["reject"], answer["refusal"]) == (None, "blank", None)
    assert len(answer["probabilities"]) == 10


def test_read_answers_as_the_reader(served: Any, page: bytes, reader: Reader) -> None:
    raw = served.client.post("/v1/read", content=page, headers=PNG)
    assert raw.json() == {"pages": [json.loads(json.dumps(reader.read(page).to_dict()))]}
    assert served.client.post("/v1/read", files={"image": page}).content == raw.content
    assert served.client.post("/v1/read", json={"image": in_base64(page)}).content == raw.content


def test_options_in_the_query_and_in_json_have_the_same_effect(served: Any, page: bytes, reader: Reader) -> None:
    options: dict[str, Any] = {"layout": "line", "length": 5, "check": "luhn", "min_confidence": 0.5}
    query = served.client.post("/v1/read", params=options, content=page, headers=PNG)
    assert query.json() == {"pages": [json.loads(json.dumps(reader.read(page, **options).to_dict()))]}
    in_json = served.client.post("/v1/read", json={"image": in_base64(page), **options})
    assert in_json.content == query.content


def test_all_pages_of_a_document_are_read_in_order(served: Any, page: bytes, blank: bytes) -> None:
    packed = io.BytesIO()
    first, second = Image.open(io.BytesIO(page)), Image.open(io.BytesIO(blank))
    first.save(packed, "PDF", save_all=True, append_images=[second])
    answer = served.client.post("/v1/read", content=packed.getvalue(), headers={"content-type": "application/pdf"})
    pages = answer.json()["pages"]
    assert [one["page"] for one in pages] == [0, 1]
    assert [len(one["lines"]) for one in pages] == [1, 0]


def test_64_parallel_requests_answer_bit_for_bit_as_one_by_one(served: Any, pngs: list[bytes]) -> None:
    def ask(png: bytes) -> bytes:
        return bytes(served.client.post("/v1/predict", content=png, headers=PNG).content)

    alone = [ask(png) for png in pngs]
    with ThreadPoolExecutor(64) as together:
        assert list(together.map(ask, pngs)) == alone


@pytest.fixture(scope="module")
def blank() -> bytes:
    packed = io.BytesIO()
    Image.new("L", (120, 90), 255).save(packed, "PNG")
    return packed.getvalue()


@cache
def bomb(side: int = 15_000) -> bytes:
    packed = io.BytesIO()
    Image.new("1", (side, side)).save(packed, "PNG")
    return packed.getvalue()


def many_parts() -> bytes:
    part = b'--x\r\ncontent-disposition: form-data; name="a"\r\n\r\n1\r\n'
    return part * 100_000 + b"--x--\r\n"


def deep() -> bytes:
    return b'{"image":' + b"[" * 10_000 + b"]" * 10_000 + b"}"


FORM, JSON = "multipart/form-data; boundary=x", "application/json"
BAD: dict[str, tuple[int, str, Callable[[], bytes]]] = {
    "not an image": (400, "image/png", lambda: b"not a picture"),
    "a truncated PNG": (400, "image/png", lambda: bomb(50)[:50]),
    "an empty body": (400, "image/png", lambda: b""),
    "not JSON": (400, JSON, lambda: b"{"),
    "not UTF-8": (400, JSON, lambda: b'{"image": "\xff"}'),
    "JSON 10,000 deep": (400, JSON, deep),
    "100,000 parts": (400, FORM, many_parts),
    "an incomplete form": (400, FORM, lambda: b"--x\r\nconte"),
    "a form without a boundary": (400, "multipart/form-data", lambda: b"--x--"),
    "a decompression bomb": (413, "image/png", bomb),
    "a decompression bomb in base64": (413, JSON, lambda: b'{"image": "%s"}' % base64.b64encode(bomb())),
    "33 MiB": (413, "image/png", lambda: bytes(33 << 20)),
    "text": (415, "text/plain", lambda: b"7"),
    "no content type": (415, "", lambda: b"7"),
    "JSON without an image": (422, JSON, lambda: b"{}"),
    "JSON that is not an object": (422, JSON, lambda: b"[]"),
    "a number instead of an image": (422, JSON, lambda: b'{"image": 7}'),
    "not base64": (422, JSON, lambda: b'{"image": "*****"}'),
    "an unknown option": (422, JSON, lambda: b'{"image": "AAAA", "model": "/etc/passwd"}'),
    "a form without the field": (
        422,
        FORM,
        lambda: b'--x\r\ncontent-disposition: form-data; name="a"\r\n\r\n1\r\n--x--',
    ),
}


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/read"])
@pytest.mark.parametrize("case", BAD)
def test_a_bad_body_is_a_problem_of_one_line(served: Any, path: str, case: str) -> None:
    status, kind, make = BAD[case]
    answer = served.client.post(path, content=make(), headers={"content-type": kind} if kind else {})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    problem = answer.json()
    assert (problem["type"], problem["status"]) == ("about:blank", status)
    assert problem["title"]
    assert "\n" not in problem["detail"]
    assert not any(word in answer.text for word in ("Traceback", "/work", "site-packages", ".py", "0x"))


@pytest.mark.parametrize(
    "query", ["layout=square", "length=0", "length=many", "check=none", "min_confidence=2", "min_confidence=nan"]
)
def test_an_invalid_option_is_422(served: Any, page: bytes, query: str) -> None:
    answer = served.client.post(f"/v1/read?{query}", content=page, headers=PNG)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json()["detail"].startswith(f"query.{query.partition('=')[0]}: ")


def test_a_compressed_body_is_415(served: Any, pngs: list[bytes]) -> None:
    answer = served.client.post("/v1/predict", content=pngs[0], headers={**PNG, "content-encoding": "gzip"})
    assert answer.status_code == 415


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/v3", 404), ("PUT", "/v1/predict", 405)])
def test_unknown_paths_and_methods_are_problems(served: Any, method: str, path: str, status: int) -> None:
    answer = served.client.request(method, path)
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert status != 405 or answer.headers["allow"] == "POST"


def test_models_names_the_model_and_its_card(served: Any, reader: Reader) -> None:
    answer = served.client.get("/v1/models").json()
    assert answer["feedback"] is True
    assert answer["models"][0]["name"] == reader.name
    assert answer["models"][0]["card"] == reader.recognizer.card


def test_health_and_metrics_show_the_state(served: Any, pngs: list[bytes]) -> None:
    assert served.client.get("/healthz").json() == {"status": "ok"}
    assert served.client.get("/readyz").json() == {"status": "ready"}
    served.client.post("/v1/predict", content=pngs[0], headers=PNG)
    text = served.client.get("/metrics").text
    assert 'inkdigits_requests_total{method="POST",route="/v1/predict",status="200"}' in text
    assert 'inkdigits_digits_total{outcome="read"}' in text
    assert 'inkdigits_open_jobs{pool="crops"} 0.0' in text


def test_every_response_has_security_headers(served: Any) -> None:
    for path in ("/", "/docs", "/static/none.js", "/v1/models", "/nowhere"):
        headers = served.client.get(path).headers
        assert headers["content-security-policy"].startswith(
            "default-src 'none'; script-src 'self'; style-src 'self'; "
        )
        assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")
        assert "server" not in headers


def test_static_paths_cannot_leave_their_folder(served: Any) -> None:
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static//etc/passwd"):
        assert served.client.get(path).status_code == 404


def test_the_documentation_loads_nothing_from_other_hosts(served: Any) -> None:
    answer = served.client.get("/docs")
    assert "/v1/predict" in answer.text
    assert "http://" not in answer.text
    assert "https://" not in answer.text
    document = served.client.get("/openapi.json").json()
    assert {"/v1/predict", "/v1/read", "/v1/feedback", "/v1/models", "/v2/models/{name}/infer"} <= set(
        document["paths"]
    )


def test_a_data_url_is_read_as_the_image_in_it(served: Any, pngs: list[bytes]) -> None:
    def ask(image: str) -> Any:
        return served.client.post("/v1/predict", json={"image": image})

    plain = ask(in_base64(pngs[0]))
    for head in ("data:image/png;base64,", "DATA:;base64,"):
        assert ask(head + in_base64(pngs[0])).content == plain.content
    answer = ask("data:image/png," + in_base64(pngs[0]))
    assert (answer.status_code, answer.json()["detail"].partition(";")[0]) == (
        422,
        "image: the data: URL is not in base64",
    )


def test_white_ink_on_a_transparent_canvas_is_read_as_black_ink_on_white(served: Any, mnist_5k: Any) -> None:
    ink = np.kron(mnist_5k.test.images[0], np.ones((4, 4), np.uint8))
    canvas = np.dstack([np.full((*ink.shape, 3), 255, np.uint8), ink])
    answers = [
        served.client.post("/v1/predict", content=as_png(image), headers=PNG).json() for image in (canvas, 255 - ink)
    ]
    assert answers[0]["digit"] == answers[1]["digit"] == mnist_5k.test.labels[0]
