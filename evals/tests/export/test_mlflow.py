"""MLflow: golden stores that its client made, as files and as a database, and damaged ones."""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from exaid_evals.errors import DataError
from exaid_evals.runs.formats.trackers import MlflowFormat
from export.trackers import GOLD, read


def database(tmp_path: Path) -> Path:
    """Unpack the golden database."""
    path = tmp_path / "mlflow.db"
    path.write_bytes(gzip.decompress((GOLD / "mlflow" / "database" / "mlflow.db.gz").read_bytes()))
    return path


@pytest.mark.parametrize("kind", ["files", "database"])
def test_mlflow_stores_say_what_was_logged(kind: str, tmp_path: Path) -> None:
    """Files and database agree: the last value is of the last step, NaN is undefined, deleted runs are left out."""
    expected = json.loads((GOLD / "mlflow" / "expected.json").read_text(encoding="utf-8"))
    folder = GOLD / "mlflow" / "files" if kind == "files" else database(tmp_path).parent
    runs = {name.split("/", 1)[1]: run for name, run in read(MlflowFormat(), folder).items()}
    for name, wanted in expected.items():
        assert runs[name].metrics["val/accuracy"] == pytest.approx(wanted["val/accuracy"])
        assert runs[name].metrics["loss"] is None
        assert runs[name].seed == int(name[-1])
        assert runs[name].config == {"lr": "0.001", "note": "=cmd|' /C calc'!A0"}
        assert (runs[name].git_hash or "")[:8] == "01234567"
        assert runs[name].git_dirty is True
    assert len(runs) == 5
    assert sorted(run.metrics["val/accuracy"] for name, run in runs.items() if "twin" in name) == [0.25, 0.5]
    assert any("status is FAILED" in warning for warning in runs["demo/broken"].warnings)


def test_a_run_an_experiment_and_a_store_are_claimed() -> None:
    """A user may name the folder above mlruns, mlruns, an experiment or a run."""
    files = GOLD / "mlflow" / "files"
    [experiment] = (path for path in (files / "mlruns").iterdir() if (path / "meta.yaml").is_file())
    run = next(path for path in sorted(experiment.iterdir()) if path.is_dir())
    assert [len(read(MlflowFormat(), place)) for place in (files, files / "mlruns", experiment, run)] == [5, 5, 5, 1]


def test_damage_in_a_store_costs_what_it_must(tmp_path: Path) -> None:
    """A broken metric, a link and a locked file are warnings of their run; a broken meta.yaml is that run alone."""
    shutil.copytree(GOLD / "mlflow" / "files", tmp_path / "s")
    reader = MlflowFormat()
    source = next(one for one in reader.sources(tmp_path / "s") if one.part == "demo/seed-1")
    run_folder = next(path.parents[1] for path in (reader.inputs(source) or ()) if path.parent.name == "params")
    (run_folder / "metrics" / "broken").write_text("1 high 0\n", encoding="utf-8")
    (run_folder / "metrics" / "passwd").symlink_to("/etc/passwd")
    (run_folder / "metrics" / "loop").symlink_to(run_folder)
    run = reader.read(source, "x")
    assert any("metrics/broken: '1 high 0' is not a line" in warning for warning in run.warnings)
    assert sum("is a link and was passed over" in warning for warning in run.warnings) == 2
    assert run.metrics["val/accuracy"] == pytest.approx(0.81)
    (run_folder / "meta.yaml").write_text("a: &a [*a]\nb: [", encoding="utf-8")
    with pytest.raises(DataError, match=r"meta\.yaml"):
        reader.read(source, "x")


def test_a_database_is_not_written_and_its_own_code_not_run(tmp_path: Path) -> None:
    """Reading leaves no journal and no byte changed; a view in a table's place is refused, and so is a fresh log."""
    path = database(tmp_path)
    before = path.read_bytes()
    assert len(read(MlflowFormat(), tmp_path)) == 5
    assert [entry.name for entry in tmp_path.iterdir()] == ["mlflow.db"]
    assert path.read_bytes() == before
    connection = sqlite3.connect(path)
    connection.executescript(
        "ALTER TABLE runs RENAME TO hidden; CREATE VIEW runs AS WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL "
        "SELECT n + 1 FROM t) SELECT n AS run_uuid FROM t;"
    )
    connection.close()
    assert not MlflowFormat().claims(tmp_path)
    path.write_bytes(before)
    (tmp_path / "mlflow.db-wal").write_bytes(b"x")
    assert MlflowFormat().claims(tmp_path)
    with pytest.raises(DataError, match="not merged yet"):
        MlflowFormat().sources(tmp_path)
