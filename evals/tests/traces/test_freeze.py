"""The freeze: what was written is what is read, or nothing is read."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import DataError, FrozenError
from exaid_evals.traces.freeze import verify_frozen
from talks import freeze, talk


@pytest.fixture(name="frozen")
def _frozen(tmp_path: Path) -> Campaign:
    return freeze(tmp_path / "data", [talk("Fever.", "Rash.", case_id=f"case-{name}") for name in "abc"])


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
        "; restore the files, or make all traces again with `exaid-evals make-traces --force`",
    ]


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
