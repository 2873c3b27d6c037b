"""A value from the command line or the environment. Apart from `config.base`, since `--help` needs no validation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Override:
    """A value that goes before the file's.

    Attributes:
        value: what was given.
        source: where it came from, as shown to the user (`--limit`, `EXAID_JOBS`).
    """

    value: Any
    source: str
