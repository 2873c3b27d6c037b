"""The ledger: finished work is not done again, and only finished work."""

from __future__ import annotations

from pathlib import Path

import pytest

from exaid_evals.artifacts.jsonl import read_jsonl, write_jsonl
from exaid_evals.artifacts.ledger import Ledger, fingerprint, source_hash

INPUTS = fingerprint(case="case-1", seed=42)


def _made(folder: Path, name: str) -> Path:
    path = folder / f"{name}.jsonl.gz"
    write_jsonl(path, [{"made": name}])
    return path


def test_what_was_recorded_is_current_in_the_next_run(tmp_path: Path) -> None:
    """Key, inputs and content agree: nothing is to be done."""
    output = _made(tmp_path, "a")
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        assert not ledger.is_current("a", INPUTS, output)
        ledger.record("a", INPUTS, output)
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        assert ledger.is_current("a", INPUTS, output)
        assert not ledger.is_current("b", INPUTS, output)


def test_changed_inputs_tampered_and_missing_outputs_are_made_again(tmp_path: Path) -> None:
    """Each of the three makes an entry stale; packing the same content anew does not."""
    output = _made(tmp_path, "a")
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        ledger.record("a", INPUTS, output)
        assert not ledger.is_current("a", fingerprint(case="case-1", seed=43), output)
        write_jsonl(output, [{"made": "a"}])
        assert ledger.is_current("a", INPUTS, output)
        write_jsonl(output, [{"made": "b"}])
        assert not ledger.is_current("a", INPUTS, output)
        output.unlink()
        assert not ledger.is_current("a", INPUTS, output)


@pytest.mark.parametrize("damage", [b"", b"half a gzip"], ids=["empty", "rubbish"])
def test_a_damaged_output_is_made_again(tmp_path: Path, damage: bytes) -> None:
    """An output that cannot even be read is stale; it does not stop the run that would remake it."""
    output = _made(tmp_path, "a")
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        ledger.record("a", INPUTS, output)
        output.write_bytes(damage)
        assert not ledger.is_current("a", INPUTS, output)


def test_a_killed_run_loses_nothing_but_half_a_line(tmp_path: Path) -> None:
    """Entries stand in the file as soon as they are recorded; a line that a kill cut is ignored."""
    path = tmp_path / "ledger.jsonl"
    a, b = _made(tmp_path, "a"), _made(tmp_path, "b")
    killed = Ledger(path).__enter__()
    killed.record("a", INPUTS, a)
    killed.record("b", INPUTS, b)
    path.write_bytes(path.read_bytes()[:-20])
    with Ledger(path) as ledger:
        assert (ledger.is_current("a", INPUTS, a), ledger.is_current("b", INPUTS, b)) == (True, False)
        ledger.record("b", INPUTS, b)
    with Ledger(path) as ledger:
        assert (ledger.is_current("a", INPUTS, a), ledger.is_current("b", INPUTS, b)) == (True, True)


def test_an_entry_after_half_a_line_is_not_lost(tmp_path: Path) -> None:
    """A second kill right after the first: what was recorded between them is still there."""
    path = tmp_path / "ledger.jsonl"
    a, b = _made(tmp_path, "a"), _made(tmp_path, "b")
    Ledger(path).__enter__().record("a", INPUTS, a)
    path.write_bytes(path.read_bytes()[:-20])
    killed = Ledger(path).__enter__()
    killed.record("b", INPUTS, b)
    with Ledger(path) as ledger:
        assert (ledger.is_current("a", INPUTS, a), ledger.is_current("b", INPUTS, b)) == (False, True)


def test_a_hostile_ledger_is_an_empty_one(tmp_path: Path) -> None:
    """Entries of other shapes are not entries, and stop nothing."""
    path = tmp_path / "ledger.jsonl"
    output = _made(tmp_path, "a")
    path.write_bytes(b'{"key":["a"],"inputs":1,"output":null}\n[]\n\xff\n{"key":"a"}\n')
    with Ledger(path) as ledger:
        assert not ledger.is_current("a", INPUTS, output)


def test_the_bytes_do_not_tell_the_order_of_the_work(tmp_path: Path) -> None:
    """Eight workers and one leave the same file, an interruption too, and forgotten keys are gone."""
    for name in ("a", "b", "c"):
        _made(tmp_path, name)

    def work(order: str, path: Path) -> None:
        with Ledger(path) as ledger:
            for name in order:
                ledger.record(name, INPUTS, tmp_path / f"{name}.jsonl.gz")
            ledger.keep_only(["b", "a", "x"])
            raise KeyboardInterrupt

    for order, path in (("abc", tmp_path / "1.jsonl"), ("cab", tmp_path / "2.jsonl")):
        with pytest.raises(KeyboardInterrupt):
            work(order, path)
    assert (tmp_path / "1.jsonl").read_bytes() == (tmp_path / "2.jsonl").read_bytes()
    assert [entry["key"] for entry in read_jsonl(tmp_path / "1.jsonl")] == ["a", "b"]


def test_forgetting_every_entry_forgets_them(tmp_path: Path) -> None:
    """A campaign that keeps none of its outputs does not get the old entries back from the file."""
    output = _made(tmp_path, "a")
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        ledger.record("a", INPUTS, output)
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        ledger.keep_only([])
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        assert not ledger.is_current("a", INPUTS, output)


def test_the_fingerprint_holds_inputs_and_source() -> None:
    """Inputs count by content, not by order; the package's own source counts too."""
    assert fingerprint(a=1, b=2) == fingerprint(b=2, a=1)
    assert fingerprint(a=1) != fingerprint(a=2)
    assert source_hash().startswith("sha256:")
    assert fingerprint(source=None) != fingerprint()


def test_nothing_to_do_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger that says the same after as before is left alone, so that a read-only campaign can be looked at."""
    output = tmp_path / "out"
    output.write_text("x")
    path = tmp_path / "ledger.jsonl"
    with Ledger(path) as ledger:
        ledger.record("b", "1", output)
        ledger.record("a", "1", output)
    before = path.read_bytes()

    def refuse(*_: object) -> None:
        raise AssertionError("written")

    monkeypatch.setattr("exaid_evals.artifacts.atomic.write_bytes", refuse)
    with Ledger(path) as ledger:
        assert ledger.is_current("a", "1", output)
        ledger.keep_only(["a", "b"])
    with Ledger(tmp_path / "none" / "ledger.jsonl"):
        pass
    assert (path.read_bytes(), (tmp_path / "none").exists()) == (before, False)
