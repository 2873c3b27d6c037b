"""One lexicon for all tests of this folder, compiled once in a test run, into a cache of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from exaid_evals.concepts import Extractor, load_extractor, read_stop_entities
from sharing import shared_folder

STOP_ENTITIES = Path(__file__).parents[2] / "configs" / "stop_entities.txt"


def _compile(cache: Path) -> Extractor:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXAID_CACHE_DIR", str(cache))
        return load_extractor("lexicon", {}, stop_entities=read_stop_entities(STOP_ENTITIES))


@pytest.fixture(scope="session")
def cache_dir() -> Iterator[Path]:
    """A cache folder of the test run, with the default extractor and the project's stop list, compiled into it."""
    folder = shared_folder("concepts", _compile)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXAID_CACHE_DIR", str(folder))
        yield folder


@pytest.fixture(scope="session")
def lexicon(cache_dir: Path) -> Extractor:
    """That extractor."""
    return _compile(cache_dir)
