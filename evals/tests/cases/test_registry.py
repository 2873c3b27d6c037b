"""Which cases are taken, and the names of the selection."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaid_evals.cases import mac
from exaid_evals.cases.base import SourceContext
from exaid_evals.cases.registry import case_list_hash, mas_run_id, select
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.mas_generation import DatasetConfig, SelectionMode
from exaid_evals.errors import ConfigError

IDS = [f"case-{number:03d}" for number in range(100)]


def test_known_selection(mac_dir: Path) -> None:
    """MAC's 302 cases and the defaults give the published subset."""
    cases = mac.load(SourceContext(DatasetConfig(), Campaign(Path("unused")), mac_dir))
    selected = select((case.case_id for case in cases), DatasetConfig())
    assert len(cases) == 302
    assert len(selected) == 40
    first = ("case-33651373", "case-34895021", "case-34922935", "case-34989141", "case-34991189")
    assert selected[:5] == first


@given(st.permutations(IDS[:30]), st.integers(0, 1000), st.integers(1, 30))
def test_selection_is_the_stated_rule(ids: list[str], seed: int, n: int) -> None:
    """Sorted, sampled by Python's generator, sorted again, whatever order the ids come in."""
    expected = sorted(random.Random(seed).sample(sorted(ids), n))  # noqa: S311 - the rule under test
    assert list(select(ids, DatasetConfig(seed=seed, n_cases=n))) == expected


def test_all_takes_all_and_limit_the_first() -> None:
    """`mode: all` takes every case; a limit cuts the sorted selection."""
    everything = DatasetConfig(mode=SelectionMode.ALL)
    assert select(reversed(IDS), everything) == tuple(IDS)
    assert select(IDS, everything, limit=3) == tuple(IDS[:3])
    assert select(IDS, DatasetConfig(), limit=3) == select(IDS, DatasetConfig())[:3]


def test_wanted_cases_are_taken_selected_or_not() -> None:
    """Named cases replace the selection; their prefix may be left out, and repetition does nothing."""
    assert select(IDS, DatasetConfig(), wanted=["099", "case-000", "099"]) == ("case-000", "case-099")


def test_unknown_cases_are_all_named_with_near_ones() -> None:
    """Every unknown id stands in one error, with what may have been meant."""
    with pytest.raises(ConfigError, match="case-0999") as caught:
        select(IDS, DatasetConfig(), wanted=["case-0999", "../x", "case-001"])
    assert "did you mean case-099" in str(caught.value)
    assert "'../x' makes no case id" in str(caught.value)


def test_subset_larger_than_the_data_set_is_refused() -> None:
    """More cases than there are is a configuration error that says how many there are."""
    with pytest.raises(ConfigError, match="only 100 cases"):
        select(IDS, DatasetConfig(n_cases=101))


def test_hashes_are_of_json_with_default_separators() -> None:
    """The two hashes that other tools recompute follow json.dumps' defaults."""
    listed = '["case-000", "case-001"]'
    assert case_list_hash(IDS[:2]) == f"sha256:{hashlib.sha256(listed.encode()).hexdigest()}"
    text = json.dumps({"mac_commit": "abc", "model": "m", "cases": ["b", "a"]}, sort_keys=True)
    assert text == '{"cases": ["b", "a"], "mac_commit": "abc", "model": "m"}'
    run_id = mas_run_id(mac_commit="abc", model="m", cases=["b", "a"])
    assert run_id == "mas-" + hashlib.sha256(text.encode()).hexdigest()[:16]


def test_an_empty_selection_is_refused() -> None:
    """A data set without cases would give tables without numbers."""
    for ids, wanted in (([], None), (["case-1"], [])):
        with pytest.raises(ConfigError, match="no case is selected"):
            select(ids, DatasetConfig(mode="all"), wanted=wanted)
