"""The web page without a service: static files for any web server; the network runs in the browser.

ONNX Runtime's WebAssembly comes from the npm registry, in a fixed version with a known checksum. It runs in one thread,
so the web server needs no special headers. What is written on the page is not sent anywhere.
"""

import hashlib
import io
import json
import tarfile
import urllib.error
import urllib.request
from http.client import HTTPException
from importlib.resources import files
from pathlib import Path

from platformdirs import user_cache_path

from inkdigits.data.download import offline
from inkdigits.errors import DataError, FetchError, RunError
from inkdigits.files import write_bytes, write_text
from inkdigits.reader import Recognizer

RUNTIME = "onnxruntime-web-1.30.0.tgz"
URL = f"https://registry.npmjs.org/onnxruntime-web/-/{RUNTIME}"
SHA512 = (
    "ab4cbe26baedba45d2cec05610c71c55fa97db92d19a8b171c5f8269126683ca"
    "590a5cdc57bb2f35ce2b298de32f4d956fb42644c0ecd528a0a91e025c07ca61"
)
TIMEOUT = 60.0  # seconds to wait for the registry
MEMBERS = {  # files of the archive: WebAssembly without WebGPU, which needs eval
    "package/dist/ort.wasm.bundle.min.mjs": "ort.js",
    "package/dist/ort-wasm-simd-threaded.wasm": "ort.wasm",
}
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'"
)
HEAD = "<head>"
HINT = "</header>"
ALONE = (
    "  <p>This copy reads in your browser, sends nothing, and reads only what is written here; "
    "for photos there is <code>inkdigits serve</code>.</p>\n  "
)


def export_web(out: Path, model: Path | None = None, runtime: Path | None = None) -> Path:
    """Write the page and its files to a folder, and return the path of index.html.

    Parameters
    ----------
    out
        The folder; it is created if needed, and files with the same names are replaced.
    model
        An .onnx file from ``inkdigits export``; None for the model in the package.
    runtime
        The archive of the npm package, :data:`RUNTIME`; None to use the cached copy or fetch it.

    Raises
    ------
    ModelError
        When the model cannot be read.
    FetchError
        When the archive is not cached and could not be fetched.
    DataError
        When the archive has another checksum.
    RunError
        When the folder cannot be written.
    """
    recognizer = Recognizer(model)
    archive = _runtime(runtime)
    page = Path(str(files("inkdigits") / "server" / "static"))  # inkdigits.server itself needs the extra serve
    own = Path(str(files("inkdigits") / "exporting" / "offline"))
    for source in (*sorted(page.iterdir()), *sorted(own.glob("*.js"))):  # the second reader.js replaces the first
        if source.is_file() and source.name != "index.html":
            write_bytes(out / "static" / source.name, source.read_bytes())
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        for member, name in MEMBERS.items():
            content = packed.extractfile(member)
            assert content is not None
            write_bytes(out / "static" / name, content.read())
    write_bytes(out / "static" / "digits.onnx", recognizer.path.read_bytes())
    write_text(out / "static" / "model.json", json.dumps(recognizer.card, indent=2) + "\n")
    html = (page / "index.html").read_text(encoding="utf-8")
    policy = f'{HEAD}\n  <meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    write_text(out / "index.html", html.replace(HEAD, policy, 1).replace(HINT, ALONE + HINT, 1))
    return out / "index.html"


def _runtime(given: Path | None) -> bytes:
    """Return the bytes of the archive, checked; a fetched archive is kept in the user's cache."""
    kept = user_cache_path("inkdigits") / RUNTIME
    path = given or kept
    if given is None and not kept.exists():
        write_bytes(kept, _checked(_fetched(), URL))
    try:
        return _checked(path.read_bytes(), str(path))
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror or error}") from error


def _checked(content: bytes, source: str) -> bytes:
    if hashlib.sha512(content).hexdigest() != SHA512:
        raise DataError(f"{source} is not {RUNTIME}: it has another sha512; remove it and try again")
    return content


def _fetched() -> bytes:
    if offline():
        raise FetchError(f"{RUNTIME} is not cached, and INKDIGITS_OFFLINE forbids fetching it")
    try:
        with urllib.request.urlopen(URL, timeout=TIMEOUT) as response:
            return bytes(response.read())
    except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", None) or error
        raise FetchError(
            f"could not fetch {URL} ({reason}); check the network, or get the file with npm pack"
        ) from error
