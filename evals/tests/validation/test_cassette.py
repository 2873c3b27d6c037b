"""Stage 00 on cassettes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from checking import Change, found_after, found_in_campaign
from exaid_evals.artifacts.jsonl import write_jsonl
from exaid_evals.config.campaign import Campaign
from factories import cassette_record, sha256

RUN = "eval-0123456789abcdef"
RECORDS = [
    cassette_record(0, "a"),
    cassette_record(1, "b"),
    cassette_record(0, "a", case_id="case-2"),
    cassette_record(2, "a", repeat=1),
]


def put(line: int, **fields: Any) -> Change:
    """Change fields of the record of a line."""
    return lambda records: records.__setitem__(line - 1, {**records[line - 1], **fields})


CASES: dict[str, tuple[Change, list[tuple[int, str]]]] = {
    "as it is": (lambda _: None, []),
    "another answer": (
        put(2, response_text="another answer"),
        [(2, "usage.completion_ctu is 1, and the text has 4")],
    ),
    "another question": (
        put(1, request={**RECORDS[0]["request"], "model": "m-2"}),
        [(1, "request_sha256 is not the hash of request: one of them was changed")],
    ),
    "another hash": (
        put(1, request_sha256=sha256("x")),
        [
            (1, "request_sha256 is not the hash of request: one of them was changed"),
            (4, "repeat is 1, and the same request of case-1 was made 0 times before"),
        ],
    ),
    "a call twice": (
        lambda records: records.insert(1, records[0]),
        [
            (2, "call 0 of case-1 is a duplicate, or after call 0"),
            (2, "repeat 0 of the same request of case-1 is a duplicate"),
        ],
    ),
    "a call lost": (
        lambda records: records.pop(1),
        [(3, "call 1 of case-1 is missing before call 2")],
    ),
    "another run's call": (
        put(3, eval_run_id="eval-fedcba9876543210"),
        [(3, f"a call of eval-fedcba9876543210 in the cassette of {RUN}")],
    ),
    "another variant's call": (put(3, variant_id="V4"), [(3, "a call of V4 in a cassette of V3")]),
    "a header": (
        put(3, headers={"authorization": "Bearer x"}),
        [(3, "Additional properties are not allowed ('headers' was unexpected)")],
    ),
}


@pytest.mark.parametrize(("change", "expected"), CASES.values(), ids=CASES.keys())
def test_what_is_wrong_is_found(tmp_path: Path, change: Change, expected: list[tuple[int, str]]) -> None:
    """Every way of tampering is reported by line, and a sound cassette is left in peace."""
    assert found_after(tmp_path / f"{RUN}.jsonl.gz", RECORDS, change) == expected


def test_a_campaigns_cassettes_are_checked(campaign: Campaign) -> None:
    """Stage 00 looks into the folder of cassettes."""
    write_jsonl(campaign.cassette_file(RUN), [*RECORDS, RECORDS[0]])
    assert [(name, line) for name, line, _ in found_in_campaign(campaign)] == [(f"{RUN}.jsonl.gz", 5)] * 2
