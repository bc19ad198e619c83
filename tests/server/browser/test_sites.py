"""Pages of other sites in a real browser: with a name that was pointed at the service, or sending requests to it."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from tests.conftest import launched

if TYPE_CHECKING:
    from playwright.sync_api import Browser

REBOUND = "--host-resolver-rules=MAP evil.example 127.0.0.1"  # as the owner of a name can do (DNS rebinding)
STATUS = "path => fetch(path, {method: 'POST', body: 'x'}).then(answer => answer.status)"
SEND = """
([url, kind]) => fetch(url, {method: 'POST', mode: 'no-cors', headers: {'content-type': kind}, body: 'image'})
"""
FORM = """
<form method="post" enctype="multipart/form-data" action="{address}v1/predict"><input name="image" value="7"></form>
"""


class OtherSite(BaseHTTPRequestHandler):
    """A page with a form that posts to the service."""

    def do_GET(self) -> None:
        body = FORM.format(address=self.server.target).encode()  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None: ...


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with launched(REBOUND) as browser:
        yield browser


@pytest.fixture(scope="module")
def port(address: str) -> Iterator[int]:
    """Port of a web server of another site."""
    with HTTPServer(("127.0.0.1", 0), OtherSite) as server:
        server.target = address if address.endswith("/") else address + "/"  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_name_that_is_pointed_at_the_service_shows_and_reads_nothing(browser: "Browser", address: str) -> None:
    page = browser.new_page()
    own = page.goto(address)
    assert own is not None
    assert own.status == 200
    rebound = page.goto(address.replace("127.0.0.1", "evil.example"))
    assert rebound is not None
    assert rebound.status == 421
    assert page.locator("#ink").count() == 0
    assert [page.evaluate(STATUS, path) for path in ("/v1/predict", "/v1/feedback")] == [421, 421]
    page.close()


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1"], ids=["another site", "another port"])
def test_a_page_of_another_site_can_post_nothing(browser: "Browser", address: str, port: int, host: str) -> None:
    page = browser.new_page()
    page.goto(f"http://{host}:{port}/")
    for path, kind in (("v1/feedback", "text/plain"), ("v1/predict", "text/plain")):
        with page.expect_response(f"**/{path}") as fetched:
            page.evaluate(SEND, [f"{address.rstrip('/')}/{path}", kind])
        assert fetched.value.status == 403
    with page.expect_response("**/v1/predict") as sent:
        page.evaluate("document.forms[0].submit()")
    assert sent.value.status == 403
    page.close()
