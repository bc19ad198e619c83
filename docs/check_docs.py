"""Check the prose of documents, notebooks and docstrings: ``python docs/check_docs.py``; ``make check`` runs it.

A document, or the text of a notebook, fails for a line over 100 columns outside tables and code, for a private word,
and for a relative link to a file or heading that does not exist. A docstring fails for a private word. Code between
backticks is exempt, and so is the metadata of a model card.
"""

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
WIDTH = 100  # columns of a line of prose
CARD = "src/inkdigits/reader/assets/README.md"  # of the packaged model
DOCUMENTS = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/*.md", "deploy/*.md", CARD)
NOTEBOOKS = "notebooks/*.ipynb"
SOURCES = "src/inkdigits/**/*.py"

# Words of earlier versions, as regular expressions, with the standard term for each.
PRIVATE = {
    r"set aside": "validation or held-out digits",
    r"other hands": "other writers",
    r"foreign": "cross-dataset",
    r"rooms": "packages",
    r"(?<!high-)(?<!high )(?:schools?|schooled)": "augmentation",
    r"lessons?": "training data, or notebook",
    r"vot(?:e|es|ed|ing)": "ensembling, or mean of the logits",
    r"non-digits?": "outlier",
    r"adversar(?:y|ies)": "attack, or adversarial training",
    r"tilt(?:s|ed)?": "skew",
    r"turned round": "turned upright, or inverted",
    r"what it bears": "limits",
    r"the house": "architecture",
}
WORDS = {re.compile(rf"\b(?:{word})\b", re.I): term for word, term in PRIVATE.items()}
CODE = re.compile(r"``.+?``|`[^`]+`")
LINK = re.compile(r"(?:\]\(|^\[[^\]]+\]: )(?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]*))?")


def prose(text: str) -> Iterator[tuple[int, str]]:
    """Yield the numbered lines of a Markdown text that are neither a code block nor metadata at its beginning."""
    lines = text.splitlines()
    first = lines.index("---", 1) + 1 if lines[:1] == ["---"] and "---" in lines[1:] else 0
    fenced, indented, before = False, False, ""
    for number, line in enumerate(lines[first:], first + 1):
        is_fence = line.lstrip().startswith("```")
        indented = line.startswith("    ") and (indented or not before.strip()) and not fenced
        if not (fenced or is_fence or indented):
            yield number, line
        fenced ^= is_fence
        before = line


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a Markdown text."""
    headings = (line.lstrip("#").strip().lower() for _, line in prose(text) if line.startswith("#"))
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in headings}


def private_words(text: str) -> Iterator[str]:
    """Yield a message for each private word of a text, code between backticks left out."""
    for word, term in WORDS.items():
        for found in word.finditer(CODE.sub("", text)):
            yield f"{found[0]!r} is a private word; write {term}"


def markdown_of(path: Path) -> str:
    """Return the text of a Markdown file, or of the Markdown cells of a notebook."""
    text = path.read_text()
    if path.suffix != ".ipynb":
        return text
    return "\n\n".join("".join(c["source"]) for c in json.loads(text)["cells"] if c["cell_type"] == "markdown")


def check_document(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the faults of one document or notebook, each with its line number in the Markdown text."""
    for number, line in prose(markdown_of(path)):
        if len(line) > WIDTH and not line.startswith("|"):
            yield number, f"{len(line)} columns; prose has at most {WIDTH}"
        for message in private_words(LINK.sub("", line)):
            yield number, message
        for target, anchor in LINK.findall(CODE.sub("", line)):
            linked = path.parent / target if target else path
            if not linked.exists():
                yield number, f"{target} does not exist"
            elif anchor and anchor not in anchors(markdown_of(linked)):
                yield number, f"{target or path.name} has no heading #{anchor}"


def check_source(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the private words in the docstrings of one Python file, each with its line number."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0].lineno if node.body else 1
            for message in private_words(ast.get_docstring(node) or ""):
                yield first, message


def check(root: Path) -> list[str]:
    """Return all faults of a source tree, as ``path:line: message``."""
    faults = []
    for patterns, checked in (((*DOCUMENTS, NOTEBOOKS), check_document), ((SOURCES,), check_source)):
        for path in sorted(path for pattern in patterns for path in root.glob(pattern)):
            faults += [f"{path.relative_to(root)}:{number}: {message}" for number, message in checked(path)]
    return faults


if __name__ == "__main__":
    found = check(ROOT)
    sys.stdout.writelines(f"{fault}\n" for fault in found)
    sys.exit(bool(found))
