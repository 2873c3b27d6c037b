"""A campaign through the Python API: the frames say what the files say, and a replay in memory what stage 02 writes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import exaid_evals as ee
from exaid_evals.api.campaign import FRAMES, OpenCampaign
from exaid_evals.artifacts.jsonl import read_jsonl
from exaid_evals.errors import CaseFailedError, ConfigError, DataError
from exaid_evals.replay.run_log import read_run, write_run
from stub_campaigns import copy_of, shared_campaign


@pytest.fixture(scope="module")
def opened() -> OpenCampaign:
    """Return a campaign of two cases under five variants, open."""
    return ee.open_campaign(shared_campaign().root)


def test_measures_are_those_of_the_files(opened: OpenCampaign) -> None:
    """Every case, variant and measure is a row; undefined is NaN; the wide form has a column a measure."""
    measures = opened.measures()
    for variant in opened.variants:
        for record in read_jsonl(shared_campaign().metrics_file(variant))[:-1]:
            mine = measures[(measures.variant_id == variant) & (measures.case_id == record["case_id"])]
            assert {row.measure: None if pd.isna(row.value) else row.value for row in mine.itertuples()} == record[
                "measures"
            ]
    wide = measures.wide()
    assert wide.shape == (len(opened.cases) * len(opened.variants), measures.measure.nunique())
    assert wide.loc[(opened.cases[0], "V3"), "update_count"] > 0
    assert measures.attrs["stub"] is True
    assert "stub:yes" in measures.attrs["signature"]
    assert set(opened.measures("V3").variant_id) == {"V3"}


def test_estimates_and_comparisons_are_those_of_stage_03(opened: OpenCampaign) -> None:
    """Means with intervals, and paired differences."""
    estimates = opened.estimates("V3").set_index("measure")
    record = read_jsonl(shared_campaign().metrics_file("V3"))[-1]
    assert estimates.loc["coverage", "mean"] == record["measures"]["coverage"]["mean"]
    comparisons = opened.comparisons()
    records = read_jsonl(shared_campaign().comparisons_file)
    assert len(comparisons) == len(records)
    assert list(comparisons.mean_difference.astype(object).where(comparisons.mean_difference.notna(), None)) == [
        record["mean_difference"] for record in records
    ]


def test_updates_decisions_flushes_and_messages(opened: OpenCampaign) -> None:
    """A row per record of the run logs and traces."""
    campaign = shared_campaign()
    logs = [read_run(campaign.run_file("V3", case_id)) for case_id in opened.cases]
    updates = opened.updates("V3")
    assert list(updates.rendered_text) == [one.rendered_text for log in logs for one in log.summaries]
    assert set(updates.variant_id) == {"V3"}
    assert len(opened.decisions("V3")) == sum(len(log.decisions) for log in logs)
    assert len(opened.flushes("V3", cases=opened.cases[:1])) == len(logs[0].flushes)
    messages = opened.messages()
    assert list(messages.content) == [
        one["content"] for c in opened.cases for one in read_jsonl(campaign.trace_file(c))
    ]


def test_concepts_add_up_to_the_measures(opened: OpenCampaign) -> None:
    """The share of said concepts that are stated is coverage; of stated ones that nobody said, unsupported."""
    concepts = opened.concepts("V3", "V0")
    wide = opened.measures().wide()
    for (case_id, variant), mine in concepts.groupby(["case_id", "variant_id"]):
        said = mine[mine.said_ms.notna()]
        assert (said.status == "stated").mean() == pytest.approx(wide.loc[(case_id, variant), "coverage"], abs=1e-6)
        stated = mine[mine.status.isin(["stated", "anticipated", "unsupported"])]
        unsupported = (stated.status == "unsupported").mean()
        assert unsupported == pytest.approx(wide.loc[(case_id, variant), "unsupported"], abs=1e-6)
        assert (mine.delay_ms.dropna() >= 0).all()
    assert (concepts.name != concepts.concept_id).any()


def test_a_replay_in_memory_is_what_stage_02_writes(opened: OpenCampaign, tmp_path: Path) -> None:
    """The same events, and the same measures."""
    replay = opened.replay("V3", cases=opened.cases[:1])
    write_run(tmp_path / "mine.jsonl.gz", replay.logs[0])
    file = shared_campaign().run_file("V3", opened.cases[0])
    assert read_jsonl(tmp_path / "mine.jsonl.gz") == read_jsonl(file)
    mine = replay.measures().set_index("measure").value.sort_index()
    all_cases = opened.measures("V3")
    theirs = all_cases[all_cases.case_id == opened.cases[0]].set_index("measure").value.sort_index()
    pd.testing.assert_series_equal(pd.Series(mine), pd.Series(theirs), check_names=False)


def test_a_function_is_a_summarizer(opened: OpenCampaign) -> None:
    """One call leads from a function to a comparison; a copy of the window covers at least what the variant does."""

    def echo(text: str, _history: list[str]) -> str:
        """Hand on the window."""
        return text

    table = ee.evaluate(echo, opened, against="V3")
    row = table.set_index("measure").loc["coverage"]
    assert (row.variant_id, row.against, row.n) == ("echo", "V3", len(opened.cases))
    assert row["mean"] >= row.mean_against
    assert row.mean_difference == pytest.approx(row["mean"] - row.mean_against, abs=1e-6)
    assert table.attrs["stub"] is True


class Fields:
    """A summarizer that gives six fields."""

    def __call__(self, _text: str, history: list[str]) -> dict[str, str]:
        """Say how much there was."""
        names = ("status_action", "key_findings", "differential_rationale", "uncertainty_confidence")
        return {name: f"After {len(history)} updates." for name in (*names, "recommendation_next_step")} | {
            "agent_contributions": "None stated."
        }


def test_a_function_may_give_six_fields(opened: OpenCampaign) -> None:
    """They are checked against the schema as a model's are."""
    updates = opened.replay(Fields(), cases=opened.cases[:1]).updates()
    assert updates.schema_ok.all()
    assert updates.key_findings.str.startswith("After ").all()


def test_what_is_no_summarizer_or_fails_is_named(opened: OpenCampaign) -> None:
    """A wrong object, a variant that is not there, and a function that raises."""
    with pytest.raises(ConfigError, match="a int is not a summarizer"):
        opened.replay(3)
    with pytest.raises(ConfigError, match="no variant is called 'V9'"):
        ee.evaluate(lambda text, _: text, opened, against="V9")
    with pytest.raises(CaseFailedError, match=f"{opened.cases[0]}.*ZeroDivisionError"):
        opened.replay(lambda _text, _history: str(1 / 0))


def test_what_is_missing_is_named_with_the_command(tmp_path: Path) -> None:
    """No campaign, no metrics, no runs."""
    with pytest.raises(DataError, match="make-traces"):
        ee.open_campaign(tmp_path)
    campaign = copy_of(shared_campaign(), tmp_path / "data")
    opened = ee.open_campaign(campaign.root)
    for path in campaign.metrics.glob("*.jsonl"):
        path.unlink()
    with pytest.raises(DataError, match="compute-metrics"):
        opened.measures()
    with pytest.raises(DataError, match=r"no comparisons here.*compute-metrics"):
        opened.comparisons()
    with pytest.raises(DataError, match=r"no runs of V9.*run-variants"):
        opened.updates("V9")


def test_parquet_is_read_by_others(opened: OpenCampaign, tmp_path: Path) -> None:
    """Every frame as a file; pyarrow reads each with the same cells, measures with how they were made."""
    files = opened.to_parquet(tmp_path)
    assert [path.stem for path in files] == list(FRAMES)
    for path in files:
        frame, read = getattr(opened, path.stem)(), pd.read_parquet(path)
        pd.testing.assert_frame_equal(read[list(frame)], pd.DataFrame(frame), check_dtype=False)
    assert set(pd.read_parquet(tmp_path / "measures.parquet").signature) == {opened.measures().attrs["signature"]}


def test_the_package_is_imported_at_once() -> None:
    """`import exaid_evals` loads none of its modules and no other package, and names what it has."""
    code = "import sys, exaid_evals; print([n for n in sys.modules if n.startswith(('exaid_evals.', 'numpy'))])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert {"open_campaign", "evaluate", "read_runs"} <= set(dir(ee))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ee.nothing


def test_it_shows_itself(opened: OpenCampaign) -> None:
    """A line on a terminal, a table in a notebook."""
    assert "2 cases, simulated; runs of V0, V1, V2, V3, V4" in repr(opened)
    shown = opened._repr_html_()
    assert "<th>campaign</th>" in shown
    assert "<td>V0, V1, V2, V3, V4</td>" in shown
    assert "<script" not in shown


def test_measures_need_no_runs(tmp_path: Path) -> None:
    """All that are measured are those with metrics, and a variant that is asked for twice comes once."""
    campaign = copy_of(shared_campaign(), tmp_path / "data")
    whole = ee.open_campaign(campaign.root).measures()
    shutil.rmtree(campaign.runs)
    opened = ee.open_campaign(campaign.root)
    pd.testing.assert_frame_equal(opened.measures(), whole)
    assert len(opened.measures("V3", "V3")) == len(opened.measures("V3"))
