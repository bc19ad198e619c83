"""Makes the mutants of a module with mutmut's operators, and draws a sample of them."""

import ast
import contextlib
import difflib
import hashlib
import random
from collections import defaultdict
from dataclasses import dataclass, field

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators

SKIPPED = (cst.Annotation, cst.Assert, cst.Decorator, cst.Import, cst.ImportFrom, cst.Raise)
PLAIN_CALLS = ("cast", "isinstance", "len")  # without an argument they always fail


@dataclass(frozen=True)
class Mutant:
    """One change of one module."""

    module: str  # below src/inkdigits
    line: int
    column: int
    operator: str
    index: int  # among the changes that the operator makes of this expression
    lines: range  # of the statement, or of its head where it has a body
    code: str = field(repr=False)  # of the whole module, changed
    before: str  # the lines that differ
    after: str

    @property
    def key(self) -> tuple[str, int, int, str, int]:
        """What distinguishes it from every other mutant of the same source."""
        return self.module, self.line, self.column, self.operator, self.index


@dataclass(frozen=True)
class Sample:
    """The mutants of a module that are tried."""

    digest: str  # of the source
    found: int  # mutants that the operators make in all
    mutants: list[Mutant]


@dataclass(frozen=True)
class Change:
    """What an operator makes of an expression."""

    node: cst.CSTNode
    changed: cst.CSTNode
    index: int
    lines: range


class Finder(cst.CSTVisitor):
    """Collects what every operator makes of every expression of a module."""

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self) -> None:
        super().__init__()
        self.changes: dict[str, list[Change]] = defaultdict(list)
        self.statements: list[range] = []  # those around the present node, the innermost last

    def on_visit(self, node: cst.CSTNode) -> bool:
        """Apply every operator to a node; return whether its children are visited."""
        if is_skipped(node):
            return False
        if isinstance(node, cst.BaseCompoundStatement | cst.SimpleStatementLine):
            self.statements.append(self._lines(node))
        for kind, operate in mutation_operators:
            if isinstance(node, kind):
                for index, changed in enumerate(operate(node)):
                    name = operate.__name__.removeprefix("operator_")
                    self.changes[name].append(Change(node, changed, index, self.statements[-1]))
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        """Return to the statement around this one."""
        statement = isinstance(original_node, cst.BaseCompoundStatement | cst.SimpleStatementLine)
        if statement and not is_skipped(original_node):
            self.statements.pop()

    def _lines(self, node: cst.BaseCompoundStatement | cst.SimpleStatementLine) -> range:
        place = self.get_metadata(PositionProvider, node)
        last = place.end.line
        if isinstance(node, cst.BaseCompoundStatement) and isinstance(node.body, cst.IndentedBlock):
            last = self.get_metadata(PositionProvider, node.body.body[0]).start.line - 1
        return range(place.start.line, max(place.start.line, last) + 1)


def is_skipped(node: cst.CSTNode) -> bool:
    """Return whether neither a node nor its parts are changed."""
    match node:
        case cst.SimpleString(value=text):
            return " " in text  # a message, not a key
        case cst.Expr(value=cst.SimpleString() | cst.ConcatenatedString()):  # a docstring
            return True
        case cst.Call(func=cst.Name(value=name)):
            return name in PLAIN_CALLS
        case cst.If(test=cst.Name(value="TYPE_CHECKING")):
            return True
        case cst.ClassDef(bases=bases):
            return any(isinstance(base.value, cst.Name) and base.value.value == "Protocol" for base in bases)
        case cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=name))], value=value):
            return name == "__all__" or (isinstance(value, cst.Subscript) and name.istitle())  # the name of a type
    return isinstance(node, SKIPPED)


def sample(module: str, source: str, count: int, seed: int) -> Sample:
    """Return up to ``count`` mutants of a module; its operators take turns."""
    wrapper, finder = MetadataWrapper(cst.parse_module(source)), Finder()
    wrapper.visit(finder)
    places = wrapper.resolve(PositionProvider)
    rng = random.Random(f"{seed} {module}")
    queues = {name: rng.sample(changes, len(changes)) for name, changes in sorted(finder.changes.items())}
    chosen, seen = [], {ast.dump(ast.parse(source))}
    while len(chosen) < count and any(queues.values()):
        for name in [name for name, queue in queues.items() if queue][: count - len(chosen)]:
            change = queues[name].pop()
            code = wrapper.module.deep_replace(change.node, change.changed).code  # type: ignore[arg-type]
            with contextlib.suppress(SyntaxError):
                meaning = ast.dump(ast.parse(code))
                if meaning not in seen:
                    seen.add(meaning)
                    start, difference = places[change.node].start, differing_lines(source, code)
                    place = module, start.line, start.column, name, change.index, change.lines
                    chosen.append(Mutant(*place, code, *difference))
    found = sum(map(len, finder.changes.values()))
    return Sample(digest(source.encode()), found, sorted(chosen, key=lambda mutant: mutant.key))


def differing_lines(source: str, code: str) -> tuple[str, str]:
    """Return the lines of two sources that differ, each side as one line."""
    lines = list(difflib.unified_diff(source.splitlines(), code.splitlines(), n=0, lineterm=""))[2:]
    before, after = (" ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    return before, after


def digest(*contents: bytes) -> str:
    """Return a short hash."""
    return hashlib.sha256(b"\0".join(contents)).hexdigest()[:12]
