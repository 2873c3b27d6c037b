"""Content hashes, written `sha256:<hex>`, and the signature: one line, beside every number, that says how it was made.

Hashes are of content, never of how a compressor happened to pack it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exaid_evals import __version__
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
