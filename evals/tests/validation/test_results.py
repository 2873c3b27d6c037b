"""Metrics files, exports and cases: totals agree with what they are totals of."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from checking import Change, found_after, found_in, found_in_campaign
from exaid_evals.artifacts.hashing import sha256_file
from exaid_evals.artifacts.jsonl import write_jsonl
from exaid_evals.config.campaign import Campaign
from factories import case_ids, case_record, export_record, metrics_records, opening

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
            (4, "the case case-1002 is a duplicate of line 3"),
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
        [(4, f"coverage: mean is {COVERAGE['max']}, and the cases make {COVERAGE['mean']:.6g}")],
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
            (4, "coverage: mean is None, and the cases make " + f"{COVERAGE['mean']:.6g}"),
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


def put_curve(**parts: list[float | None]) -> Change:
    """Give the variant a curve of two points."""
    sound: dict[str, Any] = {"x": [0, 25], "mean": [0.0, 0.5], "ci95_low": [0.0, 0.4], "ci95_high": [0.0, 0.6]}
    sound |= {"band_low": [0.0, 0.35], "band_high": [0.0, 0.65]}
    return lambda records: records[-1].update(curves={"coverage_vs_budget": sound | parts})


CURVE_LIES: dict[str, tuple[Change, list[str]]] = {
    "sound": (put_curve(), []),
    "sound, without bands": (put_curve(band_low=[], band_high=[]), []),
    "undefined": (put_curve(mean=[None] * 2, ci95_low=[None] * 2, band_low=[None] * 2), []),
    "a band that is not around its mean": (
        put_curve(band_low=[0.0, 0.51]),
        ["coverage_vs_budget: at 25, band_low 0.51 exceeds mean 0.5"],
    ),
    "an interval upside down": (
        put_curve(ci95_high=[0.0, 0.3]),
        ["coverage_vs_budget: at 25, ci95_low 0.4 exceeds ci95_high 0.3"],
    ),
    "half a band": (
        put_curve(band_low=[]),
        ["coverage_vs_budget: parts of different length: band_high 2, ci95_high 2, ci95_low 2, mean 2, x 2"],
    ),
    "a point lost": (
        put_curve(mean=[0.0]),
        [
            "coverage_vs_budget: parts of different length: "
            "band_high 2, band_low 2, ci95_high 2, ci95_low 2, mean 1, x 2"
        ],
    ),
}


@pytest.mark.parametrize(("lie", "expected"), CURVE_LIES.values(), ids=CURVE_LIES)
def test_a_lie_in_a_curve_is_named(tmp_path: Path, lie: Change, expected: list[str]) -> None:
    """Parts of a curve have one length, and stand in order at each point."""
    assert found_after(tmp_path / "V3.metrics.jsonl", copy.deepcopy(METRICS), lie) == [(4, what) for what in expected]


def comparison(campaign: Campaign, variant: str, p: float, holm_p: float) -> dict[str, Any]:
    """Return a comparison of coverage with V3, on the three cases of `factories.metrics_records`."""
    names = (variant, "V3")
    return {
        **opening("exaid.metrics"),
        "record_type": "comparison",
        "variant_id": variant,
        "against": "V3",
        "measure": "coverage",
        "better": "higher",
        "n": 2,
        "n_zero": 0,
        "left_out": [{"case_id": "case-1002", "reason": "failed_trace"}],
        "mean_difference": 0.1,
        "ci95_low": 0.1,
        "ci95_high": 0.1,
        "wilcoxon_p": p,
        "holm_p": holm_p,
        "rank_biserial": 1.0,
        "smallest_detectable_difference": None,
        "stub": True,
        "signature": METRICS[-1]["signature"],
        "made_from": {name: sha256_file(campaign.metrics_file(name)) for name in names},
    }


@pytest.fixture
def comparisons(tmp_path: Path) -> tuple[Campaign, list[Any]]:
    """Return a folder with metrics of V0, V1 and V3, and sound comparisons of the first two with the third."""
    campaign = Campaign(tmp_path)
    for variant in ("V0", "V1", "V3"):
        records = copy.deepcopy(metrics_records(variant, cases=case_ids(3)))
        if variant != "V3":
            for case in records[:2]:
                case["measures"]["coverage"] = round(case["measures"]["coverage"] + 0.1, 6)
        write_jsonl(campaign.metrics_file(variant), records)
    return campaign, [comparison(campaign, "V0", 0.03, 0.06), comparison(campaign, "V1", 0.5, 0.5)]


def put(line: int = 0, **fields: Any) -> Change:
    """Change fields of one comparison."""
    return lambda records: records[line].update(fields)


COMPARISON_LIES: dict[str, tuple[Change, list[tuple[int, str]]]] = {
    "sound": (lambda _: None, []),
    "another base": (
        put(1, against="V0", made_from={"V1": "sha256:" + "0" * 64, "V0": "sha256:" + "1" * 64}),
        [
            (2, "against differs from the first record's: they do not belong in one table"),
            (2, "made from another V0 than line 1"),
            (2, "older than V1.metrics.jsonl beside it"),
        ],
    ),
    "another signature": (
        put(1, signature="exaid-evals/0.9"),
        [(2, "signature differs from the first record's: they do not belong in one table")],
    ),
    "one pair twice": (
        lambda records: records[1].update(records[0]),
        [(2, "V0 coverage is a duplicate of line 1")],
    ),
    "with itself": (
        put(0, variant_id="V3"),
        [
            (1, "coverage: compared with itself"),
            (1, "coverage: made_from names other variants than it compares"),
            (1, "coverage: mean_difference is 0.1, and the metrics beside it make 0"),
            (1, "coverage: n_zero is 0, and the metrics beside it have 2"),
        ],
    ),
    "a case hidden": (
        put(1, left_out=[]),
        [
            (2, "coverage: left_out differs from what the metrics beside it leave out"),
            (2, "coverage: n and left_out make 2 cases, and 3 in line 1"),
            (2, "coverage: other cases failed than in line 1"),
        ],
    ),
    "another reason": (
        put(1, left_out=[{"case_id": "case-1002", "reason": "undefined_in_both"}]),
        [
            (2, "coverage: left_out differs from what the metrics beside it leave out"),
            (2, "coverage: other cases failed than in line 1"),
        ],
    ),
    "a greater difference": (
        put(0, mean_difference=0.2),
        [(1, "coverage: mean_difference is 0.2, and the metrics beside it make 0.1")],
    ),
    "more zeros than cases": (
        put(0, n_zero=3),
        [
            (1, "coverage: holm_p 0.06, though there is no difference"),
            (1, "coverage: n_zero 3 exceeds n 2"),
            (1, "coverage: n_zero is 3, and the metrics beside it have 0"),
            (1, "coverage: rank_biserial 1.0, though there is no difference"),
            (1, "coverage: wilcoxon_p 0.03, though there is no difference"),
        ],
    ),
    "an interval upside down": (put(0, ci95_low=0.2), [(1, "coverage: ci95_low 0.2 exceeds ci95_high 0.1")]),
    "half an interval": (
        put(0, ci95_low=None),
        [(1, "coverage: an interval of one bound, or of fewer than two cases")],
    ),
    "no mean": (put(0, mean_difference=None), [(1, "coverage: no mean_difference, though there is a case")]),
    "no p": (
        put(0, wilcoxon_p=None),
        [(1, "coverage: no wilcoxon_p, though there is a difference")],
    ),
    "adjusted downwards": (
        put(0, holm_p=0.02),
        [
            (1, "coverage: holm_p 0.02 is below wilcoxon_p 0.03"),
            (1, "holm_p is 0.02, and 2 comparisons make 0.06"),
        ],
    ),
    "not adjusted": (put(0, holm_p=0.03), [(1, "holm_p is 0.03, and 2 comparisons make 0.06")]),
    "an effect the other way": (
        put(0, rank_biserial=-1.0),
        [(1, "coverage: rank_biserial -1.0 and mean_difference 0.1 have different signs")],
    ),
    "a comparison of no comparison": (
        lambda records: records.append(copy.deepcopy(METRICS[0])),
        [
            (0, "has no variant_metrics after its cases: it was cut"),
            (3, "variant V3 in the file of comparisons"),
        ],
    ),
}


@pytest.mark.parametrize(("lie", "expected"), COMPARISON_LIES.values(), ids=COMPARISON_LIES)
def test_a_lie_in_a_comparison_is_named(
    comparisons: tuple[Campaign, list[Any]], lie: Change, expected: list[tuple[int, str]]
) -> None:
    """Each tampering gives exactly the findings that follow from it, at its line."""
    campaign, records = comparisons
    assert sorted(found_after(campaign.comparisons_file, records, lie)) == expected


def test_comparisons_of_metrics_that_have_changed_are_named(comparisons: tuple[Campaign, list[Any]]) -> None:
    """A metrics file was made anew after the comparison; where it is absent there is nothing to hold against."""
    campaign, records = comparisons
    write_jsonl(campaign.comparisons_file, records)
    campaign.metrics_file("V1").unlink()
    assert found_in(campaign.comparisons_file) == []
    write_jsonl(campaign.metrics_file("V0"), metrics_records("V0", cases=case_ids(2)))
    assert found_in(campaign.comparisons_file) == [(1, "older than V0.metrics.jsonl beside it")]
    campaign.metrics_file("V0").unlink()
    assert found_in(campaign.comparisons_file) == []
    campaign.runs.mkdir()
    gone = [what for _, what in found_in(campaign.comparisons_file)]
    assert gone == [f"made from V{number}.metrics.jsonl, which is not beside it" for number in (0, 1)]


def test_a_comparison_has_a_place_in_its_own_file_only(comparisons: tuple[Campaign, list[Any]]) -> None:
    """Among a variant's records nobody would look for it."""
    campaign, records = comparisons
    path = campaign.metrics_file("V3")
    write_jsonl(path, [*METRICS, records[0]])
    what = "a comparison, which has a place in comparisons.metrics.jsonl only"
    assert what in [found for line, found in found_in(path) if line == 5]


def of_small_numbers(export: Any, mean: float) -> None:
    """Give an export's runs values of 10⁻⁸, and a mean."""
    for run, value in zip(export["runs"], (1e-8, 3e-8), strict=True):
        run["metrics"]["coverage"] = value
    export["aggregated"]["coverage"].update(mean=mean, min=1e-8, max=3e-8)
    export["best_run"]["value"], export["worst_run"]["value"] = 3e-8, 1e-8


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
        ["coverage: mean 0.8 exceeds max 0.75", "coverage: mean is 0.8, and the runs make 0.625"],
    ),
    "a mean of small numbers": (
        lambda records: of_small_numbers(records[0], 1.5e-6),
        ["coverage: mean 1.5e-06 exceeds max 3e-08", "coverage: mean is 1.5e-06, and the runs make 2e-08"],
    ),
    "one name twice": (
        lambda records: records[0]["runs"][0].update(run="seed-43"),
        ["two runs of one name", "worst_run is seed-42, which is none of the runs"],
    ),
    "a hidden stub": (lambda records: records[0].update(stub=False), ["stub is false, and a run is a stub"]),
    "values whose sum overflows": (
        lambda records: [run["metrics"].update(coverage=1.7e308) for run in records[0]["runs"]],
        [
            "best_run has coverage = 0.75, and another run 1.7e+308",
            "coverage: mean is 0.625, and the runs make none",
            "worst_run has coverage = 0.5, and another run 1.7e+308",
        ],
    ),
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
        ("more.jsonl", 2, "the case case-1001 is a duplicate of cases.jsonl:2"),
        ("more.jsonl", 3, "the case case-5 is a duplicate of more.jsonl:1"),
    ]
