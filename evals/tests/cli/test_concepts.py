"""`exaid-evals concepts`: what it reads, what it writes."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from exaid_evals.cli.main import run

NOTE = "No fever, but <seizures> & short stature. Her mother had ptosis."


def concepts(stdin: bytes, *arguments: str) -> tuple[int, str, str]:
    """Run the verb on standard input; return status, stdout and stderr."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(stdin)))
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        status = run(["concepts", *arguments])
    return status, out.getvalue(), err.getvalue()


def test_each_document_gives_a_record_with_flags() -> None:
    """JSON Lines in, JSON Lines out: ids kept, offsets in code points, negation and experiencer of each mention."""
    lines = [json.dumps({"id": "ä", "text": f"😀 {NOTE}"}), "", json.dumps({"text": ""})]
    status, out, err = concepts("\n".join(lines).encode())
    first, second = map(json.loads, out.splitlines())
    assert (status, err, first["id"]) == (0, "", "ä")
    assert second == {"id": 3, "concepts": []}
    found = {one["text"]: (one["id"], one["name"], one["negated"], one["experiencer"]) for one in first["concepts"]}
    assert found == {
        "fever": ("HP:0001945", "Fever", True, "patient"),
        "seizures": ("HP:0001250", "Seizure", False, "patient"),
        "short stature": ("HP:0004322", "Short stature", False, "patient"),
        "ptosis": ("HP:0000508", "Ptosis", False, "other"),
    }
    assert all(f"😀 {NOTE}"[one["start"] : one["end"]] == one["text"] for one in first["concepts"])


def test_a_person_gets_a_table_or_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A text file is one document, named after the file; the page escapes the text around what it highlights."""
    (tmp_path / "note.txt").write_text(NOTE, encoding="utf-8")
    assert run(["concepts", str(tmp_path / "note.txt"), "--format", "table"]) == 0
    table = capsys.readouterr().out.splitlines()
    assert table[1].split() == ["note", "3-8", "fever", "HP:0001945", "Fever", "denied"]
    assert table[-1] == "4 mentions"
    assert run(["concepts", str(tmp_path / "note.txt"), "--html"]) == 0
    page = capsys.readouterr().out
    assert "&lt;<mark" in page
    assert "Content-Security-Policy" in page
    assert "<seizures>" not in page
    assert 'title="Fever (denied)"' in page


def test_what_comes_in_goes_out_before_the_end() -> None:
    """Standard input is read batch by batch: with more than a batch read, the first records are out, memory bounded."""
    lines = [json.dumps({"id": number, "text": "fever"}).encode() + b"\n" for number in range(1000)]
    out, seen = io.StringIO(), []

    def readline(_: int) -> bytes:
        seen.append(out.getvalue().count("\n"))
        return lines.pop(0) if lines else b""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", SimpleNamespace(buffer=SimpleNamespace(readline=readline)))
        patch.setattr(sys, "stdout", out)
        assert run(["concepts"]) == 0
    assert out.getvalue().count("\n") == 1000
    assert seen[255:258] == [0, 256, 256]
    assert seen[-1] == 768


def test_a_page_keeps_lines_and_obeys_nothing() -> None:
    """Line ends and tabs stand as in the text, and a character that turns text round is shown, not obeyed."""
    _, page, _ = concepts("No fever.\r\n\tSeizures\u202e <b>".encode(), "--format", "html")
    assert "</mark>.\n    <mark" in page
    assert "\\u202e &lt;b&gt;" in page


@pytest.mark.parametrize(
    ("stdin", "message"),
    [
        (b'{"id": 1, "text": "a"}\n{"id": 2}\n', "standard input:2: the record has no text"),
        (b'{"id": 1, "text": ["a"]}', "standard input:1: the record has no text"),
        (b'{"id": 1, "text": "a"', "standard input:1: not valid JSON"),
        (b"\xff\xfe", "standard input: invalid UTF-8 at byte 0; save it as UTF-8"),
    ],
)
def test_what_cannot_be_read_is_named(stdin: bytes, message: str) -> None:
    """A wrong line is an error with its number and a remedy, exit status 1."""
    status, _, err = concepts(stdin)
    assert status == 1
    assert message in err
    assert "Traceback" not in err
