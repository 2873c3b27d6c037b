"""`exaid-evals notes`: what it reads, what it writes."""

from __future__ import annotations

import io
import json
import sys
from types import SimpleNamespace

import pytest

from exaid_evals.cli.main import run

NOTES = [
    {"id": "a", "summary": "No fever. Right ear pain.", "source": ["Fever?", "No. My left ear hurts."]},
    {"id": "b", "summary": "Ataxia.", "reference": "Ataxia, dysarthria."},
    {"summary": "", "dialogue": "Nothing."},
]


def notes(stdin: str, *arguments: str) -> tuple[int, str, str]:
    """Run the verb on standard input; return status, stdout and stderr."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(stdin.encode())))
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        status = run(["notes", *arguments])
    return status, out.getvalue(), err.getvalue()


def test_each_note_gives_measures_and_verdicts() -> None:
    """What has no reference has no measure against one; shares of no statement are null."""
    status, out, err = notes("\n".join(map(json.dumps, NOTES)))
    first, second, third = map(json.loads, out.splitlines())
    assert (status, err) == (0, "")
    assert [one["verdict"] for one in first["statements"]] == ["supported", "contradicted"]
    assert first["measures"] == {"supported": 0.5, "contradicted": 0.5, "not_found": 0.0, "statements": 2.0}
    assert (second["measures"]["concept_recall"], second["measures"]["concept_precision"]) == (0.5, 1.0)
    assert (third["id"], third["measures"]["supported"]) == (3, None)


def test_the_table_has_means_and_what_is_not_supported() -> None:
    """A person sees how many notes define each measure, and each doubtful statement with its reason."""
    status, out, _ = notes("\n".join(map(json.dumps, NOTES)), "--format", "table")
    assert status == 0
    assert out.splitlines()[-1] == "a: contradicted: Right ear pain (side there: left)"
    assert "concept_recall         0.500      1" in out.splitlines()


@pytest.mark.parametrize("line", ['{"id": 1}', '{"summary": "a"}', '{"summary": "a", "source": [1]}', "[]", "{"])
def test_what_is_no_note_is_named_by_line(line: str) -> None:
    """Exit status 1, the line and the remedy; no traceback."""
    status, _, err = notes(f'{{"summary": "x", "source": "y"}}\n{line}\n')
    assert (status, "Traceback" in err) == (1, False)
    assert "standard input:2" in err or "-:2" in err
