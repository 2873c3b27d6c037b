"""One compiled lexicon for all tests of this folder, in a cache of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from exaid_evals.concepts import Extractor, load_extractor, read_stop_entities

STOP_ENTITIES = Path(__file__).parents[2] / "configs" / "stop_entities.txt"


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache folder for the session, empty at first."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXAID_CACHE_DIR", str(folder))
        yield folder


@pytest.fixture(scope="session")
def lexicon(cache_dir: Path) -> Extractor:
    """The default extractor with the project's stop list, compiled here."""
    assert not list(cache_dir.iterdir())  # else the tests would not see what the code compiles
    return load_extractor("lexicon", {}, stop_entities=read_stop_entities(STOP_ENTITIES))
