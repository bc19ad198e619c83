"""The HTTP service: the reader behind an API and a web page, with limits on everything that a request brings."""

from inkdigits.server.app import create_app
from inkdigits.server.feedback import export_feedback
from inkdigits.server.process import serve
from inkdigits.server.settings import ServerSettings

__all__ = ["ServerSettings", "create_app", "export_feedback", "serve"]
