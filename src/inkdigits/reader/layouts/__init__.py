"""Layouts: how numbers are found on a page. Importing this package registers each module in it."""

from importlib import import_module
from pkgutil import iter_modules

from inkdigits.reader.layouts.registry import (
    AUTO,
    Layout,
    LayoutReading,
    Row,
    create_layout,
    list_layouts,
    read_layout,
    register_layout,
)

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = ["AUTO", "Layout", "LayoutReading", "Row", "create_layout", "list_layouts", "read_layout", "register_layout"]
