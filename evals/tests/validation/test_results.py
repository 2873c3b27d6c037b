"""Metrics files, exports and cases: totals agree with what they are totals of."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from checking import Change, found_after, found_in, found_in_campaign
from exaid_evals.artifacts.jsonl import write_jsonl
from exaid_evals.config.campaign import Campaign
from factories import case_ids, case_record, export_record, metrics_records

# Lines 1–3 are cases, of which the third failed; line 4 is the variant.
METRICS = metrics_records(cases=case_ids(3))
COVERAGE = METRICS[-1]["measures"]["coverage"]


def put_coverage(**numbers: Any) -> Change:
    """Change numbers of the variant's coverage."""
    return lambda records: records[-1]["measures"]["coverage"].update(numbers)


METRICS_LIES: dict[str, tuple[Change, list[tuple[int, str]]]] = {
    "cut": (lambda records: records.pop(), [(0, "has no variant_metrics after its cases: it was cut")]),
    "a case twice": (
        lambda records: records.insert(3, copy.deepcopy(records[2])),
        [
            (4, "the case case-1002 stands already in line 3"),
            (5, "n_failed is 1, and the file has 2"),
        ],
    ),
    "a case behind the end": (
        lambda records: records.append(records[0] | {"case_id": "case-5"}),
        [(5, "case_metrics after the variant_metrics of line 4")],
    ),
    "a case lost": (
        lambda records: records.pop(2),
        [(3, "n_cases is 3, and the file has 2"), (3, "n_failed is 1, and the file has 0")],
    ),
    "another signature": (
        lambda records: records[1].update(signature="exaid-evals/0.9"),
        [(2, "signature differs from the first record's: they are not comparable")],
    ),
    "another variant": (
        lambda records: records[1].update(variant_id="V4"),
        [(2, "variant_id differs from the first record's: they are not comparable")],
    ),
    "a wrong n": (put_coverage(n=1), [(4, "coverage: n is 1, and the cases have 2")]),
    "undefined values hidden": (
        lambda records: records[-1]["measures"]["redundancy_0.85"].update(n_undefined=0),
        [(4, "redundancy_0.85: n_undefined is 0, and the cases have 2")],
    ),
    "a better mean": (
        put_coverage(mean=COVERAGE["max"]),
        [(4, f"coverage: mean is {COVERAGE['max']}, and the cases make {COVERAGE['mean']:.6f}")],
    ),
    "an interval upside down": (
        put_coverage(ci95_low=0.9, ci95_high=0.1),
        [(4, "coverage: ci95_low 0.9 exceeds ci95_high 0.1")],
    ),
    "a mean of nothing": (
        lambda records: records[-1]["measures"]["redundancy_0.85"].update(mean=0.0),
        [(4, "redundancy_0.85: numbers over no defined value")],
    ),
    "no mean of something": (
        put_coverage(mean=None),
        [
            (4, "coverage: mean is None, and the cases make " + f"{COVERAGE['mean']:.6f}"),
            (4, "coverage: no mean over 2 values"),
        ],
    ),
}


@pytest.mark.parametrize(("lie", "expected"), METRICS_LIES.values(), ids=METRICS_LIES)
def test_a_lie_in_metrics_is_named(tmp_path: Path, lie: Change, expected: list[tuple[int, str]]) -> None:
    """Each tampering gives exactly the findings that follow from it, at its line."""
    records = copy.deepcopy(METRICS)
    assert [
        f
        for f in found_after(tmp_path / "V3.metrics.jsonl", records, lie)
        if f[1] != "n_cases is 3, and the file has 4"
    ] == expected


def test_sound_metrics_have_no_findings(tmp_path: Path) -> None:
    """With a failed case, undefined values, and intervals that were not computed."""
    write_jsonl(tmp_path / "V3.metrics.jsonl", METRICS)
    assert found_in(tmp_path / "V3.metrics.jsonl") == []


def test_metrics_are_named_after_their_variant(tmp_path: Path) -> None:
    """A renamed file would be plotted as another variant."""
    write_jsonl(tmp_path / "V4.metrics.jsonl", METRICS)
    assert found_in(tmp_path / "V4.metrics.jsonl") == [(1, "variant V3 in the file of V4")]


EXPORT_LIES: dict[str, tuple[Change, list[str]]] = {
    "a best run of elsewhere": (
        lambda records: records[0].update(best_run={"run": "seed-99", "value": 1.0}),
        ["best_run is seed-99, which is none of the runs"],
    ),
    "more runs than there are": (
        lambda records: records[0]["aggregated"]["coverage"].update(n=3),
        ["coverage: n is 3, and 2 runs have it"],
    ),
    "a mean beyond the maximum": (
        lambda records: records[0]["aggregated"]["coverage"].update(mean=0.8),
        ["coverage: mean 0.8 exceeds max 0.75"],
    ),
    "one name twice": (
        lambda records: records[0]["runs"][0].update(run="seed-43"),
        ["two runs of one name", "worst_run is seed-42, which is none of the runs"],
    ),
    "a hidden stub": (lambda records: records[0].update(stub=False), ["stub is false, and a run is a stub"]),
}


@pytest.mark.parametrize(("lie", "expected"), EXPORT_LIES.values(), ids=EXPORT_LIES)
def test_a_lie_in_an_export_is_named(tmp_path: Path, lie: Change, expected: list[str]) -> None:
    """Each tampering gives exactly the findings that follow from it."""
    found = found_after(tmp_path / "exported_summary.json", [export_record()], lie)
    assert found == [(1, what) for what in expected]


def test_a_case_has_one_place_in_its_folder(campaign: Campaign) -> None:
    """The same id in one file or in two of a folder is named, with its first place."""
    write_jsonl(campaign.cases / "more.jsonl", [case_record("case-5"), case_record("case-1001"), case_record("case-5")])
    assert found_in_campaign(campaign) == [
        ("more.jsonl", 2, "the case case-1001 stands already in cases.jsonl:2"),
        ("more.jsonl", 3, "the case case-5 stands already in more.jsonl:1"),
    ]
