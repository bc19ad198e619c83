"""The HTTP service: the reader behind an API and a web page, with limits on everything that a request brings.

The names below are imported at their first use, so that worker processes need not import the web framework.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inkdigits.server.app import create_app
    from inkdigits.server.feedback import export_feedback
    from inkdigits.server.process import serve
    from inkdigits.server.settings import ServerSettings

_HOMES = {  # the module of each public name
    "ServerSettings": "inkdigits.server.settings",
    "create_app": "inkdigits.server.app",
    "export_feedback": "inkdigits.server.feedback",
    "serve": "inkdigits.server.process",
}

__all__ = ["ServerSettings", "create_app", "export_feedback", "serve"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'inkdigits.server' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
