"""The commands serve and data export-feedback, without PyTorch."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from inkdigits.cli.common import Json, app, echo, emit
from inkdigits.cli.data import data_app
from inkdigits.errors import InkdigitsError
from inkdigits.isolation import preload
from inkdigits.plugins import load_plugins, plugins
from inkdigits.progress import say


@app.command("serve")
def serve_command(
    host: Annotated[
        str, typer.Option(help="Address to listen on; addresses other than loopback need --token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 means any free one.")] = 8000,
    token: Annotated[
        str | None, typer.Option(envvar="INKDIGITS_TOKEN", show_envvar=True, help="Token that requests must send.")
    ] = None,
    feedback: Annotated[Path | None, typer.Option(help="SQLite file in which corrections are stored.")] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A further name that requests may use for this service; may be repeated."),
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="An .onnx file of inkdigits export; the bundled model by default.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that read digits; one per core by default.")] = None,
    queue: Annotated[int, typer.Option(help="Requests that may wait; further ones get status 429.")] = 128,
    timeout: Annotated[float, typer.Option(help="Seconds for a body to arrive, and for the answer.")] = 30.0,
    grace: Annotated[float, typer.Option(help="Seconds from the signal to stop until the port closes.")] = 1.0,
) -> None:
    """Serve the reader over HTTP: a page to write on, an API, and the Open Inference Protocol."""
    load_plugins()  # before the imports below, which make the schema of the registered layouts
    preload(*(["inkdigits.reader", "pydantic"] if plugins() else ["inkdigits.server.jobs"]))
    with _install_hint():
        from inkdigits.server import ServerSettings, serve

    chosen: dict[str, Any] = {} if workers is None else {"workers": workers}
    chosen |= {"allowed_hosts": tuple(allowed_host or ()), "prepare": load_plugins}
    settings = ServerSettings(model, token, feedback, queue=queue, timeout=timeout, grace=grace, **chosen)
    serve(host, port, settings)


@data_app.command("export-feedback")
def export_feedback_command(
    database: Annotated[Path, typer.Argument(help="SQLite file that serve --feedback wrote.")],
    out: Annotated[Path, typer.Option(help="New folder or .npz for train --data.")],
    as_json: Json = False,
) -> None:
    """Write the corrections that the service stored as a data set for training."""
    with _install_hint():
        from inkdigits.server import export_feedback

    counts = export_feedback(database, out)
    if as_json:
        emit({"out": str(out), "counts": counts})
        return
    say(f"{sum(counts.values()):,} corrections: " + ", ".join(f"{count:,} of {name}" for name, count in counts.items()))
    echo(out)


@contextmanager
def _install_hint() -> Iterator[None]:
    """Turn a missing package into an error that says what to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise InkdigitsError(f"this needs {error.name}: pip install 'inkdigits[serve]'") from error
