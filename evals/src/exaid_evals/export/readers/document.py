"""JSON documents of other tools: BOMs and NaN are what they write, and are told."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import orjson

from exaid_evals.errors import DataError
from exaid_evals.export.content import chunks

MAX_BYTES = 64 * 1024 * 1024


def read_document(path: Path, *, max_bytes: int = MAX_BYTES, keep_nan: bool = False) -> Any:
    """Return what a JSON file holds; NaN and infinities become None, unless they are to be kept.

    Of a key that stands twice the last is kept, as every JSON parser of the tools that write such files does.

    Raises:
        DataError: the file is missing, empty, too large, or no JSON.
    """
    content = bytearray()
    for chunk in chunks(path):
        content += chunk
        if len(content) > max_bytes:
            raise DataError(f"is larger than {max_bytes >> 20} MiB", where=str(path), remedy="is it the right file?")
    data = bytes(content).removeprefix(b"\xef\xbb\xbf")
    if not data.strip():
        raise DataError("is empty", where=str(path), remedy="write it again")
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        return _slowly(data, path, error, keep_nan=keep_nan)


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file.

    Raises:
        DataError: as `read_document`; or the file holds something else.
    """
    value = read_document(path)
    if not isinstance(value, dict):
        raise DataError(f"holds a {type(value).__name__}, where an object must stand", where=str(path))
    return value


def _slowly(data: bytes, path: Path, error: orjson.JSONDecodeError, *, keep_nan: bool) -> Any:
    """Parse what Python's own writer makes and JSON does not allow."""
    try:
        constant, real = (float, float) if keep_nan else (lambda _: None, _finite)
        return json.loads(data.decode("utf-8"), parse_constant=constant, parse_float=real)
    except UnicodeDecodeError:
        raise DataError("is no UTF-8", where=str(path), remedy="save it as UTF-8") from None
    except (ValueError, RecursionError):
        raise DataError(
            f"not valid JSON ({error.msg})",
            where=f"{path}:{error.lineno}",
            remedy="correct the file, or write it again",
        ) from None


def _finite(digits: str) -> float | None:
    value = float(digits)
    return value if math.isfinite(value) else None
