"""Thousands of runs, and large files: what is written stays valid, and what is read is streamed."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaid_evals.artifacts.canonical import canonical_json
from exaid_evals.artifacts.schemas import violations
from exaid_evals.cli.main import run as cli
from exaid_evals.errors import DataError
from exaid_evals.export import write
from exaid_evals.export.cache import STAND_IN, named_text, record_text, run_record
from exaid_evals.runs.base import Run
from exaid_evals.runs.files.content import digests
from exaid_evals.runs.files.delimited import numbers, open_delimited
from export.training_runs import shifted, write_run

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text() | st.floats(-1e18, 1e18, allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), plain, max_size=4), st.text(min_size=1))
def test_the_fast_text_of_a_record_is_the_canonical_one(attributes: dict[str, object], name: str) -> None:
    """Byte for byte that of `canonical_json`, under any name: exponents, odd text and huge numbers included."""
    run = Run(STAND_IN, "test", {"a": 1e-5, "b": -0.0, "c": 1 / 3}, attributes=attributes, seed=1)
    try:
        expected = canonical_json({**run_record(run), "run": name})
    except UnicodeEncodeError:
        return
    assert named_text(record_text(run), name) == expected


def test_numbers_that_are_none_reach_no_record() -> None:
    """NaN is refused as the canonical writer refuses it, and not written as null."""
    with pytest.raises(ValueError, match="nan"):
        record_text(Run(STAND_IN, "test", {"a": float("nan")}))


def test_a_name_within_a_run_is_left_alone() -> None:
    """Only the run's own name is written in place of the stand-in."""
    for seed in (3, None):
        run = Run(STAND_IN, "test", {}, config={"run": STAND_IN, "seed": 1, "signature": 2}, seed=seed)
        record = json.loads(named_text(record_text(run), "results_1"))
        assert (record["run"], record["config"]["run"]) == ("results_1", STAND_IN)


def test_an_export_too_large_for_one_record_stays_valid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Runs stand one a line in a file of their own, validation holds them against the summary, and misses none."""
    for number in range(4):
        write_run(tmp_path / f"results_{number}", metrics={}, predictions=shifted(number), seed=number)
    out = tmp_path / "out"
    arguments = ["export", "--runs", f"{tmp_path}/results_*", "--out", str(out)]
    assert cli(arguments) == 0
    whole = json.loads((out / "exported_summary.json").read_text(encoding="utf-8"))
    monkeypatch.setattr(write, "RUNS_WITHIN_BYTES", 100)
    assert cli(arguments) == 0
    summary = json.loads((out / "exported_summary.json").read_text(encoding="utf-8"))
    lines = (out / "exported_runs.jsonl").read_text(encoding="utf-8").splitlines()
    assert all(canonical_json(json.loads(line)) == line for line in lines)
    assert [json.loads(line)["run"] for line in lines] == whole["runs"]
    assert (summary["runs"], summary["runs_file"]["n"]) == ([], 4)
    assert {**summary, "runs": whole["runs"], "runs_file": None} == {**whole, "runs_file": None}
    assert list(violations(summary)) == []
    assert cli(["validate", str(out)]) == 0
    capsys.readouterr()
    (out / "exported_runs.jsonl").write_text("\n".join([*lines[:-1], ""]), encoding="utf-8")
    assert cli(["validate", str(out)]) == 1
    assert "exported_runs.jsonl is missing, or not the one of this export" in capsys.readouterr().out
    monkeypatch.undo()
    assert cli(arguments) == 0
    assert not (out / "exported_runs.jsonl").exists()


@given(st.lists(st.floats(allow_nan=False).map(repr) | st.integers().map(str) | st.sampled_from([" 1", "+.5", "1e3"])))
def test_numbers_at_once_are_those_of_python(cells: list[str]) -> None:
    """Each the float that Python reads."""
    assert numbers(cells) == [float(cell) for cell in cells]


odd_cells = st.sampled_from(
    ["0.25", "1", "-1e-3", ".5", "nan", "", "null", "true", "[1]", "[1", "2]", " 3 ", "x", '"1"']
)


@given(st.lists(st.lists(odd_cells | st.floats(0, 1).map(repr), min_size=3, max_size=5), max_size=4))
def test_rows_that_end_in_numbers_are_read_as_any_rows(rows: list[list[str]]) -> None:
    """Either not at once, or to the same cells and numbers as column by column."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        path.write_text("\n".join(["id,true,p_0,p_1", *map(",".join, rows)]), encoding="utf-8")
        file = open_delimited(path)
        try:
            blocks = list(file.blocks())
        except DataError:  # a quotation that does not end
            return
    for block in blocks:
        found = file.split_before_numbers(block, 2)
        if found is not None:
            *cells, first, second = map(list, file.split(block))
            assert [list(column) for column in found[0]] == cells
            assert [found[1][::2], found[1][1::2]] == [numbers(first), numbers(second)]


@pytest.mark.parametrize("cell", ["true", "null", '"1"', "1,2", "[1]", "x", "", "1]"])
def test_what_json_knows_besides_is_no_number(cell: str) -> None:
    """A cell is never taken for JSON's truth, text, or two numbers."""
    with pytest.raises(ValueError, match="could not convert"):
        numbers(["0.5", cell])


def test_a_later_export_opens_only_what_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what has settled nothing is opened again, and the bytes are the same as those of reading everything."""
    import os

    from exaid_evals.runs.files import content

    for number in range(5):
        write_run(tmp_path / f"results_{number}", metrics={}, predictions=shifted(number), seed=number)
    for path in tmp_path.rglob("*"):
        os.utime(path, (1, 1))
    monkeypatch.setattr("exaid_evals.export.cache._SETTLED_AFTER_NS", -(10**18))
    arguments = ["export", "--runs", f"{tmp_path}/results_*", "--out", str(tmp_path / "out")]
    assert cli(arguments) == 0
    write_run(tmp_path / "results_new", metrics={}, predictions=shifted(9), seed=9)
    opened: list[str] = []
    real = content.os.open
    monkeypatch.setattr(content.os, "open", lambda path, *more: opened.append(str(path)) or real(path, *more))
    with digests():
        assert cli(arguments) == 0
    runs = {Path(path).relative_to(tmp_path).parts[0] for path in opened if path.startswith(f"{tmp_path}/results_")}
    assert runs == {"results_new"}
    monkeypatch.undo()
    again = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.is_file()}
    assert cli([*arguments[:-1], str(tmp_path / "fresh"), "--force"]) == 0
    assert again == {path.name: path.read_bytes() for path in (tmp_path / "fresh").iterdir() if path.is_file()}


LARGE = 400 << 20
_COUNTING = """
import resource, sys
from pathlib import Path
from exaid_evals.runs.files.predictions import count_predictions
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
counted = count_predictions(Path(sys.argv[1]))
area = counted.area_ovr(scikit_learn=False)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(counted.summary.n, counted.counts.trace() / counted.counts.sum(), area, (after - before) // 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize("quote", ["", '"'], ids=["plain", "quoted"])
def test_large_predictions_are_streamed(tmp_path: Path, quote: str) -> None:
    """In under 200 MB above what the program needs anyway; the numbers are those of the rows, counted by hand."""
    note = f"{quote}{'x' * 1000}{quote}"
    # Of ten items eight are right; class 1 scores 0.9 where it is predicted, else 0.1.
    rows = [
        f"i%07d{n},{n % 2},{guess},{note},{1 - score:.1f},{score:.1f}\n"
        for n in range(10)
        for guess in [n % 2 if n < 8 else 1 - n % 2]
        for score in [0.9 if guess else 0.1]
    ]
    size, block = 0, 0
    path = tmp_path / "val_predictions.csv"
    with path.open("w", encoding="utf-8") as stream:
        stream.write("id,true,pred,note,prob_0,prob_1\n")
        while size < LARGE:
            text = "".join(row % block for row in rows)
            size += stream.write(text)
            block += 1
    assert path.stat().st_size >= LARGE
    done = subprocess.run(
        [sys.executable, "-c", _COUNTING, str(path)], capture_output=True, text=True, check=False, timeout=550
    )
    path.unlink()
    assert done.returncode == 0, done.stderr[-2000:]
    n, accuracy, area, mebibytes = map(float, done.stdout.split())
    assert (n, accuracy, area) == (10 * block, pytest.approx(0.8), pytest.approx(0.8))
    assert mebibytes < 200
