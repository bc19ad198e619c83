"""What every request passes: the token, headers that protect the browser, counts, and the net under what went wrong."""

import base64
import binascii
import hmac
import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inkdigits.server.problems import ProblemError, problem_response
from inkdigits.server.service import Service

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)
PROTECTION = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
OPEN = {"/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"}  # what needs no token
CHALLENGE = 'Bearer, Basic realm="inkdigits", charset="UTF-8"'

log = logging.getLogger("inkdigits.server")


class ServiceMiddleware:
    """Middleware around the whole application.

    The token comes as a bearer's, or as the password of basic authentication, which a browser asks for by itself.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service
        token = service.settings.token
        self._token = None if token is None else token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        status = 0

        async def sender(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message["headers"] = [*message.get("headers", ()), *PROTECTION]
                if scope["path"].startswith("/v"):
                    headers.append((b"cache-control", b"no-store"))
                if self._service.draining:
                    headers.append((b"connection", b"close"))
            await send(message)

        try:
            if self._token is not None and scope["path"] not in OPEN and not self._knows(scope):
                problem = ProblemError(401, "the token is missing or wrong", headers={"www-authenticate": CHALLENGE})
                await problem_response(problem, scope["path"])(scope, receive, sender)
            else:
                await self._app(scope, receive, sender)
        except Exception:
            log.exception("%s %s failed", scope["method"], scope["path"])
            if not status:
                problem = ProblemError(500, "something went wrong here; the server's log says what")
                await problem_response(problem, scope["path"])(scope, receive, sender)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self._service.metrics.request(route, scope["method"], status or 499, time.perf_counter() - start)

    def _knows(self, scope: Scope) -> bool:
        """Return whether a request brings the token, compared in a time that says nothing of it."""
        assert self._token is not None
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        kind, _, word = given.strip().partition(b" ")
        word = word.strip()
        if kind.lower() == b"basic":
            try:
                word = base64.b64decode(word, validate=True).partition(b":")[2]
            except binascii.Error:
                return False
        elif kind.lower() != b"bearer":
            return False
        return hmac.compare_digest(word, self._token)
