"""Names of the service, and requests of other sites' pages."""

from collections.abc import Callable
from typing import Any

import pytest

from inkdigits.server.origins import OriginPolicy
from inkdigits.server.problems import ProblemError
from inkdigits.server.settings import ServerSettings

PNG = {"content-type": "image/png"}


def status(settings: ServerSettings, method: str = "GET", **headers: str) -> int:
    """Return the status with which a request is refused, or 200."""
    given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    try:
        OriginPolicy(settings).check(method, given)
    except ProblemError as problem:
        return problem.status
    return 200


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", 200),
        ("LOCALHOST:8000", 200),
        ("127.0.0.1:8000", 200),
        ("[::1]:8000", 200),
        ("digits.example.org", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("localhost@evil.example", 421),
        ("192.168.1.7:8000", 421),
        ("", 421),
        ("[::1", 421),
        ("local\u00e4", 421),
    ],
)
def test_only_names_of_the_service_are_served(host: str, expected: int) -> None:
    assert status(ServerSettings(allowed_hosts=("digits.example.org",)), host=host) == expected


def test_any_address_is_a_name_of_a_service_on_all_addresses() -> None:
    everywhere = ServerSettings(host="0.0.0.0", token="long enough")
    assert status(everywhere, host="192.168.1.7:8000") == 200
    assert status(everywhere, host="evil.example") == 421


def test_a_request_has_one_host() -> None:
    assert status(ServerSettings()) == 400
    policy = OriginPolicy(ServerSettings())
    with pytest.raises(ProblemError, match="one header Host"):
        policy.check("GET", [(b"host", b"localhost"), (b"host", b"evil.example")])


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 200),
        ({"origin": "http://localhost:8000"}, 200),
        ({"sec_fetch_site": "same-origin"}, 200),
        ({"sec_fetch_site": "none"}, 200),
        ({"origin": "https://digits.example.org"}, 200),
        ({"origin": "http://localhost:3000"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site", "origin": "http://localhost:8000"}, 403),
    ],
)
def test_pages_of_other_sites_cannot_store_or_read(headers: dict[str, str], expected: int) -> None:
    settings = ServerSettings(allowed_hosts=("digits.example.org",))
    assert status(settings, "POST", host="localhost:8000", **headers) == expected
    assert status(settings, "GET", host="localhost:8000", **headers) == 200


def test_a_running_service_refuses_other_names_and_sites(served: Any, pngs: list[bytes]) -> None:
    other = served.client.get("/", headers={"host": f"evil.example:{served.port}"})
    assert (other.status_code, other.headers["content-type"]) == (421, "application/problem+json")
    assert "--allowed-host" in other.json()["detail"]
    for path in ("/v1/predict", "/v1/read", "/v1/feedback", "/v2/models/digits/infer"):
        headers = {**PNG, "origin": "https://evil.example"}
        assert served.client.post(path, content=pngs[0], headers=headers).status_code == 403
    own = {**PNG, "origin": served.url, "sec-fetch-site": "same-origin"}
    assert served.client.post("/v1/predict", content=pngs[0], headers=own).status_code == 200
    assert served.client.get("/healthz", headers={"host": "any.example"}).status_code == 200


def test_an_invalid_allowed_host_is_wrong_use(run_cli: Callable[..., tuple[int, str, str]]) -> None:
    code, _, err = run_cli("serve", "--allowed-host", "https://example.org")
    assert (code, err.count("\n")) == (2, 1)
