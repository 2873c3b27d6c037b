"""Content of files, read in bounded memory, and its hash, `sha256:<hex>`; the signature that stands beside numbers.

Hashes are of content, never of how a compressor happened to pack it.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from exaid_evals import __version__
from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.artifacts.storage import open_stored
from exaid_evals.errors import DataError
from exaid_evals.files import CHUNK_BYTES, read_regular, unreadable

_GZIP = 16 + zlib.MAX_WBITS
_MAGIC = b"\x1f\x8b\x08"
_STEP = 256
_MOST_SALVAGED = 2 << 30


def content_chunks(path: Path) -> Iterator[bytes]:
    """Yield a file's content in chunks of at most a mebibyte.

    zlib is used directly: the gzip module makes a line of Python out of every read, and unpacks as much as a
    chunk of input holds, which a bomb can make a thousandfold.

    Raises:
        DataError: the file is missing, no ordinary file, unreadable, truncated or damaged.
    """
    where = str(path)
    with open_stored(path) as stream:
        try:
            yield from _unpacked(stream) if path.suffix == ".gz" else iter(lambda: stream.read(CHUNK_BYTES), b"")
        except EOFError:
            remedy = "write or copy it again"
            raise DataError("truncated gzip: the file ends early", where=where, remedy=remedy) from None
        except zlib.error as error:
            raise DataError(f"damaged gzip ({error})", where=where, remedy="write or copy it again") from None
        except OSError as error:
            raise unreadable(path, error) from None


def _unpacked(stream: BinaryIO) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(_GZIP)
    within_member = False
    while packed := stream.read(CHUNK_BYTES):
        while packed:
            within_member = True
            chunk = unpacker.decompress(packed, CHUNK_BYTES)
            if chunk:
                yield chunk
            if unpacker.eof:
                # Members may follow one another, with padding of zeros between them and after the last.
                packed = unpacker.unused_data.lstrip(b"\0")
                unpacker = zlib.decompressobj(_GZIP)
                within_member = False
            else:
                packed = unpacker.unconsumed_tail
    if within_member:
        raise EOFError


def salvaged_chunks(path: Path) -> Iterator[bytes]:
    """Yield what can be unpacked of a file of gzip members, whatever is damaged between them; plain content as it is.

    Wherever unpacking fails, a newline ends what came of that member, so that nothing joins it to the next.

    Raises:
        DataError: the file cannot be opened, or unpacks to more than a recording can hold.
    """
    data = read_regular(path, _MOST_SALVAGED)
    if path.suffix != ".gz":
        yield data
        return
    content = memoryview(data)  # slices of it are no copies
    left, position = _MOST_SALVAGED, 0
    while (position := data.find(_MAGIC, position)) >= 0:
        unpacker, whole, at = zlib.decompressobj(_GZIP), False, position
        try:
            while at < len(content) and not whole:
                # In small steps: what comes before the damage is given out.
                chunk = unpacker.decompress(content[at : at + _STEP], CHUNK_BYTES)
                at += _STEP - len(unpacker.unconsumed_tail)
                left -= len(chunk)
                if left < 0:
                    raise DataError("unpacks to too much", where=str(path), remedy="name the right file")
                yield chunk
                whole = unpacker.eof
        except zlib.error:
            pass
        if whole:
            position = min(at, len(content)) - len(unpacker.unused_data)
        else:
            yield b"\n"
            position += 1


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


@dataclass(frozen=True, slots=True)
class Signature:
    """What a number depends on. Hashes are of whole structures, so no setting can be forgotten.

    Attributes:
        trace_dataset_hash: of the frozen traces.
        config_hash: of the whole resolved configuration (variants, clients, metrics).
        extractor_id: of the concept extractor.
        llm_id: of the language-model client.
        bootstrap_resamples: number of resamples.
        bootstrap_seed: seed of the resamples.
        stub: whether traces or language model were simulated.
        time_basis: whether the times of the text were recorded: `recorded`, `partly`, `assumed`; None where no case has
            a conversation, or none is involved.
        version: of this package.
    """

    trace_dataset_hash: str
    config_hash: str
    extractor_id: str
    llm_id: str
    bootstrap_resamples: int
    bootstrap_seed: int
    stub: bool
    time_basis: str | None = None
    version: str = __version__

    def __str__(self) -> str:
        """Return the line.

        >>> hashes = "sha256:" + "a" * 64, "sha256:" + "b" * 64
        >>> str(Signature(*hashes, "lexicon-1", "stub-1", 10000, 42, True, "recorded", "1.0"))
        'exaid-evals/1.0|traces:aaaaaaaa|cfg:bbbbbbbb|concepts:lexicon-1|llm:stub-1|boot:10000/42|time:recorded|stub:yes'
        """
        return "|".join(
            (
                f"exaid-evals/{self.version}",
                f"traces:{short(self.trace_dataset_hash)}",
                f"cfg:{short(self.config_hash)}",
                f"concepts:{self.extractor_id}",
                f"llm:{self.llm_id}",
                f"boot:{self.bootstrap_resamples}/{self.bootstrap_seed}",
                *([f"time:{self.time_basis}"] if self.time_basis else []),
                f"stub:{'yes' if self.stub else 'no'}",
            )
        )
