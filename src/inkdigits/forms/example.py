"""The example of a design that ``inkdigits form new`` writes."""

import re
from importlib.resources import files


def example(name: str) -> str:
    """Return the example as TOML; the form gets ``name`` as far as its characters allow."""
    text = (files("inkdigits.forms") / "example.toml").read_text(encoding="utf-8")
    allowed = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).lstrip("0123456789_-")[:24]
    return text.replace('name = "exam" ', f'name = "{allowed or "form"}" ', 1)
