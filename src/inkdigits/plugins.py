"""Plug-ins, and the registries that they add to.

A plug-in is a module that registers models, augmentations, corruptions, data sets or layouts when it is imported, or a
function that registers them when it is called. Plug-ins are found in two places: installed packages that declare the
entry-point group ``inkdigits.plugins``, and the modules that ``--plugin`` or ``INKDIGITS_PLUGINS`` names. The first
look-up in any :class:`PluginRegistry` loads all of them, once per process. The reader's layouts are in a registry that
loads nothing, so the commands that read load the plug-ins first. See docs/plugins.md.
"""

import os
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from inkdigits.errors import InkdigitsError, PluginError, UsageError
from inkdigits.registry import OWN, Registry, registrations

GROUP = "inkdigits.plugins"
VARIABLE = "INKDIGITS_PLUGINS"  # modules with commas between; child processes inherit it

T = TypeVar("T")


@dataclass(frozen=True)
class Plugin:
    """A module, or ``module:function``, that registers names.

    Attributes
    ----------
    package
        Name and version of the installed package; empty for a module that ``--plugin`` or the variable names.
    error
        Why it does not load; None if it does.
    """

    target: str
    package: str = ""
    error: BaseException | None = None

    @property
    def root(self) -> str:
        """The top-level package of the module."""
        return re.split(r"[.:]", self.target)[0]

    @property
    def status(self) -> str:
        """Whether it loads, and if not, why: one line."""
        if self.error is None:
            return "loads"
        kind = "" if isinstance(self.error, InkdigitsError) else f"{type(self.error).__name__}: "
        return f"does not load: {kind}{' '.join(str(self.error).split())}"

    def __str__(self) -> str:
        return f"{self.package} ({self.target})" if self.package else self.target


class PluginRegistry(Registry[T]):
    """A registry that plug-ins add to. Every look-up loads them first."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        _registries[kind] = self

    def __getitem__(self, name: str) -> T:
        load_plugins()
        return super().__getitem__(name)

    def __iter__(self) -> Iterator[str]:
        load_plugins()
        return super().__iter__()

    def __len__(self) -> int:
        load_plugins()
        return super().__len__()

    def origin(self, name: str) -> str:
        """Return the plug-in that registered ``name``, with its version; empty for a name of inkdigits itself."""
        module = self.modules[name]
        root = module.split(".")[0]
        package = next((plugin.package for plugin in plugins() if plugin.package and plugin.root == root), module)
        return "" if root == OWN else package


_registries: dict[str, PluginRegistry[Any]] = {}  # by kind
_lock = threading.RLock()  # the thread that loads may look names up meanwhile; other threads wait
_loaded: list[Plugin] | None = None  # None until the first look-up


def use_plugins(modules: list[str]) -> None:
    """Name modules that this process and its children load at the first look-up."""
    named = [os.environ.get(VARIABLE, ""), *modules]
    os.environ[VARIABLE] = ",".join(name for name in named if name)


def plugins() -> list[Plugin]:
    """Return the plug-ins of this process; the first call loads them. Those that do not load have their error."""
    global _loaded
    with _lock:
        if _loaded is None:
            _loaded = []
            for plugin in [*_named(), *_installed()]:
                _loaded.append(_load(plugin))
        return _loaded


def load_plugins() -> None:
    """Load the plug-ins at the first call. An installed one that does not load is named on stderr, once.

    Raises
    ------
    PluginError
        When one that ``--plugin`` or the variable names does not load.
    """
    for plugin in plugins():
        if plugin.error is not None and plugin.package:
            _warn(plugin)
        elif plugin.error is not None:
            raise PluginError(f"the plug-in {plugin} {plugin.status}") from plugin.error


def require_origins(origins: Mapping[str, str], needed_by: str) -> None:
    """Check that every name that a plug-in registered is there.

    Parameters
    ----------
    origins
        For "kind name", such as "model linear", the plug-in that registered it: see :func:`origins_of`.
    needed_by
        What needs the names, for the message.

    Raises
    ------
    PluginError
        When a name is missing; says which plug-in to install.
    """
    for key, plugin in origins.items():
        kind, _, name = key.rpartition(" ")
        if name not in _registries.get(kind, ()):
            raise PluginError(
                f"{needed_by} needs the {kind} {name!r} of the plug-in {plugin}; "
                "install it, or name its module with --plugin"
            )


def origins_of(names: list[tuple[str, str]]) -> dict[str, str]:
    """Return for each (kind, name) that a plug-in registered, as "kind name", that plug-in."""
    origins = {f"{kind} {name}": _registries[kind].origin(name) for kind, name in names}
    return {key: origin for key, origin in origins.items() if origin}


def _named() -> list[Plugin]:
    """Return the modules that the variable names; they may lie in the current folder."""
    names = [name.strip() for name in os.environ.get(VARIABLE, "").split(",")]
    found = [Plugin(name) for name in dict.fromkeys(names) if name]
    if found and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    return found


def _installed() -> list[Plugin]:
    from importlib.metadata import entry_points

    found = [
        Plugin(point.value, f"{point.dist.name} {point.dist.version}" if point.dist else point.name)
        for point in entry_points(group=GROUP)
    ]
    return sorted(set(found), key=lambda plugin: (plugin.package, plugin.target))


def _load(plugin: Plugin) -> Plugin:
    """Import a plug-in, or call its function; if that fails, take its names out again and return it with the error."""
    from importlib.metadata import EntryPoint

    before = len(registrations)
    try:
        if not re.fullmatch(r"[\w.]+(:[\w.]+)?", plugin.target):
            raise UsageError("a plug-in is named as a module, such as my_package.digits, or as module:function")
        found = EntryPoint("", plugin.target, GROUP).load()
        if not isinstance(found, ModuleType):
            found()
    except (Exception, SystemExit) as error:
        for registry, name in registrations[before:]:
            if registry.modules[name].split(".")[0] == plugin.root:
                registry.remove(name)
        return replace(plugin, error=error)
    return plugin


@cache
def _warn(plugin: Plugin) -> None:
    """Name an installed plug-in that does not load. Child processes are silent, as their parent warns."""
    from multiprocessing import parent_process

    from inkdigits.progress import say  # here, as rich takes 0.1 s to import

    if parent_process() is None:
        say(f"warning: the plug-in {plugin} {plugin.status}")
