"""Export of the web page as a folder of static files. The network runs in the browser, and nothing is sent.

The WebAssembly build of ONNX Runtime comes from the npm registry, in one version with a known hash. It runs in one
thread, because more threads would need special headers from the web server.
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
TIMEOUT = 60.0  # seconds without an answer from the registry
MEMBERS = {  # files of the archive: the build without WebGPU, which would need eval
    "package/dist/ort.wasm.bundle.min.mjs": "ort.js",
    "package/dist/ort-wasm-simd-threaded.wasm": "ort.wasm",
}
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'"
)
HEAD = "<head>"
HEADER_END = "</header>"
NOTE = (
    "  <p>This copy runs in your browser and sends nothing. It reads only what is written here; "
    "<code>inkdigits serve</code> reads photos too.</p>\n  "
)


def export_web(out: Path, model: Path | None = None, runtime: Path | None = None) -> Path:
    """Write the page and the model to a folder, and return the path of index.html.

    Parameters
    ----------
    out
        The folder. It is created if needed, and files with the same names are replaced.
    model
        An .onnx file that ``inkdigits export`` wrote; None for the model in the package.
    runtime
        Archive of the npm package, :data:`RUNTIME`; None to take it from the cache or to download it.

    Raises
    ------
    ModelError
        When the model cannot be loaded.
    FetchError
        When the archive is not in the cache and cannot be downloaded.
    DataError
        When the archive has another hash.
    RunError
        When the folder cannot be written.
    """
    recognizer = Recognizer(model)
    archive = _runtime(runtime)
    package = Path(str(files("inkdigits")))  # no import of inkdigits.server, which needs the extra serve
    page, offline_reader = package / "server" / "static", package / "exporting" / "offline"
    for source in (*sorted(page.iterdir()), *sorted(offline_reader.glob("*.js"))):  # the second reader.js wins
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
    write_text(out / "index.html", html.replace(HEAD, policy, 1).replace(HEADER_END, NOTE + HEADER_END, 1))
    return out / "index.html"


def _runtime(given: Path | None) -> bytes:
    """Return the bytes of the archive after checking its hash. A download is stored in the user's cache."""
    cached = user_cache_path("inkdigits") / RUNTIME
    path = given or cached
    if given is None and not cached.exists():
        write_bytes(cached, _checked(_download(), URL))
    try:
        return _checked(path.read_bytes(), str(path))
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror or error}") from error


def _checked(content: bytes, source: str) -> bytes:
    if hashlib.sha512(content).hexdigest() != SHA512:
        raise DataError(f"{source} is not {RUNTIME}: it has another sha512; remove it and try again")
    return content


def _download() -> bytes:
    if offline():
        raise FetchError(f"{RUNTIME} is not in the cache, and INKDIGITS_OFFLINE forbids the download")
    try:
        with urllib.request.urlopen(URL, timeout=TIMEOUT) as response:
            return bytes(response.read())
    except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", None) or error
        raise FetchError(f"could not download {URL} ({reason}); check the network, or get it with npm pack") from error
