"""What we write in a format of others is what its importer reads, message by message."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exaid_evals.config.campaign import Campaign
from exaid_evals.traces.freeze import freeze_traces, verify_frozen
from exaid_evals.traces.importers.base import IMPORTERS, importer_of
from exaid_evals.traces.importers.csv_table import SPREADSHEET_ERRORS
from exaid_evals.traces.importers.source import Source
from exaid_evals.traces.model import Message, read_trace
from traces.importers.reading import read
from traces.importers.writers import WRITERS

# What a spreadsheet writes in place of words is refused in tables, and tested there.
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).filter(
    lambda text: text.strip() and text.strip() not in SPREADSHEET_ERRORS
)
_SAID = st.tuples(
    st.sampled_from(["supervisor", "doctor0", "doctor1", "doctor2"]),
    _TEXT,
    st.integers(0, 60_000),
    st.none() | st.integers(0, 9999),
)


def _messages(said: list[tuple[str, str, int, int | None]]) -> list[Message]:
    messages = []
    at = 0
    for number, (agent, content, gap, tokens) in enumerate(said):
        at += gap if number else 0
        messages.append(Message(agent, content, provider_token_count=tokens, end_t_rel_ms=at))
    return messages


@pytest.mark.parametrize("name", WRITERS)
@settings(max_examples=15)
@given(
    conversations=st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9]{0,6}", fullmatch=True),
        st.lists(_SAID, min_size=1, max_size=6),
        min_size=1,
        max_size=3,
    )
)
def test_messages_come_back(name: str, conversations: dict[str, list[tuple[str, str, int, int | None]]]) -> None:
    """Agents, texts, order, cases, and times and token counts where the format has them, are those written."""
    write, _, has_times, has_tokens = WRITERS[name]
    expected = {case: _messages(said) for case, said in conversations.items()}
    with tempfile.TemporaryDirectory() as folder:
        imported = read(*write(Path(folder), expected))
    assert imported.left_out.total() == 0
    assert [trace.case_id for trace in imported.traces] == [f"case-{case}" for case in expected]
    for trace, messages in zip(imported.traces, expected.values(), strict=True):
        wanted = [
            replace(item, provider_token_count=item.provider_token_count if has_tokens else None) for item in messages
        ]
        if not has_times:
            wanted = [replace(item, end_t_rel_ms=None) for item in wanted]
        # A span has a beginning too.
        assert [replace(item, t_rel_ms=None) for item in trace.messages] == wanted


@pytest.mark.parametrize("name", WRITERS)
def test_each_format_is_claimed_by_its_importer(name: str, tmp_path: Path) -> None:
    """Looking at a file is enough to know its format."""
    write, importer, _, _ = WRITERS[name]
    paths = write(
        tmp_path, {"a1": [Message("supervisor", "Fever.", end_t_rel_ms=0), Message("doctor0", "No.", end_t_rel_ms=9)]}
    )
    assert [importer_of(Source(path)).name for path in paths] == [importer] * len(paths)


def test_every_importer_is_written_for() -> None:
    """No importer is without a round trip."""
    assert {importer for _, importer, _, _ in WRITERS.values()} == set(IMPORTERS)


@pytest.mark.parametrize("name", WRITERS)
def test_what_is_frozen_is_what_was_read(name: str, tmp_path: Path) -> None:
    """Frozen traces verify, and hold the messages with their streams and times."""
    write, _, _, _ = WRITERS[name]
    asked = Message("doctor0", "Since when?", provider_token_count=7, end_t_rel_ms=900)
    conversations = {"a1": [Message("supervisor", "Fever.", end_t_rel_ms=0), asked]}
    imported = read(*write(tmp_path, conversations))
    campaign = Campaign(tmp_path / "data")
    manifest = freeze_traces(campaign, imported.traces, note=imported.note)
    assert verify_frozen(campaign) == manifest
    [trace] = [read_trace(campaign.trace_file("case-a1"))]
    assert trace.messages == imported.traces[0].messages
    assert manifest.generation.decoding_note == imported.note
