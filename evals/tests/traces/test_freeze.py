"""The freeze: what was written is what is read, or nothing is read."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from conversations import EPOCH, PROVENANCE, conversation, freeze
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import DataError, FrozenError
from exaid_evals.traces.freeze import freeze_traces, verify_frozen
from exaid_evals.traces.model import Message, Trace


@pytest.fixture(name="frozen")
def _frozen(tmp_path: Path) -> Campaign:
    return freeze(tmp_path / "data", [conversation("Fever.", "Rash.", case_id=f"case-{name}") for name in "abc"])


def test_untouched_traces_pass(frozen: Campaign) -> None:
    """The manifest comes back."""
    assert [entry.case_id for entry in verify_frozen(frozen).entries] == ["case-a", "case-b", "case-c"]


def test_changed_missing_and_extra_files_are_all_named(frozen: Campaign) -> None:
    """One error names every file and what is wrong with it."""
    with gzip.open(frozen.trace_file("case-a"), "ab") as stream:
        stream.write(b"{}\n")
    frozen.trace_file("case-b").unlink()
    (frozen.traces / "case-x.jsonl.gz").write_bytes(b"")
    (frozen.traces / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(FrozenError) as caught:
        verify_frozen(frozen)
    lines = [line.strip() for line in str(caught.value).splitlines()[1:]]
    assert lines == [
        "- changed: traces/case-a.jsonl.gz",
        "- missing: traces/case-b.jsonl.gz",
        "- extra, not in the manifest: traces/case-x.jsonl.gz",
        "- extra, not in the manifest: traces/notes.txt",
        "restore the files; or discard them: `exaid-evals make-traces --force` makes all again, and what was "
        "imported is imported into another --data-dir",
    ]


def test_unfit_traces_are_refused_at_once(tmp_path: Path) -> None:
    """Every problem is named, with what is allowed, and nothing is written."""
    unfit = [
        Trace("case A", EPOCH, (Message("Doctor", "Fever.", 0), Message("doctor0", "Rash.", 5, ((5, 2),))), PROVENANCE),
        Trace(
            "case-b",
            EPOCH,
            (Message("doctor0", "a", 0), Message("doctor1", "b", 9), Message("doctor2", "c", 8)),
            PROVENANCE,
        ),
        Trace("case-c", EPOCH, (Message("doctor0", "a", 1734609600000),), PROVENANCE),
        Trace("case-d", "yesterday", (), PROVENANCE),
    ]
    with pytest.raises(DataError) as caught:
        freeze_traces(Campaign(tmp_path / "data"), unfit, note="mine")
    text = str(caught.value)
    for expected in (
        "message 1: the stream's chunks have 2 characters, and the content 5",
        'case A: case_id: "case A" does not match "^case-[a-z0-9]',
        "case A, message 0: agent_id: 'Doctor' is none of doctor0, doctor1, doctor2, supervisor",
        "case-b, message 2: its time is 8 ms, before the message above at 9",
        "case-c, message 0: 1734609600000 ms is longer than a conversation may last",
        "case-d: has no message",
        "case-d: epoch: 'yesterday' is not an RFC 3339 time stamp",
    ):
        assert expected in text
    assert not (tmp_path / "data").exists()


def test_repacking_is_no_change(frozen: Campaign) -> None:
    """The content counts, not how a compressor packed it."""
    path = frozen.trace_file("case-a")
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), compresslevel=1, mtime=99))
    verify_frozen(frozen)


def test_truncated_file_is_named(frozen: Campaign) -> None:
    """A gzip that ends early is damaged, not a crash."""
    path = frozen.trace_file("case-c")
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(FrozenError, match=r"damaged.*case-c"):
        verify_frozen(frozen)


def test_temporary_and_hidden_files_are_passed_over(frozen: Campaign) -> None:
    """What an interrupted writer leaves is nobody's data."""
    (frozen.traces / ".case-a.jsonl.gz.1234.tmp").write_bytes(b"half")
    (frozen.traces / "case-a.jsonl.gz~").write_bytes(b"")
    verify_frozen(frozen)


def test_without_a_manifest_nothing_is_frozen(tmp_path: Path) -> None:
    """The error says which command freezes traces."""
    with pytest.raises(DataError, match="make-traces"):
        verify_frozen(Campaign(tmp_path))


def test_a_hostile_name_does_not_break_the_list(frozen: Campaign) -> None:
    """Control characters of a file's name are shown escaped, so that one problem is one line."""
    (frozen.traces / "case-a\nb\x1b[31m.jsonl").write_bytes(b"")
    with pytest.raises(FrozenError) as caught:
        verify_frozen(frozen)
    assert str(caught.value).count("\n") == 0
    assert "traces/case-a\\nb\\x1b[31m.jsonl" in str(caught.value)
