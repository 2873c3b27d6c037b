"""W&B, MLflow, lm-evaluation-harness and inspect-ai: golden folders made by those tools, and hostile ones."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import sqlite3
import struct
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaid_evals.cli.main import run as cli
from exaid_evals.errors import DataError, MissingDependencyError
from exaid_evals.export.base import ExportedRun, Reader, Settings
from exaid_evals.export.readers import inspect_archive
from exaid_evals.export.readers.inspect_ai import InspectReader
from exaid_evals.export.readers.lm_eval import LmEvalReader
from exaid_evals.export.readers.mlflow import MlflowReader
from exaid_evals.export.readers.wandb import WandbReader
from exaid_evals.export.readers.wandb_log import read_log
from exaid_evals.export.reading import run_names
from exaid_evals.export.registry import reader_of

GOLD = Path(__file__).parents[1] / "gold" / "export"
FORMATS: dict[str, tuple[type[Reader], str]] = {
    "wandb": (WandbReader, "wandb"),
    "mlflow": (MlflowReader, "mlflow/files"),
    "lm_eval": (LmEvalReader, "lm_eval"),
    "inspect_ai": (InspectReader, "inspect/deflated"),
}


def read(reader: Reader, folder: Path) -> dict[str, ExportedRun]:
    """Read every run of a folder, by what the export calls it."""
    assert reader.claims(folder)
    sources = reader.sources(folder)
    return {name: reader.read(source, name) for name, source in zip(run_names(sources), sources, strict=True)}


@pytest.mark.parametrize("name", FORMATS)
def test_the_registry_finds_the_reader_by_looking(name: str) -> None:
    """Each golden folder is claimed by its reader, and by no other before it."""
    assert reader_of(GOLD / FORMATS[name][1]).name == name


@pytest.mark.parametrize("name", FORMATS)
def test_a_plain_folder_is_claimed_by_none(name: str, tmp_path: Path) -> None:
    """Neither an empty folder, a folder of other JSON files, nor one that cannot be listed is anybody's."""
    reader = FORMATS[name][0](Settings())
    (tmp_path / "results.json").write_text('{"results": [1]}', encoding="utf-8")
    (tmp_path / "log.json").write_text('{"status": "success"}', encoding="utf-8")
    (tmp_path / "run.eval").write_text("no archive", encoding="utf-8")
    (tmp_path / "mlflow.db").write_text("no database", encoding="utf-8")
    assert not reader.claims(tmp_path)
    assert not reader.claims(tmp_path / "missing")


def test_inputs_are_files_that_exist_or_may() -> None:
    """What an export remembers a run by are files, whose digests it takes."""
    for reader_type, place in FORMATS.values():
        reader = reader_type(Settings())
        for source in reader.sources(GOLD / place):
            inputs = reader.inputs(source)
            assert inputs
            assert not any(path.is_dir() for path in inputs)
            assert any(path.is_file() for path in inputs)


def test_all_formats_in_one_export(tmp_path: Path) -> None:
    """The verb takes runs of all these tools at once, remembers them, and gives the same bytes again."""
    places = [place for _, place in FORMATS.values()]
    runs = [argument for place in places for argument in ("--run", str(GOLD / place))]
    assert cli(["export", *runs, "--out", str(tmp_path / "out")]) == 0
    first = (tmp_path / "out" / "exported_summary.json").read_bytes()
    formats = sorted(run["format"] for run in json.loads(first)["runs"])
    assert formats == ["inspect_ai", "lm_eval", *["mlflow"] * 5, *["wandb"] * 2]
    assert cli(["export", *runs, "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "exported_summary.json").read_bytes() == first


# W&B


def wandb_log() -> Path:
    """Return the golden log of the first run."""
    return next((GOLD / "wandb").glob("offline-run-*-gold0001/run-*.wandb"))


def test_wandb_logs_say_what_was_logged() -> None:
    """Last values, summary items with dots, nested ones, seed, config; what was removed is gone, NaN is undefined."""
    expected = json.loads((GOLD / "wandb" / "expected.json").read_text(encoding="utf-8"))
    runs = read(WandbReader(), GOLD / "wandb")
    assert len(runs) == 2
    for run in runs.values():
        wanted = expected[run.attributes["wandb_run_id"]]
        assert {key: run.metrics[key] for key in wanted} == pytest.approx(wanted)
        assert set(run.metrics) == {*wanted, "undefined"}
        assert run.metrics["undefined"] is None
        assert run.config == {
            "lr": 0.001,
            "model.depth": 3,
            "model.name": "=cmd|' /C calc'!A0",
            "tags": ["a", "b"],
        }
        assert run.attributes["steps"] == 3
    assert sorted(run.seed or 0 for run in runs.values()) == [1, 2]


def test_a_record_of_several_blocks_is_put_together() -> None:
    """A value longer than two blocks of 32 KiB comes back whole."""
    assert read_log(wandb_log()).summary["long"] == "x" * 70_000


def test_a_run_and_the_folder_wandb_and_its_parent_are_claimed(tmp_path: Path) -> None:
    """A user may name any of the three; the link `latest-run` is not a second run."""
    folder = tmp_path / "project" / "wandb"
    folder.mkdir(parents=True)
    shutil.copytree(wandb_log().parent, folder / wandb_log().parent.name)
    (folder / "latest-run").symlink_to(folder / wandb_log().parent.name)
    for place in (folder, tmp_path / "project", folder / wandb_log().parent.name):
        assert len(read(WandbReader(), place)) == 1


def test_a_log_that_breaks_off_keeps_what_stands_before(tmp_path: Path) -> None:
    """A killed run's log is read as far as it goes, with a warning; one without a record is refused."""
    data = wandb_log().read_bytes()
    path = tmp_path / "run-x.wandb"
    path.write_bytes(data[:-30])
    run = next(iter(read(WandbReader(), tmp_path).values()))
    assert run.metrics["val.accuracy"] == 0.81
    assert any("breaks off" in warning for warning in run.warnings)
    path.write_bytes(data[:20])
    with pytest.raises(DataError, match="is no log of W&B"):
        read(WandbReader(), tmp_path)


def test_a_damaged_record_is_noticed(tmp_path: Path) -> None:
    """One flipped bit breaks a checksum."""
    data = bytearray(wandb_log().read_bytes())
    data[500] ^= 1
    path = tmp_path / "run-x.wandb"
    path.write_bytes(bytes(data))
    assert any("checksum" in warning for warning in read_log(path).warnings)


def told_or_read(path: Path) -> object:
    """Return what a log says, or the line that tells why it cannot be read."""
    try:
        return read_log(path)
    except DataError as error:
        return str(error)


@given(st.binary(max_size=400), st.integers(0, 800))
def test_no_bytes_break_the_log_reader(tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int) -> None:
    """Whatever bytes stand in a log, it is read or refused with a clear line, and always in the same way."""
    data = bytearray(wandb_log().read_bytes()[:1200])
    data[at : at + len(noise)] = noise
    path = tmp_path_factory.mktemp("w") / "run-x.wandb"
    path.write_bytes(bytes(data))
    first, second = (told_or_read(path) for _ in range(2))
    assert first == second
    assert not isinstance(first, str) or str(path) in first


def test_a_valid_chunk_around_nonsense_is_refused_cleanly(tmp_path: Path) -> None:
    """A checksum can be right and the record none: a field longer than its record, an endless number."""
    import zlib

    for record in (b"\x1a\xff\xff\xff\xff\x0f", b"\x80" * 30, b"\x0b"):
        chunk = struct.pack("<IHB", zlib.crc32(b"\x01" + record), len(record), 1) + record
        path = tmp_path / "run-x.wandb"
        path.write_bytes(struct.pack("<4sHB", b":W&B", 0xBEE1, 0) + chunk)
        with pytest.raises(DataError, match="is no log of W&B"):
            read_log(path)


def test_a_run_of_which_only_files_were_kept_is_read(tmp_path: Path) -> None:
    """Summary and config as wandb writes them beside a log; with a broken log they stand in, and that is said."""
    folder = tmp_path / "run-20241219_120000-abc"
    (folder / "files").mkdir(parents=True)
    (folder / "files" / "wandb-summary.json").write_text(
        '{"acc": 0.5, "val": {"f1": NaN}, "_step": 3}', encoding="utf-8"
    )
    (folder / "files" / "config.yaml").write_text(
        "_wandb:\n  value: {cli_version: 1}\nseed:\n  desc: null\n  value: 4\nlr:\n  value: 0.1\n", encoding="utf-8"
    )
    [run] = read(WandbReader(), folder).values()
    assert (run.metrics, run.seed, run.config) == ({"acc": 0.5, "val.f1": None}, 4, {"lr": 0.1})
    (folder / "run-abc.wandb").write_bytes(b"broken")
    [run] = read(WandbReader(), folder).values()
    assert any("was read in place of run-abc.wandb" in warning for warning in run.warnings)
    (folder / "files" / "config.yaml").write_text(
        "!!python/object/apply:os.system ['touch /tmp/owned']", encoding="utf-8"
    )
    with pytest.raises(DataError):
        read(WandbReader(), folder)


# MLflow


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
    runs = {name.split("/", 1)[1]: run for name, run in read(MlflowReader(), folder).items()}
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
    assert [len(read(MlflowReader(), place)) for place in (files, files / "mlruns", experiment, run)] == [5, 5, 5, 1]


def test_damage_in_a_store_costs_what_it_must(tmp_path: Path) -> None:
    """A broken metric, a link and a locked file are warnings of their run; a broken meta.yaml is that run alone."""
    shutil.copytree(GOLD / "mlflow" / "files", tmp_path / "s")
    reader = MlflowReader()
    source = next(one for one in reader.sources(tmp_path / "s") if one.part == "demo/seed-1")
    run_folder = next(path.parents[1] for path in (reader.inputs(source) or ()) if path.parent.name == "params")
    (run_folder / "metrics" / "broken").write_text("1 high 0\n", encoding="utf-8")
    (run_folder / "metrics" / "passwd").symlink_to("/etc/passwd")
    (run_folder / "metrics" / "loop").symlink_to(run_folder)
    run = reader.read(source, "x")
    assert any("metrics/broken: '1 high 0' is no line" in warning for warning in run.warnings)
    assert sum("is a link and was passed over" in warning for warning in run.warnings) == 2
    assert run.metrics["val/accuracy"] == pytest.approx(0.81)
    (run_folder / "meta.yaml").write_text("a: &a [*a]\nb: [", encoding="utf-8")
    with pytest.raises(DataError, match=r"meta\.yaml"):
        reader.read(source, "x")


def test_a_database_is_not_written_and_its_own_code_not_run(tmp_path: Path) -> None:
    """Reading leaves no journal and no byte changed; a view in a table's place is refused, and so is a fresh log."""
    path = database(tmp_path)
    before = path.read_bytes()
    assert len(read(MlflowReader(), tmp_path)) == 5
    assert [entry.name for entry in tmp_path.iterdir()] == ["mlflow.db"]
    assert path.read_bytes() == before
    connection = sqlite3.connect(path)
    connection.executescript(
        "ALTER TABLE runs RENAME TO hidden; CREATE VIEW runs AS WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL "
        "SELECT n + 1 FROM t) SELECT n AS run_uuid FROM t;"
    )
    connection.close()
    assert not MlflowReader().claims(tmp_path)
    path.write_bytes(before)
    (tmp_path / "mlflow.db-wal").write_bytes(b"x")
    assert not MlflowReader().claims(tmp_path)


# lm-evaluation-harness


def test_lm_eval_results_say_tasks_directions_and_seed() -> None:
    """Metrics by task, the spread apart, the direction as each task says, the seed and the versions."""
    [run] = read(LmEvalReader(), GOLD / "lm_eval").values()
    assert set(run.metrics) == {"fever.acc", "fever.brier_score", "cough.acc", "cough.brier_score"}
    assert run.lower_is_better == {"fever.brier_score", "cough.brier_score"}
    assert run.higher_is_better == {"fever.acc", "cough.acc"}
    assert (run.seed, run.attributes["task_versions"]) == (3, {"cough": 2, "fever": 1})
    assert set(run.attributes["stderr"]) == {"fever.acc_stderr", "cough.acc_stderr"}
    assert run.warnings == ()


def lm_results(tmp_path: Path, text: str) -> Path:
    """Write a results file."""
    (tmp_path / "results_2024.json").write_text(text, encoding="utf-8")
    return tmp_path


def test_filters_limits_and_nan_are_told(tmp_path: Path) -> None:
    """A filter is part of a metric's name, a limit makes a warning, NaN and N/A are undefined or left out."""
    text = (
        '{"results": {"gsm8k": {"alias": "gsm8k", "exact_match,strict-match": 0.5, "exact_match,flexible-extract": NaN,'
        '"exact_match_stderr,strict-match": "N/A"}}, "config": {"limit": 10}, "n-samples": {"gsm8k": {"original": 100,'
        '"effective": 10}}}'
    )
    [run] = read(LmEvalReader(), lm_results(tmp_path, text)).values()
    assert run.metrics == {"gsm8k.exact_match@strict-match": 0.5, "gsm8k.exact_match@flexible-extract": None}
    assert any("--limit 10" in warning for warning in run.warnings)


@pytest.mark.parametrize("text", ['{"results": {', '{"results": {}}', '{"results": {"a": [1]}, "config": [}'])
def test_broken_results_are_refused_by_name(tmp_path: Path, text: str) -> None:
    """Whatever begins as a results file and is none is an error that names it."""
    with pytest.raises(DataError, match=r"results_2024\.json"):
        read(LmEvalReader(), lm_results(tmp_path, text))


# inspect-ai


@pytest.mark.parametrize("form", ["json", "deflated", "archive"])
def test_inspect_logs_say_scores_seed_and_model(form: str) -> None:
    """The same evaluation as JSON, in the older and in the newer packing gives the same scores."""
    if form == "archive":
        pytest.importorskip("zstandard", reason="extra export-inspect")
    [run] = read(InspectReader(), GOLD / "inspect" / form).values()
    assert run.metrics == {"match.accuracy": 0.75, "includes.accuracy": 0.75}
    assert run.attributes["stderr"] == {"match.stderr": 0.25, "includes.stderr": 0.25}
    assert (run.seed, run.config["model"], run.config["temperature"]) == (7, "mockllm/model", 0.5)
    assert (run.attributes["n_samples"], run.warnings) == (4, ())


def test_a_killed_evaluation_is_told() -> None:
    """A log without its header says that the evaluation was only started."""
    [run] = read(InspectReader(), GOLD / "inspect" / "started").values()
    assert run.metrics == {}
    assert run.warnings[0].endswith("the evaluation's status is started")


def test_without_zstandard_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newer packing needs a package, and the error says how to install it."""
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(MissingDependencyError, match=r"export-inspect"):
        read(InspectReader(), GOLD / "inspect" / "archive")


def archive(tmp_path: Path, content: bytes, name: str = "header.json") -> Path:
    """Write a log with one member."""
    path = tmp_path / "x.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr(name, content)
    return path


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member that is too large is refused by the table; where the table lies, by what comes out."""
    monkeypatch.setattr(inspect_archive, "MAX_BYTES", 1000)
    path = archive(tmp_path, b"0" * 100_000)
    with pytest.raises(DataError, match="is larger than"):
        read(InspectReader(), tmp_path)
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<L", 10)
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match=r"unpacks to more than|is damaged"):
        read(InspectReader(), tmp_path)


def test_names_in_an_archive_lead_nowhere(tmp_path: Path) -> None:
    """Nothing is unpacked to the disk, so that a member's path cannot lead out of a folder."""
    folder = tmp_path / "in"
    folder.mkdir()
    with zipfile.ZipFile(folder / "x.eval", "w") as made:
        made.writestr("../../owned", "x")
        made.writestr(
            "header.json",
            '{"status": "success", "eval": {}, "results": {"scores": [{"name": "s", "metrics":'
            '{"accuracy": {"value": 0.5}}}]}}',
        )
    [run] = read(InspectReader(), folder).values()
    assert run.metrics == {"s.accuracy": 0.5}
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["in", "x.eval"]


@given(st.binary(max_size=200), st.integers(0, 2800))
def test_no_bytes_break_the_archive_reader(tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int) -> None:
    """A damaged log is read, or refused with a clear line."""
    data = bytearray(next((GOLD / "inspect" / "deflated").glob("*.eval")).read_bytes())
    data[at : at + len(noise)] = noise
    folder = tmp_path_factory.mktemp("i")
    (folder / "x.eval").write_bytes(bytes(data))
    reader = InspectReader()
    for source in reader.sources(folder):
        told = ""
        try:
            reader.read(source, "x")
        except (DataError, MissingDependencyError) as error:
            told = str(error)
        assert not told or "x.eval" in told


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_a_log_without_permission_is_passed_over(tmp_path: Path) -> None:
    """A file that may not be opened is not claimed, and not a traceback."""
    path = archive(tmp_path, b"{}")
    path.chmod(0)
    assert not InspectReader().claims(tmp_path)
