"""`explain`: a number of any table, back to its record, its cases, its files and its definition."""

from __future__ import annotations

import json
import shutil
import statistics
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from exaid_evals.artifacts.hashing import sha256_file
from exaid_evals.artifacts.jsonl import read_jsonl
from exaid_evals.cli.main import run
from exaid_evals.config.campaign import Campaign
from exaid_evals.provenance.lineage import _interval
from exaid_evals.provenance.tables import Place, build_tables
from stub_campaigns import change_byte, change_record, copy_of, repack


def explained(capsys: pytest.CaptureFixture[str], campaign: Campaign, *arguments: str) -> dict[str, Any]:
    """Return what `explain --json` says."""
    assert run(["explain", *arguments, "--json", "--data-dir", str(campaign.root)]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def reported(capsys: pytest.CaptureFixture[str], campaign: Campaign, *arguments: str) -> str:
    """Return what `explain` prints."""
    assert run(["explain", *arguments, "--data-dir", str(campaign.root)]) == 0
    return capsys.readouterr().out


def test_a_mean_is_traced_to_its_record_and_cases(capsys: pytest.CaptureFixture[str], pristine: Campaign) -> None:
    """The mean is that of the listed cases, the record says it, and the hashes are those of the files."""
    found = explained(capsys, pristine, "main", "V3", "coverage")
    record = found["record"]
    path = pristine.root / record["file"]
    assert record["sha256"] == sha256_file(path)
    assert read_jsonl(path)[record["line"] - 1]["measures"]["coverage"]["mean"] == found["values"]["coverage_mean"]
    values = [case["value"] for case in found["cases"]]
    assert found["values"]["coverage_mean"] == pytest.approx(statistics.mean(values), abs=1e-6)
    assert found["counts"] == {"cases": 2, "failed": 0, "n": 2, "undefined": 0}
    for case in found["cases"]:
        assert sorted(case["files"]) == [f"runs/V3/{case['case_id']}.jsonl.gz", f"traces/{case['case_id']}.jsonl.gz"]
        assert all(digest == sha256_file(pristine.root / name) for name, digest in case["files"].items())
    [upstream] = found["upstream"]
    assert upstream["metrics_sha256"] == record["sha256"]
    assert found["manifest"]["sha256"] == sha256_file(pristine.manifest_file)
    assert found["signature"].startswith("exaid-evals/")
    assert "10,000 resamples, seed 42" in found["interval"]
    assert found["definition"]["formula"].startswith("|∪(K(s_i) ∩ K(T_i))| / |K(T)|")
    assert set(found["tables"].values()) == {"current"}
    assert found["stale"] == []


@pytest.mark.parametrize("row", ["coverage/V0/V3", "V0 vs V3 / coverage", "v0/v3/coverage", "coverage V0 against V3"])
def test_a_difference_is_traced_to_both_variants(
    capsys: pytest.CaptureFixture[str], pristine: Campaign, row: str
) -> None:
    """A pair goes by its keys in either order; the difference is the mean over cases of variant less the other."""
    found = explained(capsys, pristine, "comparisons", row, "mean_difference")
    assert found["row"] == "coverage/V0/V3"
    assert [one["variant_id"] for one in found["upstream"]] == ["V0", "V3"]
    values = [case["value"] for case in found["cases"]]
    assert found["values"]["mean_difference"] == pytest.approx(statistics.mean(values), abs=2e-6)
    assert "mean paired difference" in found["interval"]


def test_a_statistic_is_explained_by_its_own_words(capsys: pytest.CaptureFixture[str], pristine: Campaign) -> None:
    """Of a p-value the test is named, and the measure that it tests."""
    text = reported(capsys, pristine, "comparisons", "V0 vs V3 / coverage", "p Holm")
    assert "holm_p: two-sided p of the signed-rank test" in text
    assert "adjusted over every p of the file" in text
    assert "coverage (share, higher is better)" in text


def test_every_cell_of_every_table_can_be_explained(pristine: Campaign) -> None:
    """No table is without a way back: each cell has a record, and its shown value is the one explained."""
    from exaid_evals.config.metrics import MetricsConfig
    from exaid_evals.provenance.lineage import lineage_of
    from exaid_evals.provenance.tables import find_cell, primary_variant

    tables = build_tables(pristine)
    assert {"main", "coverage_at_budget", "comparisons", "data_set"} <= set(tables)
    for table in tables.values():
        for row, column in [(table.rows[0], column) for column in table.columns] + [
            (row, table.columns[0]) for row in table.rows
        ]:
            place = find_cell(table, row.key, column.measure)
            assert place.row is row
            lineage = lineage_of(pristine, place, MetricsConfig(), primary_variant(pristine))
            assert lineage.record.record["signature"] == row.signature
            # Where a table has no such number (a dash), there is nothing to define.
            has_number = row.cells[table.columns.index(column)] is not None
            assert lineage.definition is not None or not has_number, f"{table.name}: {lineage.measure}"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("mian", "V3", "coverage"), "did you mean main?"),
        (("main", "V33", "coverage"), "did you mean V3"),
        (("main", "V3", "converage"), "did you mean coverage"),
    ],
)
def test_unknown_names_are_answered_with_near_ones(
    capsys: pytest.CaptureFixture[str], pristine: Campaign, arguments: tuple[str, ...], said: str
) -> None:
    """A misspelt table, row or column is wrong usage."""
    assert run(["explain", *arguments, "--data-dir", str(pristine.root)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "there are" in error


def test_a_pair_the_wrong_way_round_is_answered_with_the_right_one(
    capsys: pytest.CaptureFixture[str], pristine: Campaign
) -> None:
    """Its difference has the other sign, so it is not the row that was asked for."""
    assert run(["explain", "comparisons", "V3 vs V0 / coverage", "n", "--data-dir", str(pristine.root)]) == 2
    assert "there is coverage/V0/V3, the first less the second" in capsys.readouterr().err


def test_headings_and_csv_names_work_too(capsys: pytest.CaptureFixture[str], pristine: Campaign) -> None:
    """A reader has the paper in front, or the CSV."""
    by_heading = explained(capsys, pristine, "MAIN", "v3", "Coverage")
    by_csv = explained(capsys, pristine, "main.csv", "V3", "coverage_ci95_low")
    assert by_heading["column"] == by_csv["column"] == "coverage"


def test_cases_are_listed_on_demand(capsys: pytest.CaptureFixture[str], pristine: Campaign) -> None:
    """Each case with its value, and the hashes of its run log and trace."""
    plain, full = (reported(capsys, pristine, "main", "V0", "output_ctu", *more) for more in ((), ("--cases",)))
    assert "case-t00" not in plain
    assert "case-t00" in full
    assert sha256_file(pristine.run_file("V0", "case-t00")) in full


def test_it_is_said_what_has_changed_since(capsys: pytest.CaptureFixture[str], spoilt: Campaign) -> None:
    """A changed run log makes the number stale; one that is only packed anew does not."""
    repack(spoilt.run_file("V3", "case-t00"))
    assert explained(capsys, spoilt, "main", "V3", "coverage")["stale"] == []
    change_record(spoilt.run_file("V3", "case-t00"), 2, lambda record: record.update(t_ms=1))
    assert explained(capsys, spoilt, "main", "V3", "coverage")["stale"] == [
        "the run logs of V3 have changed since they were measured"
    ]
    assert explained(capsys, spoilt, "main", "V0", "coverage")["stale"] == []


def test_an_edited_table_is_said_to_differ(capsys: pytest.CaptureFixture[str], spoilt: Campaign) -> None:
    """What is printed is what the metrics give, and the file that says otherwise is named."""
    change_byte(spoilt.tables / "main.tex", b"V3", b"V9")
    states = explained(capsys, spoilt, "main", "V3", "coverage")["tables"]
    assert states["metrics/tables/main.tex"] == "differs"
    assert states["metrics/tables/main.csv"] == "current"


def test_without_metrics_it_says_what_to_run(capsys: pytest.CaptureFixture[str], spoilt: Campaign) -> None:
    """An empty campaign is not a traceback."""
    for path in spoilt.metrics.glob("*.jsonl"):
        path.unlink()
    assert run(["explain", "main", "V3", "coverage", "--data-dir", str(spoilt.root)]) == 1
    assert "compute-metrics" in capsys.readouterr().err


def _double(campaign: Campaign) -> None:
    path = campaign.metrics_file("V3")
    first, *others = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([first, first, *others]))


EDITS = {
    "a mean": lambda campaign: change_record(
        campaign.metrics_file("V3"), 3, lambda record: record["measures"]["coverage"].update(mean=0.123456)
    ),
    "a case": lambda campaign: change_record(
        campaign.metrics_file("V3"), 1, lambda record: record["measures"].update(coverage=0.25)
    ),
    "a case twice": _double,
}
READERS = {
    "export": ["export"],
    "tables": ["tables"],
    "paper": ["paper", "--assemble-only"],
    "explain": ["explain", "main", "V3", "coverage"],
}


@pytest.mark.parametrize("edit", EDITS)
def test_edited_metrics_are_refused_by_all_that_read_them(
    capsys: pytest.CaptureFixture[str], spoilt: Campaign, edit: str
) -> None:
    """By the ledger's hash; and where no ledger came along, by the arithmetic between cases and means."""
    EDITS[edit](spoilt)
    for problem in ("is not what was written: it has been changed since", "V3.metrics.jsonl:"):
        for name, arguments in READERS.items():
            assert (name, run([*arguments, "--data-dir", str(spoilt.root)])) == (name, 1)
            assert problem in capsys.readouterr().err
        shutil.rmtree(spoilt.state, ignore_errors=True)


def test_an_altered_trace_makes_every_number_stale(capsys: pytest.CaptureFixture[str], spoilt: Campaign) -> None:
    """The manifest is as it was, and the trace is not what it froze."""
    change_record(spoilt.trace_file("case-t00"), 1, lambda record: record.update(content="Other words."))
    [reason] = explained(capsys, spoilt, "main", "V3", "coverage")["stale"]
    assert "changed" in reason
    assert "case-t00" in reason


@pytest.mark.slow
def test_a_number_over_seeds_is_traced_to_the_same_cell_of_every_seed(
    capsys: pytest.CaptureFixture[str], of_seeds: Campaign
) -> None:
    """Its mean is that of the seeds' means, each with its own record, and the paper's number names the table."""
    found = explained(capsys, of_seeds, "table-5", "V3", "Coverage")
    assert (found["table"], found["column"]) == ("over_seeds", "coverage")
    assert sorted(found["seeds"]) == ["seed-1", "seed-2"]
    means = [one["values"]["coverage_mean"] for one in found["seeds"].values()]
    assert found["values"]["coverage_mean"] == pytest.approx(statistics.mean(means), abs=1e-6)
    for name, one in found["seeds"].items():
        record = of_seeds.of_seeds / name / one["record"]["file"]
        assert sha256_file(record) == one["record"]["sha256"]
    assert set(found["tables"].values()) == {"current"}
    assert found["export"]["sha256"] == sha256_file(of_seeds.exports / "exported_summary.json")
    assert found["stale"] == []
    assert "resample" in found["joined"] or "bootstrap" in found["joined"]
    text = reported(capsys, of_seeds, "over_seeds", "V3", "coverage")
    assert f"--data-dir {of_seeds.of_seeds / 'seed-2'}" in text


@pytest.mark.slow
def test_what_was_edited_in_one_seed_is_named(
    capsys: pytest.CaptureFixture[str], of_seeds: Campaign, tmp_path: Path
) -> None:
    """An edited record of one seed's metrics is refused, with the seed's file."""
    spoilt = copy_of(of_seeds, tmp_path / "spoilt")
    path = Campaign(spoilt.of_seeds / "seed-2").metrics_file("V3")
    change_record(path, len(read_jsonl(path)), lambda record: record["measures"]["coverage"].update(mean=0.5))
    assert run(["explain", "over_seeds", "V3", "coverage", "--data-dir", str(spoilt.root)]) == 1
    problem = capsys.readouterr().err
    assert "seed-2/metrics/V3.metrics.jsonl: is not what was written" in problem


def test_a_campaign_without_several_seeds_has_no_such_table(
    capsys: pytest.CaptureFixture[str], pristine: Campaign
) -> None:
    """The error says how to make one."""
    assert run(["explain", "over_seeds", "V3", "coverage", "--data-dir", str(pristine.root)]) == 2
    assert "paper --seeds" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["table-2", "table 2", "table-2-main.tex", "main", "MAIN.csv"])
def test_a_table_goes_by_its_file_or_its_number_in_the_paper(
    capsys: pytest.CaptureFixture[str], pristine: Campaign, name: str
) -> None:
    """Whoever has the paper in front knows its number, and the folder's file names."""
    assert explained(capsys, pristine, name, "V3", "coverage")["table"] == "main"


def test_an_empty_cell_is_no_number(capsys: pytest.CaptureFixture[str], pristine: Campaign) -> None:
    """A dash that stands for nothing measured is said to be one, and no record is invented for it."""
    found = explained(capsys, pristine, "extractor_validity", "all", "gold_mentions")
    assert (found["empty"], found["shown"]) == (True, "–")
    assert "record" not in found
    assert "nothing to explain" in reported(capsys, pristine, "extractor_validity", "all", "gold_mentions")


def test_an_interval_of_unknown_making_is_not_explained() -> None:
    """A signature that names no resamples, as another program writes it, is none of ours."""
    place = cast("Place", SimpleNamespace(values={"coverage_ci95_low": 0.1}))
    assert _interval({"signature": "theirs/1.0"}, place) is None
    assert "2,000 resamples, seed 7" in (_interval({"signature": "x|boot:2000/7"}, place) or "")
