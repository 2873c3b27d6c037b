"""Files of tools with values of another kind, and long tables and logs, read in time that grows as they do."""

from __future__ import annotations

from pathlib import Path

import pytest

from exaid_evals.errors import DataError
from exaid_evals.runs.files.delimited import open_delimited
from exaid_evals.runs.formats.run_tables import LongCsvFormat
from exaid_evals.runs.registry import format_of
from runs.test_formats import read, write
from timing import growth


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("trial.json", '{"hyperparameters": {}, "metrics": {"metrics": {"acc": {"observations": 5}}}}'),
        ("trial.json", '{"hyperparameters": {}, "metrics": {"metrics": {"acc": {"observations": [{"value": 3}]}}}}'),
        ("catboost_training.json", '{"meta": {"learn_metrics": 3, "learn_sets": 4}, "iterations": [{}]}'),
        ("catboost_training.json", '{"meta": {"learn_metrics": [], "learn_sets": [["a"]]}, "iterations": [{}]}'),
    ],
)
def test_a_file_of_a_tool_with_values_of_another_kind_is_refused(tmp_path: Path, name: str, content: str) -> None:
    """By its path and with what to do, whichever value it is."""
    with pytest.raises(DataError, match=rf"{name}: is not what \w+ writes .*; write or copy it again"):
        read(write(tmp_path, {name: content}))


def test_many_rows_of_one_name_are_runs_of_their_own(tmp_path: Path) -> None:
    """Each with its number, in time that grows as the rows do, and with a warning."""
    table = "model,accuracy\n" + "".join(f"m{n % 2},0.{n}\n" for n in range(20_000)) + "m0 (3),1\n"
    form = format_of(write(tmp_path, {"results.csv": table}))
    assert isinstance(form, LongCsvFormat)
    entries = form.entries(tmp_path / "results.csv")
    assert [*entries][:5] == ["m0", "m1", "m0 (2)", "m1 (2)", "m0 (3)"]
    assert len(entries) == 20_001
    assert entries["m0"].warnings[0].startswith("19999 further rows with the model of another")

    def read_rows(n: int) -> None:
        path = tmp_path / f"{n}.csv"
        path.write_text("model,accuracy\n" + "".join(f"m{at % 2},0.{at}\n" for at in range(n)))
        assert len(form.entries(path)) == n

    assert growth(read_rows, 1_000, times=10) < 40


def test_prose_of_a_printed_log_is_no_name_and_takes_no_time(tmp_path: Path) -> None:
    """A name has few words; a long line without a number is passed over in time that grows as it does."""
    said = [f"Epoch {n} of three\n{'we saw many words and then at last that the val_loss: '}{n / 10}\n" for n in (1, 2)]

    def read_log(n: int) -> None:
        long = "\n".join(["a step of prose " * 4 * n, "epoch " * 10 * n, "{'" * 10 * n, "loss: " + "1" * 60 * n + "x"])
        _, runs = read(write(tmp_path / str(n), {"train.log": "".join(said) + long}))
        [run] = runs.values()
        assert [*run.metrics] == ["words and then at last that the val_loss"]

    assert growth(read_log, 50, times=10) < 40


def test_a_line_that_no_table_may_hold_is_named_below_a_header_of_two_levels_too(tmp_path: Path) -> None:
    """It is looked at to see whether it continues the header."""
    (tmp_path / "loss.csv").write_text(f"step,loss,loss\n1,2,{'9' * 200_000}\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"loss\.csv:2: not valid CSV"):
        open_delimited(tmp_path / "loss.csv")
