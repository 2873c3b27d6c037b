"""Two logs of other tools, item by item: read, aligned, compared and written."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from made_logs import (
    deepeval_run,
    helm_run,
    inspect_log,
    lm_eval_samples,
    mlflow_table,
    openai_evals_record,
    predictions,
    promptfoo_output,
    ragas_table,
)

from exaid_evals.artifacts.schemas import violations
from exaid_evals.cli.main import root
from exaid_evals.cli.main import run as cli
from exaid_evals.errors import ConfigError
from exaid_evals.item_scores.registry import read_side
from exaid_evals.stats.paired import mcnemar_p

A = [True, True, False, False, True, False, True, False, False, False]
B = [True, False, True, True, True, True, True, True, False, True]
GAINED, LOST = 5, 1
Maker = Callable[[Path, list[bool], str], Path]

MAKERS: dict[str, tuple[Maker, str]] = {
    "inspect_ai, archive": (lambda folder, right, name: inspect_log(folder / f"{name}.eval", right), "match"),
    "inspect_ai, JSON": (lambda folder, right, name: inspect_log(folder / f"{name}.json", right), "match"),
    "lm_eval": (lambda folder, right, name: lm_eval_samples(folder / name, right), "exact_match@strict"),
    "promptfoo": (lambda folder, right, name: promptfoo_output(folder / f"{name}.json", **{name: right}), "pass"),
    "helm": (lambda folder, right, name: helm_run(folder / name, right, model=name), "exact_match"),
    "mlflow": (lambda folder, right, name: mlflow_table(folder / f"{name}.json", right), "exact"),
    "openai_evals": (
        lambda folder, right, name: openai_evals_record(folder / f"{name}.jsonl", right, model=name),
        "correct",
    ),
    "deepeval": (lambda folder, right, name: deepeval_run(folder / f"{name}.json", right), "pass"),
    "ragas": (lambda folder, right, name: ragas_table(folder / f"{name}.csv", right), "exact_match"),
    "run_eval": (lambda folder, right, name: predictions(folder / name, right), "correct"),
}


def run(*arguments: object, code: int = 0) -> str:
    """Return what the verb prints."""
    done = CliRunner().invoke(root, ["compare-logs", *map(str, arguments)], catch_exceptions=True)
    assert (2 if done.exit_code == 1 and code == 2 else done.exit_code) == code, (done.output, done.exception)
    return str(done.exception) if code else done.stdout


def record(*arguments: object) -> dict[str, Any]:
    """Return the record that the verb prints; it is valid."""
    found: dict[str, Any] = json.loads(run(*arguments, "--json"))
    assert list(violations(found)) == []
    return found


@pytest.mark.parametrize("name", MAKERS)
def test_the_same_answers_give_the_same_numbers_in_every_format(tmp_path: Path, name: str) -> None:
    """Ten questions, five won and one lost: the paired difference, McNemar's test and who is read first."""
    make, metric = MAKERS[name]
    found = record(make(tmp_path, A, "one"), make(tmp_path, B, "two"), "--metric", metric, "--items", "10")
    [one] = found["comparisons"]
    twice = 2 if name == "helm" else 1  # each instance has a perturbed twin, an item of its own
    assert (one["n"], one["gained"], one["lost"]) == (10 * twice, GAINED * twice, LOST * twice)
    assert (one["mean_a"], one["mean_b"], one["difference"]) == (0.4, 0.8, 0.4)
    expected = mcnemar_p(GAINED * twice, LOST * twice)
    assert expected is not None
    assert (one["p_exact"], one["p"]) == pytest.approx(expected, abs=1e-6)
    assert found["kept_out"] == []
    [group] = found["read_first"]
    assert len(group["items"]) == min(10, (GAINED + LOST) * twice)
    assert all(item["a"] != item["b"] for item in group["items"])
    if name not in ("run_eval", "helm"):
        assert {item["answer_a"] for item in group["items"]} == {"yes", "no"}
        assert all("Question" in item["question"] and item["target"] == "yes" for item in group["items"])


def test_one_log_holds_both_sides(tmp_path: Path) -> None:
    """A file of several providers is compared with itself, when each side names one; else it says which there are."""
    path = promptfoo_output(tmp_path / "out.json", one=A, two=B)
    assert "there are 'one', 'two'" in run(path, path, code=2)
    found = record(path, path, "--system-a", "one", "--system-b", "two", "--metric", "pass")
    assert found["comparisons"][0]["difference"] == 0.4


def test_what_restates_another_metric_is_tested_once(tmp_path: Path) -> None:
    """Of promptfoo `score` decides `pass`: Holm counts one of them, and `score` is compared where it is asked for."""
    path = promptfoo_output(tmp_path / "out.json", one=A, two=B)
    sides = ("--system-a", "one", "--system-b", "two")
    found = record(path, path, *sides)
    assert [one["metric"] for one in found["comparisons"]] == ["pass", "tone"]
    assert any("only where --metric names it" in warning for warning in found["warnings"])
    [score] = record(path, path, *sides, "--metric", "score")["comparisons"]
    assert score["difference"] == pytest.approx(0.4 * 0.75)


def test_epochs_of_an_item_are_no_independent_answers(tmp_path: Path) -> None:
    """Three equal epochs of each item widen no evidence: p is that of the items alone; `none` would count them."""
    one, two = inspect_log(tmp_path / "a.eval", A, epochs=3), inspect_log(tmp_path / "b.json", B, epochs=3)
    [comparison] = record(one, two, "--metric", "match")["comparisons"]
    assert (comparison["n"], comparison["n_clusters"], comparison["test"]) == (30, 10, "permutation of clusters")
    assert (comparison["p_exact"], comparison["p"]) == pytest.approx(mcnemar_p(GAINED, LOST), abs=1e-6)
    [pooled] = record(one, two, "--metric", "match", "--cluster", "none")["comparisons"]
    assert pooled["p"] < comparison["p"]
    assert pooled["ci95_high"] - pooled["ci95_low"] < comparison["ci95_high"] - comparison["ci95_low"]


@pytest.mark.parametrize(
    ("name", "key"),
    [("inspect_ai, JSON", "topic"), ("lm_eval", "passage"), ("run_eval", "patient"), ("promptfoo", "q")],
)
def test_clusters_come_from_what_the_log_says(tmp_path: Path, name: str, key: str) -> None:
    """Metadata, document, columns and variables name clusters; another key is refused with those there are."""
    make, metric = MAKERS[name]
    one, two = make(tmp_path, A, "one"), make(tmp_path, B, "two")
    [comparison] = record(one, two, "--metric", metric, "--cluster", key)["comparisons"]
    assert comparison["n_clusters"] == (10 if name == "promptfoo" else 5)
    assert key in run(one, two, "--cluster", "colour", code=2)


def test_what_keeps_items_out_is_said(tmp_path: Path) -> None:
    """Failed on one side, in one log alone, another question under one id: each named, none counted."""
    one = inspect_log(tmp_path / "a.json", A, failed=[0])
    two = inspect_log(tmp_path / "b.json", B[:9])
    changed = json.loads(two.read_text(encoding="utf-8"))
    changed["samples"][3]["input"] = "Another question?"
    two.write_text(json.dumps(changed), encoding="utf-8")
    found = record(one, two, "--metric", "match")
    assert {(reason["reason"], tuple(map(tuple, reason["items"]))) for reason in found["kept_out"]} == {
        ("failed in A", (("q0", 1),)),
        ("in A alone", (("q9", 1),)),
        ("another question or target under one id", (("q3", 1),)),
    }
    assert found["comparisons"][0]["n"] == 7
    assert record(one, two, "--metric", "match", "--by-id")["comparisons"][0]["n"] == 8


def test_holm_counts_every_comparison(tmp_path: Path) -> None:
    """Four tasks of the harness: each p is adjusted over those that differ; a task of one side alone is named."""
    for side, right in (("one", A), ("two", B)):
        for task in ("a", "b", "c"):
            lm_eval_samples(tmp_path / side, right if task != "c" else A, task=task)
    lm_eval_samples(tmp_path / "one", A, task="d")
    found = record(tmp_path / "one", tmp_path / "two", "--metric", "exact_match")
    assert [one["task"] for one in found["comparisons"]] == ["a", "b", "c"]
    p = found["comparisons"][0]["p"]
    assert [one["p_holm"] for one in found["comparisons"]] == pytest.approx([2 * p, 2 * p, None], abs=1e-6)
    assert found["comparisons"][2]["p"] is None
    assert "tasks that A alone has: d" in found["warnings"]


def test_the_latest_log_of_a_task_counts(tmp_path: Path) -> None:
    """A folder with two logs of one task takes the later, and names the other."""
    lm_eval_samples(tmp_path / "one", A)
    lm_eval_samples(tmp_path / "two", [False] * 10)
    lm_eval_samples(tmp_path / "two", B, date="2026-01-02T00-00-00.1")
    found = record(tmp_path / "one", tmp_path / "two", "--metric", "exact_match")
    assert found["comparisons"][0]["mean_b"] == 0.8
    assert any("is the latest of 2 logs" in warning and "2026-01-01" in warning for warning in found["warnings"])


def test_scores_that_are_no_numbers_are_said(tmp_path: Path) -> None:
    """A list per item is not a score: left out by name."""
    one, two = lm_eval_samples(tmp_path / "one", A), lm_eval_samples(tmp_path / "two", B)
    found = record(one, two)
    assert {comparison["metric"] for comparison in found["comparisons"]} == {"exact_match", "exact_match@strict"}
    assert any("per_token is not a number" in warning for warning in found["warnings"])


def test_predictions_without_ids_go_by_their_order(tmp_path: Path) -> None:
    """Rows are matched by place, which is said; `1` and `1.0` are one label."""
    one, two = predictions(tmp_path / "one", A, ids=False), predictions(tmp_path / "two", B, ids=False)
    found = record(one, two)
    assert (found["comparisons"][0]["mean_a"], found["comparisons"][0]["n"]) == (0.4, 10)
    assert any("matched by their order" in warning for warning in found["warnings"])


def test_a_metric_that_improves_downwards_names_the_better_side(tmp_path: Path) -> None:
    """B scores higher in a rate of errors on every item, so that A is better."""
    for name, value in (("a", 0.0), ("b", 1.0)):
        table = {"columns": ["inputs", "error_rate"], "data": [[f"q{n}", value + n / 100] for n in range(20)]}
        (tmp_path / f"{name}.json").write_text(json.dumps(table), encoding="utf-8")
    found = record(tmp_path / "a.json", tmp_path / "b.json")
    assert (found["comparisons"][0]["direction"], found["comparisons"][0]["better"]) == ("lower", "A")
    assert "which is worse" in run(tmp_path / "a.json", tmp_path / "b.json")


def test_all_of_it_is_written(tmp_path: Path) -> None:
    """The record, a report, its table and every item; the bytes are the same again, and formulas are text."""
    one, two = inspect_log(tmp_path / "a.json", A), inspect_log(tmp_path / "b.json", B)
    text = one.read_text(encoding="utf-8").replace("q1", "=q1")
    one.write_text(text, encoding="utf-8")
    two.write_text(two.read_text(encoding="utf-8").replace("q1", "=q1"), encoding="utf-8")
    run(one, two, "--out", tmp_path / "out")
    run(one, two, "--out", tmp_path / "again")
    names = ["items.csv", "log_comparison.csv", "log_comparison.json", "log_comparison.md"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [".state", *names]
    for name in names:
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    rows = list(csv.DictReader((tmp_path / "out" / "items.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 20
    assert sum(float(row["difference"]) for row in rows if row["metric"] == "match") == GAINED - LOST
    assert "'=q1" in {row["id"] for row in rows}
    report = (tmp_path / "out" / "log_comparison.md").read_text(encoding="utf-8")
    assert "## Items to read first" in report
    assert "Question 1?" in report


@pytest.mark.parametrize("name", MAKERS)
def test_a_damaged_log_is_a_message(tmp_path: Path, name: str) -> None:
    """A log that breaks off, and one without items, end with what is wrong and where; never with a traceback."""
    make, _ = MAKERS[name]
    good, broken = make(tmp_path, A, "one"), make(tmp_path, B, "two")
    data = broken.read_bytes()
    for content in (data[: len(data) // 2], b"", b"[]", b"{}"):
        broken.write_bytes(content)
        done = CliRunner().invoke(root, ["compare-logs", str(good), str(broken)])
        assert done.exception is None or type(done.exception).__module__ == "exaid_evals.errors", done.exception


GOLD = Path(__file__).parents[1] / "gold" / "export"


def test_what_promptfoo_and_helm_wrote_is_read() -> None:
    """Logs that the tools made themselves: each prompt passes one test of two, and HELM's own model answers wrongly."""
    prompts = ("--system-a", "echo | Say {{x}}", "--system-b", "echo | Please say {{x}}", "--metric", "pass")
    output = GOLD / "promptfoo" / "output.json"
    [one] = record(output, output, *prompts)["comparisons"]
    assert (one["n"], one["mean_a"], one["mean_b"], one["gained"], one["lost"]) == (2, 0.5, 0.5, 1, 1)
    assert "none would have been found" in run(output, output, *prompts)
    [other] = record(GOLD / "helm", GOLD / "helm", "--metric", "exact_match")["comparisons"]
    assert (other["task"], other["n"], other["mean_a"]) == ("simple_mcqa", 2, 0.0)


@pytest.mark.parametrize("name", ["promptfoo", "openai_evals", "deepeval", "ragas"])
def test_an_export_of_items_names_the_verb_that_compares_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """They are no runs: the message ends with what to do, and nothing is exported."""
    path = MAKERS[name][0](tmp_path, A, "one")
    assert cli(["export", "--run", str(path), "--out", str(tmp_path / "out")]) == 1
    assert f"has the items of {name}, each with its scores: `exaid-evals compare-logs A B`" in capsys.readouterr().err


def test_a_table_of_several_systems_is_a_log_of_each(tmp_path: Path) -> None:
    """TruLens writes a row a record of every version, LangSmith ratings beside times, Ragas one name for all files."""
    records = tmp_path / "records.csv"
    rows = "".join(
        f"x{at},{version},q{at},0.{at + more},7\n" for version, more in (("a", 1), ("b", 3)) for at in (1, 2)
    )
    records.write_text(f"record_id,app_version,input,Groundedness,latency_ms\n{rows}")
    with pytest.raises(ConfigError, match="there are 'a', 'b'"):
        read_side(records, None, "A")
    [log] = read_side(records, "b", "B")
    assert [item.scores for item in log.items] == [{"Groundedness": 0.4}, {"Groundedness": 0.5}]
    rated = tmp_path / "langsmith.csv"
    rated.write_text(
        ",inputs.question,outputs.answer,feedback.correct,execution_time,example_id,id\n0,q,a,1,1.5,ex1,r9\n"
    )
    [log] = read_side(rated, None, "A")
    assert [(item.id, item.scores, item.question) for item in log.items] == [("ex1", {"correct": 1.0}, "q")]
    for name in ("base", "new"):
        (tmp_path / "ragas" / name).mkdir(parents=True)
        table = "user_input,retrieved_contexts,faithfulness\nq,c,0.5\n"
        (tmp_path / "ragas" / name / "result.csv").write_text(table)
    [log] = read_side(tmp_path / "ragas", "new", "A")
    assert log.system == "new"
