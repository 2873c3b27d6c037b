"""Content hashes, written `sha256:<hex>`. They hash content, never how a compressor happened to pack it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.artifacts.content import content_chunks
from exaid_evals.errors import DataError


def sha256_bytes(data: bytes) -> str:
    """Hash bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def sha256_text(text: str) -> str:
    """Hash a text's UTF-8 form."""
    return sha256_bytes(text.encode("utf-8"))


def sha256_structure(value: Any) -> str:
    """Hash a structure's canonical JSON."""
    return sha256_bytes(canonical_bytes(value))


def sha256_of_items(items: Iterable[Any]) -> str:
    """Return what `sha256_structure` gives of a list, holding one item of it at a time."""
    digest, separator = hashlib.sha256(b"["), b""
    for item in items:
        digest.update(separator + canonical_bytes(item))
        separator = b","
    digest.update(b"]")
    return f"sha256:{digest.hexdigest()}"


def short(digest: str) -> str:
    """Return the first 8 hexadecimal digits of a digest, as signatures show it."""
    return digest.removeprefix("sha256:")[:8]


def sha256_file(path: Path) -> str:
    """Hash a file's content: a .gz unpacked, a .png by its size, mode and pixels, anything else as it is.

    Raises:
        DataError: the file cannot be read or unpacked.
    """
    digest = hashlib.sha256()
    for chunk in _pixels(path) if path.suffix == ".png" else content_chunks(path):
        digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"


def _pixels(path: Path) -> Iterator[bytes]:
    from PIL import Image

    try:
        with Image.open(path) as image:
            yield f"{image.mode} {image.size}\n".encode()
            yield image.tobytes()
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be read ({error})", where=str(path), remedy="write or copy it again") from None
