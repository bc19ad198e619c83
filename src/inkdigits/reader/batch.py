"""Reading on a cluster: a picklable callable that takes batches, for Ray Data, Spark or Daft."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from inkdigits.errors import InkdigitsError
from inkdigits.reader.reader import Reader
from inkdigits.reader.settings import Settings


class BatchReader:
    """Reads batches of encoded images. It can be pickled, and loads its model at the first call in each process.

    Parameters
    ----------
    model
        An .onnx file that each worker can read; None for the model that comes with the package.
    column
        Key of the images' bytes in a batch that is a mapping or a pandas frame.
    threads
        Cores that one call may use.
    **settings
        Those of :class:`inkdigits.reader.Settings`.
    """

    def __init__(
        self, model: str | Path | None = None, column: str = "bytes", threads: int = 1, **settings: Any
    ) -> None:
        Settings(**settings)
        self.model, self.column, self.threads, self.settings = model, column, threads, settings
        self._reader: Reader | None = None

    def __call__(self, batch: Any) -> Any:
        """Read a batch: a sequence of bytes, a mapping of columns (Ray Data), or a pandas frame (Spark's mapInPandas).

        Returns
        -------
        For a sequence of bytes, a list of dictionaries with ``text``, ``reading`` (JSON) and ``error`` (None, or one
        line). For a mapping or a frame, the same mapping or frame with those three columns of objects added.
        """
        if self._reader is None:
            self._reader = Reader(self.model, self.threads)
        frame = hasattr(batch, "assign")
        table = frame or isinstance(batch, Mapping)
        rows = [self._row(self._reader, image) for image in (batch[self.column] if table else batch)]
        if not table:
            return rows
        columns = {key: np.array([row[key] for row in rows], object) for key in ("text", "reading", "error")}
        return batch.assign(**columns) if frame else {**batch, **columns}

    def _row(self, reader: Reader, image: bytes | None) -> dict[str, str | None]:
        if image is None:  # a null of a table
            return {"text": None, "reading": None, "error": "there is no image"}
        try:
            pages = list(reader.read_pages(bytes(image), **self.settings))
        except InkdigitsError as error:
            return {"text": None, "reading": None, "error": str(error)}
        reading = json.dumps([page.to_dict() for page in pages])
        return {"text": "\n".join(page.text for page in pages), "reading": reading, "error": None}

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without the model, which each process loads itself."""
        return {**self.__dict__, "_reader": None}
