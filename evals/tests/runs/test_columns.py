"""Histories held as columns say what the points say, one by one."""

from __future__ import annotations

import math
import tracemalloc
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaid_evals.runs.base import Source
from exaid_evals.runs.formats import tensorboard_log
from exaid_evals.runs.formats.row_files import csv_rows, csv_table
from exaid_evals.runs.history import LARGEST, Point, Points, Series
from exaid_evals.runs.registry import find_run
from exaid_evals.runs.rows import Table, history_of

STEPS = st.integers(0, 12).map(float)
VALUES = st.one_of(
    st.none(), st.floats(-5, 5), st.sampled_from([math.nan, math.inf, -math.inf, 1e200]), st.sampled_from(["x", "ok"])
)
LOGGED = st.lists(st.tuples(STEPS, VALUES), max_size=25)


def one_by_one(points: list[tuple[float, Any]]) -> list[tuple[str, int, float]]:
    """Return the irregularities by a loop over the points."""
    found: dict[str, list[float]] = {}
    seen: set[float] = set()
    latest = -math.inf
    for step, value in points:
        kind = (
            "missing" if value is None else "not_a_number" if isinstance(value, str)
            else "nan" if math.isnan(value) else "infinite" if abs(value) > LARGEST else None
        )  # fmt: skip
        if kind is not None:
            found.setdefault(kind, []).append(step)
        if step in seen:
            found.setdefault("repeated_step", []).append(step)
        elif step < latest:
            found.setdefault("unordered_step", []).append(step)
        seen.add(step)
        latest = max(latest, step)
    reported = [(kind, len(steps), min(steps)) for kind, steps in found.items()]
    ordered = sorted(seen)
    distances = [later - earlier for earlier, later in pairwise(ordered)]
    if len(distances) >= 3:
        usual, count = Counter(distances).most_common(1)[0]
        wide = [(step, gap) for step, gap in zip(ordered, distances, strict=False) if gap > 1.5 * usual]
        if wide and count >= 0.8 * len(distances):
            reported.append(("gap", sum(round(gap / usual) - 1 for _, gap in wide), wide[0][0]))
    return reported


@given(LOGGED)
def test_columns_say_what_points_say(points: list[tuple[float, Any]]) -> None:
    """Oracle: loops over the points. The same from a tuple of points and from columns."""
    steps, values = [step for step, _ in points], [value for _, value in points]
    columns = Points()
    for step, value in points:
        columns.add(step, value)
    for held in (columns, tuple(map(Point, steps, values))):
        series = Series("m", held)
        last = {step: value for step, value in points if isinstance(value, float) and abs(value) <= LARGEST}
        assert series.clean.steps.tolist() == sorted(last)
        assert series.clean.values.tolist() == [last[step] for step in sorted(last)]
        numbers = [(step, value) for step, value in points if isinstance(value, float)]
        wanted = {step: any(abs(v) <= LARGEST for s, v in numbers if s == step) for step, _ in numbers}
        assert series.defined.tolist() == [wanted[step] for step in sorted(wanted)]
        assert [(one.kind, one.count, one.first_step) for one in series.irregularities] == one_by_one(points)
        np.testing.assert_array_equal(series.logged.values, [dict(numbers)[step] for step in sorted(dict(numbers))])
    assert repr(columns) == repr(tuple(map(Point, steps, values)))


CELLS = st.sampled_from(["", "1", "0.5", "nan", "-inf", "1,5", "text", " 7 ", "1e3", "12%", '"a;b"'])


@given(st.lists(st.lists(CELLS, min_size=2, max_size=4), max_size=12))
def test_columns_of_a_file_are_those_of_its_rows(tmp_path_factory: Any, rows: list[list[str]]) -> None:
    """Quoted, empty and odd cells, rows of another width and a duplicate name included."""
    path: Path = tmp_path_factory.mktemp("csv") / "r.csv"
    path.write_text("\n".join(["step;loss;loss", *(";".join(row) for row in rows)]) + "\n")
    reported: tuple[list[str], list[str]] = ([], [])
    by_rows = history_of("r", "csv", csv_rows(path, reported[0]))
    by_columns = history_of("r", "csv", csv_table(path, reported[1]))
    assert reported[0] == reported[1]
    assert repr(by_rows) == repr(by_columns)


def test_rows_that_lack_a_column_have_no_point_of_it() -> None:
    """A value that is missing in a row is another thing than an empty one."""
    table = Table.of_rows([{"step": 1, "a": 2.0}, {"step": "x", "a": 3.0}, {"step": 3, "b": {"c": ""}}, {"a": [1]}])
    history = history_of("r", "jsonl", table)
    assert history.series["a"].points == (Point(1.0, 2.0),)
    assert "b.c" not in history.series
    assert history.warnings == (
        "2 rows whose step is not a number are left out", "b.c: no value is a number; it is left out",
    )  # fmt: skip


def test_rows_of_batches_are_numbered_where_only_their_epoch_is_counted(tmp_path: Path) -> None:
    """`Epoch,Batch` begins anew in each epoch: no row is one that was logged again."""
    path = tmp_path / "log.csv"
    rows = [f"{epoch},{batch},{1 / (1 + epoch + batch)}" for epoch in range(3) for batch in range(4)]
    path.write_text("\n".join(["Epoch,Batch,Loss", *rows]) + "\n", encoding="utf-8")
    history = find_run(str(path), [tmp_path])
    assert [point.step for point in history.series["Loss"].points] == [*range(12)]


def test_what_tensorboard_logged_is_held_as_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a million scalars no object each is kept: at no time more than 100 bytes a point."""
    n = 30_000
    (tmp_path / "events.out.tfevents.1.host").touch()
    monkeypatch.setattr(tensorboard_log, "_scalars", lambda *_: (("loss", at, 1 / (at + 1)) for at in range(n)))
    tracemalloc.start()
    history = tensorboard_log.TensorBoardFormat().history(Source(tmp_path), "run")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert history.series["loss"].points[-1] == Point(n - 1, 1 / n)
    assert peak < 100 * n
