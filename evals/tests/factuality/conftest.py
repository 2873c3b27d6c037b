"""The extractor of the default configuration, and what reads and compares with it."""

from __future__ import annotations

import pytest

from exaid_evals.concepts import load_extractor, read_stop_entities
from exaid_evals.config.campaign import configs_dir
from exaid_evals.factuality.reference import Comparison


@pytest.fixture(scope="session")
def comparison() -> Comparison:
    """Compares with the lexicon."""
    stop = read_stop_entities(configs_dir() / "stop_entities.txt")
    return Comparison(load_extractor("lexicon", {}, stop_entities=stop), stop)
