"""The structure of the package: small functions, no import circles, not even hidden in functions."""

import ast
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src" / "inkdigits").rglob("*.py"))
LONGEST = 60  # lines of a function, its signature and docstring included


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_no_function_is_longer_than_a_screen(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < LONGEST, f"{node.name} in {path.name}"


def test_the_reader_is_short() -> None:
    assert len((ROOT / "src/inkdigits/reader/reader.py").read_text().splitlines()) <= 150


def test_no_modules_import_each_other_in_a_circle() -> None:
    """grimp sees imports within functions too."""
    graph = grimp.build_graph("inkdigits", exclude_type_checking_imports=True)
    packages = {module for module in graph.modules if graph.find_children(module)}  # __init__ re-exports its children
    modules = graph.modules - packages
    imports = {module: graph.find_modules_directly_imported_by(module) & modules for module in modules}
    done: set[str] = set()
    for module in sorted(modules):
        _visit(module, imports, [], done)


def _visit(module: str, imports: dict[str, set[str]], path: list[str], done: set[str]) -> None:
    assert module not in path, " imports ".join([*path[path.index(module) :], module])
    if module in done:
        return
    for other in sorted(imports[module]):
        _visit(other, imports, [*path, module], done)
    done.add(module)
