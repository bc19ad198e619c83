"""Which requests may come from which site: the names of this service, and requests of other sites' pages.

A page of another site can make a browser send requests here, with the password that the browser keeps, and a name that
its owner points at this machine (DNS rebinding) lets it read the answers too.
"""

import ipaddress
from urllib.parse import urlsplit

from inkdigits.server.problems import ProblemError
from inkdigits.server.settings import ServerSettings

LOOPBACK = ("localhost", "127.0.0.1", "::1")
ANY = ("0.0.0.0", "::")  # --host for all addresses of this machine
SAFE = {"GET", "HEAD", "OPTIONS"}  # methods that store nothing and read no digits
OWN_SITE = {b"same-origin", b"none"}  # values of Sec-Fetch-Site; none is a request of the user


class OriginPolicy:
    """Decides by the headers of a request whether it was meant for this service, and was not made by another site."""

    def __init__(self, settings: ServerSettings) -> None:
        self._added = {name.lower().strip("[]") for name in settings.allowed_hosts}
        self._names = {*LOOPBACK, settings.host.lower().strip("[]"), *self._added}
        self._any_address = settings.host in ANY

    def check(self, method: str, headers: list[tuple[bytes, bytes]]) -> None:
        """Refuse a request with another name, or of another site.

        Raises
        ------
        ProblemError
            400 when it has no header ``Host`` or several, 421 when ``Host`` is another name, 403 when another site's
            page sent it.
        """
        hosts = [value for name, value in headers if name == b"host"]
        if len(hosts) != 1:
            raise ProblemError(400, "a request must have one header Host")
        if not self._is_own(_name(hosts[0])):
            shown = hosts[0].decode("latin-1")[:80]
            raise ProblemError(421, f"{shown!r} is no name of this service; allow it with --allowed-host")
        if method not in SAFE and not self._of_own_site(hosts[0], headers):
            raise ProblemError(403, "a page of another site sent this request")

    def _is_own(self, name: str) -> bool:
        if name in self._names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return self._any_address  # no site can point an address elsewhere

    def _of_own_site(self, host: bytes, headers: list[tuple[bytes, bytes]]) -> bool:
        """Return whether the page of a browser that sent this is ours; other clients send neither header."""
        sites = [value for name, value in headers if name == b"sec-fetch-site"]
        if sites:
            return set(sites) <= OWN_SITE
        origins = [value for name, value in headers if name == b"origin"]
        return all(self._is_origin(origin, host) for origin in origins)

    def _is_origin(self, origin: bytes, host: bytes) -> bool:
        try:
            parts = urlsplit(origin.decode("latin-1").lower())
            return parts.netloc == host.decode("latin-1").lower() or parts.hostname in self._added
        except ValueError:
            return False


def _name(host: bytes) -> str:
    """Return the name in a header ``Host``, without the port; empty when it is none."""
    try:
        parts = urlsplit(f"//{host.decode('ascii').lower()}")
        return "" if parts.username is not None or parts.path else (parts.hostname or "")
    except ValueError:
        return ""
