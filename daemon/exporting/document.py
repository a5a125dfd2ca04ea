"""A JSON document that grows row by row, in little memory however long it becomes."""

import contextlib
import io
import json
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, BinaryIO, Self, cast

from config.units import MIB

IN_MEMORY_BYTES = MIB
"""Up to here a document stays in memory and is sent as it is; a longer one is compressed into a file."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What is to be sent, read from its beginning."""

    name: str
    mime_type: str
    content: BinaryIO


class Document:
    """Lists of rows by name, one row a line. A context manager, which gives back memory and disk at its end.

    The file on the disk has no name: nothing is left of it after a crash.
    """

    def __init__(self, stem: str, directory: Path) -> None:
        self._stem = stem
        self._directory = directory
        self._plain = io.BytesIO()
        self._packed: BinaryIO | None = None
        self._archive: zipfile.ZipFile | None = None
        self._member: IO[bytes] | None = None
        self._separator = "{"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.suppress(OSError):  # the disk may be full, and what was written is not wanted
            for opened in (self._member, self._archive, self._packed):
                if opened is not None:
                    opened.close()

    def begin(self, name: str) -> None:
        """Begin a list."""
        self._write(f"{self._separator}\n{json.dumps(name)}: [")
        self._separator = ""

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add rows to the list that was begun last.

        :raises OSError: the disk is full.
        """
        for row in rows:
            self._write(f"{self._separator}\n  {json.dumps(row, ensure_ascii=False)}")
            self._separator = ","

    def end(self) -> None:
        """End the list that was begun last."""
        self._write("]")
        self._separator = ","

    def finish(self) -> Finished:
        """End the document."""
        self._write("\n}\n")
        if self._packed is None or self._member is None or self._archive is None:
            return Finished(f"{self._stem}.json", "application/json", self._plain)
        self._member.close()
        self._archive.close()
        return Finished(f"{self._stem}.zip", "application/zip", self._packed)

    def _write(self, text: str) -> None:
        (self._member or self._plain).write(text.encode())
        if self._member is None and self._plain.tell() > IN_MEMORY_BYTES:
            self._compress()

    def _compress(self) -> None:
        """Go on in a compressed file."""
        self._packed = cast(BinaryIO, tempfile.TemporaryFile(dir=self._directory))
        self._archive = zipfile.ZipFile(self._packed, "w", zipfile.ZIP_DEFLATED)
        self._member = self._archive.open(f"{self._stem}.json", "w", force_zip64=True)
        self._member.write(self._plain.getvalue())
        self._plain = io.BytesIO()
