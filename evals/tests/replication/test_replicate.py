"""Published numbers are recomputed digit by digit, and what differs is said."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from publications import publish
from scipy import stats

from exaid_evals.artifacts.text_units import FIELDS
from exaid_evals.cli.main import run as exaid_evals
from exaid_evals.concepts.base import CachedExtractor, Mention
from exaid_evals.errors import DataError
from exaid_evals.replication.concept_measures import (
    ConceptCase,
    aggregate_concepts,
    candidates_of,
    concept_measures,
    ids_of,
    our_measures,
)
from exaid_evals.replication.conclusions import cases_needed, extractor_validity, leaves, orderings, unsupported_bounds
from exaid_evals.replication.measures import distribution, flush_intervals_ms, joined_by_blanks
from exaid_evals.replication.published import Publication, read_published_run, read_published_trace

EXAIM = Path(__file__).resolve().parents[4] / "shared" / "external" / "exaim"
DOCS = Path(__file__).resolve().parents[3] / "docs"


class Words:
    """An extractor whose concepts are the words seizure and ataxia."""

    id = "words"

    def mentions(self, texts: Sequence[str]) -> list[tuple[Mention, ...]]:
        return [
            tuple(
                Mention(word, text.casefold().index(word), text.casefold().index(word) + len(word))
                for word in ("seizure", "ataxia")
                if word in text.casefold()
            )
            for text in texts
        ]


Replicate = Callable[..., tuple[int, str]]


@pytest.fixture
def replicate(capsys: pytest.CaptureFixture[str]) -> Replicate:
    """Run the verb in this process, and return its exit status and what it prints."""

    def run(*arguments: str) -> tuple[int, str]:
        status = exaid_evals(["replicate", *arguments])
        return status, capsys.readouterr().out

    return run


def test_each_published_number_stands_beside_ours(tmp_path: Path, replicate: Replicate) -> None:
    """Every number of the hand-made publication that needs no concepts is equal; variants go by their policy."""
    status, output = replicate(str(publish(tmp_path)), "--json", "--no-concepts")
    document = json.loads(output.splitlines()[-1])
    cells = {cell["measure"]: cell for cell in document["cells"]}
    assert status == 0
    assert all(cell["equal"] for cell in cells.values())
    assert cells["m8_latency_ms_mean.summary"]["recomputed"] == pytest.approx(13000 / 6, abs=1e-6)
    assert cells["flush_statistics.flush_interval_ms_distribution.mean"]["published"] == 3500.0
    assert document["not_compared"] == ["m4_trace_coverage.mean"]
    assert {one["variant"]: one["ours"] for one in document["variants"]} == {"V0": "A0", "V2": "A2"}


def test_a_number_that_differs_is_named(tmp_path: Path, replicate: Replicate) -> None:
    """Exit status 1, and the line names variant, measure and both numbers."""
    folder = publish(tmp_path)
    path = folder / "metrics" / "aggregate.metrics.json"
    path.write_text(path.read_text().replace('"prompt": 350.0', '"prompt": 351.0'))
    status, output = replicate(str(folder), "--no-concepts")
    assert status == 1
    assert "differs   V0 m9_usage_ctu_mean.prompt: published 351.0, recomputed 350.0" in output


def test_joined_by_blanks_words_are_torn(tmp_path: Path) -> None:
    """Upstream's text of the trace holds no `seizure`, which was said: by it both concepts are unsupported."""
    folder = publish(tmp_path)
    trace = read_published_trace(Publication(folder).trace_files["case-1"])
    run = read_published_run(Publication(folder).run_files("V0")["case-1"])
    assert joined_by_blanks(trace.deltas) == "Sei zure  and  ata xia."
    read = ids_of(CachedExtractor(Words()))
    of_torn, of_said = (concept_measures(trace, run, read, basis) for basis in ("torn", "said"))
    torn, said = of_torn.values, of_said.values
    assert (torn["m5_unsupported_global_rate"], said["m5_unsupported_global_rate"]) == (1.0, 0.0)
    assert (torn["m4_trace_coverage"], said["m4_trace_coverage"]) == (0.0, 1.0)
    # Failed summaries are empty sets in M3: {seizure}, {}, {ataxia, seizure}.
    assert said["m3_redundancy_jaccard_mean"] == 0.0
    assert said["m7b_coverage_by_budget"]["ctu_250"] == 1.0
    together = aggregate_concepts([of_said])
    assert together["m5_unsupported.global_rate_mean"] == 0.0
    # M3 of a variant is over pairs of summaries, and not over cases.
    pooled = aggregate_concepts([ConceptCase(said, [1.0]), ConceptCase(said, [0.0, 0.9, 0.5])])
    assert pooled["m3_redundancy.jaccard_mean"] == pytest.approx(0.6)
    assert pooled["m3_redundancy.threshold_rates.tau_0.90"] == 0.5


def _fields(event: Mapping[str, Any]) -> dict[str, str]:
    return dict.fromkeys(FIELDS, "None.") | {"key_findings": event["summary_semantics_text"]}


def test_our_definitions_stand_beside_theirs(tmp_path: Path) -> None:
    """Both concepts were said before a summary states them; pairs with the failed summary share nothing."""
    publication = Publication(publish(tmp_path))
    trace = read_published_trace(publication.trace_files["case-1"])
    run = read_published_run(publication.run_files("V0")["case-1"])
    run = replace(run, summaries=tuple({**one, "summary_content": _fields(one)} for one in run.summaries))
    ours = our_measures(trace, {"V0": run}, CachedExtractor(Words()))["V0"]
    assert (ours["m4_trace_coverage.mean"], ours["m5_unsupported.global_rate_mean"]) == (1.0, 0.0)
    assert ours["m3_redundancy.jaccard_mean"] == 0.0
    assert ours["m7b_coverage_by_budget_mean.ctu_250"] == 1.0


def test_candidates_of_the_same_words_are_the_same() -> None:
    """Ten candidates a mention raise nothing where both texts use the same words."""
    read = candidates_of(CachedExtractor(Words()), 10)
    assert len(read("Seizure.")) == 10
    assert read("Seizure.") == read("no more SEIZURE")


def test_times_that_run_back_are_passed_over() -> None:
    """3.5 s between the first and the third flush; the second is earlier than the first."""
    moments = ("2025-12-24T22:00:02.000Z", "2025-12-24T22:00:01.000Z", "2025-12-24T22:00:05.500Z")
    assert flush_intervals_ms([{"timestamp": moment} for moment in moments]) == [3500.0]


def test_orderings_are_those_of_scipy() -> None:
    """The paired test is Wilcoxon's; an ordering that the cases contradict does not survive."""
    rng = np.random.default_rng(7)
    one = {f"case-{n}": float(value) for n, value in enumerate(rng.normal(1.0, 1.0, 30))}
    other = {case: value - 0.8 for case, value in one.items()}
    noise = {case: value + float(shift) for (case, value), shift in zip(one.items(), rng.normal(0, 1, 30), strict=True)}
    found = orderings("m", {"A": 3.0, "B": 1.0, "C": 2.0}, {"A": one, "B": other, "C": noise})
    by_pair = {(row.higher, row.lower): row for row in found}
    a_c = np.round([one[case] - noise[case] for case in one], 6)
    assert by_pair["A", "C"].p == pytest.approx(stats.wilcoxon(a_c).pvalue)
    assert by_pair["A", "B"].survives
    assert not orderings("m", {"A": 1.0, "B": 2.0}, {"A": one, "B": other})[0].survives


def test_the_cases_needed_are_those_of_the_power() -> None:
    """An effect of 0.4543 standard deviations needs 40 pairs, as the power function has it."""
    values = np.array([0.4543 + 1.0, 0.4543 - 1.0] * 50)
    effect = values.mean() / values.std(ddof=1)
    assert cases_needed(values * 1.0) in (40, 41)
    assert effect == pytest.approx(0.452, abs=0.001)
    assert cases_needed(np.array([1.0, -1.0])) is None


def test_distributions_are_numpys() -> None:
    """Quantiles are linear between order statistics; nothing has no distribution."""
    assert distribution([1.0, 2.0, 4.0]) == {
        "count": 3, "max": 4.0, "mean": 7 / 3, "min": 1.0, "p50": 2.0, "p90": 3.6, "p95": 3.8, "p99": 3.96,
    }  # fmt: skip
    assert distribution([]) is None


def _sections(page: str) -> dict[str, str]:
    return {title: text.strip() for title, _, text in (part.partition("\n") for part in f"\n{page}".split("\n## "))}


@pytest.mark.slow
@pytest.mark.skipif(not EXAIM.is_dir(), reason="the published evaluation is not here (../shared/external/exaim)")
def test_the_published_evaluation_is_recomputed_to_the_last_digit(replicate: Replicate, tmp_path: Path) -> None:
    """260 numbers of variants, 9,680 of cases, 57 of the calibration, 3 × 1,855 flushes; the page is as documented."""
    status, output = replicate(os.fspath(EXAIM), "--json", "--no-concepts", "--page", os.fspath(tmp_path / "page.md"))
    shown = _sections((DOCS / "replication.md").read_text(encoding="utf-8"))
    made = _sections((tmp_path / "page.md").read_text(encoding="utf-8"))
    without_concepts = made.keys() - {"Which orderings of variants survive"}
    assert len(without_concepts) == 5
    assert {title: shown[title] for title in without_concepts} == {title: made[title] for title in without_concepts}
    document = json.loads(output.splitlines()[-1])
    assert status == 0
    assert (len(document["cells"]), document["cases"]["n"]) == (260, 9680)
    assert document["cases"]["n"] == document["cases"]["n_equal"]
    last = document["gate"][-3:]
    assert [(step["variant"], step["n_equal"], step["n_replayed"]) for step in last] == [
        (variant, 1855, 1855) for variant in ("V0", "V2", "V4")
    ]
    assert [cell["equal"] for cell in document["calibration"]["cells"]] == [True] * 15
    assert [cell["equal"] for cell in document["chunk_size"]] == [True] * 42
    published = {name for values in Publication(EXAIM).aggregate.values() for name, _ in leaves(values)}
    unmatched = published - {cell["measure"] for cell in document["cells"]}
    assert all(name.startswith(("m3", "m4", "m5", "m6", "m7", "stub")) for name in unmatched)


def test_the_recall_widens_the_share_of_unsupported_concepts(tmp_path: Path) -> None:
    """Half of what people marked is found: a share of 0.5 may be nothing but misses, or three quarters."""
    lines = [{"id": f"{n}", "text": "Seizure. Fits.", "gold": [[0, 7, "seizure"], [9, 13, "fit"]]} for n in range(4)]
    annotated = tmp_path / "gold.jsonl"
    annotated.write_text("".join(json.dumps(line) + "\n" for line in lines))
    validity = extractor_validity(Words(), annotated)
    assert (validity.n_documents, validity.precision, validity.recall) == (4, (1.0, 1.0, 1.0), (0.5, 0.5, 0.5))
    bounds = unsupported_bounds({"case-1": 0.5, "case-2": 0.5, "case-3": None}, validity)
    assert bounds is not None
    assert (bounds.corrected, bounds.low, bounds.high) == (0.0, 0.0, 0.75)


def test_a_line_that_is_not_annotated_is_named(tmp_path: Path) -> None:
    """File and line, and what a line must hold."""
    annotated = tmp_path / "gold.jsonl"
    annotated.write_text('{"id": "1", "text": "Seizure", "gold": []}\n{"id": "2", "text": "Ataxia"}\n')
    with pytest.raises(DataError, match=r"gold\.jsonl:2"):
        extractor_validity(Words(), annotated)
