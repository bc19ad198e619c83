"""Registries: entries by name. The reader's load nothing; those of :mod:`inkdigits.plugins` load the plug-ins."""

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from inkdigits.errors import UsageError, unknown

OWN = "inkdigits"  # the package whose names come from no plug-in

T = TypeVar("T")
Target = TypeVar("Target", bound=Callable[..., Any])


class Registry(Mapping[str, T]):
    """Entries by name, in the order in which they were registered.

    Parameters
    ----------
    kind
        What an entry is, for messages: "model", "data set".

    Attributes
    ----------
    modules
        For each name, the module whose code registered it.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.modules: dict[str, str] = {}
        self._entries: dict[str, T] = {}
        self._targets: dict[str, Callable[..., Any]] = {}

    def __getitem__(self, name: str) -> T:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, name: str) -> T:
        """Return the entry of that name.

        Raises
        ------
        UsageError
            When there is none; suggests the nearest name.
        """
        if name not in self:
            raise unknown(self.kind, name, self)
        return self[name]

    def register(self, name: str, entry: T, target: Callable[..., Any], module: str) -> None:
        """Add an entry that was made of ``target``, registered by code of ``module``.

        Raises
        ------
        UsageError
            When the name is taken, or cannot be written on the command line.
        """
        if not re.fullmatch(r"\w[\w.-]*", name):
            raise UsageError(f"the name of a {self.kind} has letters, digits, '_', '-' and '.' only, not {name!r}")
        if name in self._entries:
            raise UsageError(
                f"two {self.kind}s are called {name!r}: {_where(self._targets[name])} and {_where(target)}"
            )
        self._entries[name], self._targets[name], self.modules[name] = entry, target, module
        registrations.append((self, name))

    def decorator(self, name: str, target: Target | None, make: Callable[[Target], T]) -> Any:
        """Return a decorator that registers ``make(target)``; if the target is given, register it and return it.

        Only a function that a module calls to register a name calls this: the entry belongs to that module.
        """
        module = calling_module(2)

        def register(target: Target) -> Target:
            self.register(name, make(target), target, module)
            return target

        return register if target is None else register(target)

    def remove(self, name: str) -> None:
        """Take a name out again."""
        for table in (self._entries, self._targets, self.modules):
            del table[name]


registrations: list[tuple[Registry[Any], str]] = []  # every registration so far


def _where(target: Callable[..., Any]) -> str:
    return f"{target.__module__}.{getattr(target, '__qualname__', type(target).__qualname__)}"


def calling_module(above: int = 1) -> str:
    """Return the name of the module whose code is ``above`` calls above the caller of this function."""
    return str(sys._getframe(1 + above).f_globals.get("__name__", ""))
