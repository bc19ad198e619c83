"""Middleware for every request: origin, token, security headers, metrics, and a last resort for unexpected errors."""

import base64
import binascii
import hmac
import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inkdigits.server.origins import OriginPolicy
from inkdigits.server.problems import ProblemError, problem_response
from inkdigits.server.service import Service

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)
SECURITY_HEADERS = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
OPEN_PATHS = {"/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"}  # need no token, under any name
CHALLENGE = 'Bearer, Basic realm="inkdigits", charset="UTF-8"'
CLIENT_CLOSED = 499  # status in the metrics when no response was sent; not part of HTTP

log = logging.getLogger("inkdigits.server")


class ServiceMiddleware:
    """Middleware around the whole application.

    The token is accepted as a bearer token, or as the password of basic authentication, for which a browser shows a
    dialog.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service
        token = service.settings.token
        self._token = None if token is None else token.encode()
        self._origins = OriginPolicy(service.settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._add_headers(scope, message)
            await send(message)

        try:
            if scope["path"] not in OPEN_PATHS:
                self._origins.check(scope["method"], scope["headers"])
                self._check_token(scope)
            await self._app(scope, receive, send_with_headers)
        except ProblemError as refused:
            await problem_response(refused, scope["path"])(scope, receive, send_with_headers)
        except Exception:
            log.exception("%s %s failed", scope["method"], scope["path"])
            if not status:
                failed = ProblemError(500, "an internal error occurred; see the log of the server")
                await problem_response(failed, scope["path"])(scope, receive, send_with_headers)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            seconds = time.perf_counter() - start
            self._service.metrics.request(route, scope["method"], status or CLIENT_CLOSED, seconds)

    def _add_headers(self, scope: Scope, message: Message) -> None:
        headers = message["headers"] = [*message.get("headers", ()), *SECURITY_HEADERS]
        if scope["path"].startswith("/v"):
            headers.append((b"cache-control", b"no-store"))
        if self._service.draining:
            headers.append((b"connection", b"close"))

    def _check_token(self, scope: Scope) -> None:
        if not self._authorized(scope):
            raise ProblemError(401, "the token is missing or wrong", headers={"www-authenticate": CHALLENGE})

    def _authorized(self, scope: Scope) -> bool:
        """Return whether a request has the token. The comparison takes constant time."""
        if self._token is None:
            return True
        header = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        scheme, _, credentials = header.strip().partition(b" ")
        credentials = credentials.strip()
        if scheme.lower() == b"basic":
            try:
                credentials = base64.b64decode(credentials, validate=True).partition(b":")[2]
            except binascii.Error:
                return False
        elif scheme.lower() != b"bearer":
            return False
        return hmac.compare_digest(credentials, self._token)
