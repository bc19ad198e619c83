"""A real browser and a real server. Each test fails on a request to another host, a policy violation or a message."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# Strokes along the middle of MNIST's digits, in 1/10 pixel.
STROKES = json.loads((Path(__file__).parent / "strokes.json").read_text())
START = """
import sys
from pathlib import Path
from inkdigits.server import ServerSettings, serve
serve("127.0.0.1", 0, ServerSettings(feedback=Path(sys.argv[1])))
"""
WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", event => window.violations.push(event.violatedDirective));
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server in its own process, which stores corrections."""
    folder = tmp_path_factory.mktemp("served")
    log = (folder / "log").open("wb+")
    with log, subprocess.Popen([sys.executable, "-c", START, str(folder / "kept.sqlite")], stderr=log) as server:
        try:
            found = None
            while found is None and server.poll() is None:
                found = re.search(r"http://\S+", (folder / "log").read_text())
            assert found, (folder / "log").read_text()
            yield found[0]
        finally:
            server.terminate()


@dataclass
class Visit:
    """An open page, its requests and its console messages."""

    page: "Page"
    requests: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def write(self, digits: str, height: float = 130, sample: int = 0) -> None:
        """Write digits side by side with the mouse."""
        frame = self.page.locator("#ink").bounding_box()
        assert frame
        mouse, step = self.page.mouse, frame["width"] / len(digits)
        scale, top = height / 200, frame["y"] + (frame["height"] - height) / 2
        for place, digit in enumerate(digits):
            strokes = STROKES[digit][sample]
            width = max(x for stroke in strokes for x, _ in stroke) * scale
            left = frame["x"] + (place + 0.5) * step - width / 2
            for stroke in strokes:
                (x, y), *rest = [(left + x * scale, top + y * scale) for x, y in stroke]
                mouse.move(x, y)
                mouse.down()
                for x, y in rest:
                    mouse.move(x, y)
                mouse.up()

    @property
    def number(self) -> str:
        """The number that the page shows."""
        return "".join(self.page.locator("#number button").all_inner_texts())


Open = Callable[..., Visit]


@pytest.fixture
def visit(browser: "Browser") -> Iterator[Open]:
    """Opens an address in a new window, with options of a browser context."""
    visits: list[tuple[str, Visit]] = []

    def open_page(where: str, **options: Any) -> Visit:
        page = browser.new_context(**{"viewport": {"width": 1280, "height": 860}, **options}).new_page()
        made = Visit(page)
        page.add_init_script(WATCH)
        page.on("request", lambda request: made.requests.append(request.url))
        page.on("pageerror", lambda error: made.messages.append(str(error)))
        page.on("console", lambda message: made.messages.append(message.text))
        visits.append((where, made))
        page.goto(where)
        page.wait_for_selector("body[class]")
        return made

    yield open_page
    for where, made in visits:
        assert made.page.evaluate("window.violations") == []
        assert made.messages == []
        hosts = {urlsplit(url).netloc for url in made.requests if not url.startswith(("data:", "blob:"))}
        assert hosts == {urlsplit(where).netloc}
        made.page.context.close()
