"""What is found late: by the Python API, by stages over what others made, by tools that look at everything."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np

from exaid_evals.analysis.batches.log import _pictures, _profile
from exaid_evals.analysis.images.checks import _built
from exaid_evals.api.runs import read_runs as read_finished
from exaid_evals.artifacts import jsonl, manifest
from exaid_evals.artifacts.atomic import writing
from exaid_evals.cases.base import SourceContext
from exaid_evals.cases.registry import load_cases
from exaid_evals.cli.main import _described
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.mas_generation import DatasetConfig
from exaid_evals.errors import DataError
from exaid_evals.export.diagnosis import direction_of
from exaid_evals.export.reading import read_runs
from exaid_evals.factuality.judge import _verdicts
from exaid_evals.factuality.ratings import read_scores
from exaid_evals.item_scores.registry import read_side
from exaid_evals.migration import plan_migration, record_files
from exaid_evals.ontologies.packaged import package_folder, plain_unpickle
from exaid_evals.report.stage import _built as built_table
from exaid_evals.runs.files.archives import opened_database, read_member
from exaid_evals.runs.registry import format_of, pick
from factories import manifest_record, trace_records, write_campaign
from remedies.rows import Row, file

HISTORY = "step,loss\n" + "".join(f"{step},{1 / step:.4f}\n" for step in range(1, 30))


def reported(error: OSError) -> Callable[[], None]:
    """Return what says what the command line says of an error that nobody has foreseen."""

    def do() -> None:
        raise DataError(_described(error))

    return do


def system(remedy: str, code: int) -> Row:
    """Return the row of an error of the operating system, which then does not come."""
    return Row(remedy, reported(OSError(code, os.strerror(code), "data/x")), lambda: None)


def locked() -> None:
    """Write into a folder that another thread is writing."""
    taken, done = Event(), Event()

    def other() -> None:
        with writing(Path("out").resolve()):
            taken.set()
            done.wait(9)

    thread = Thread(target=other)
    thread.start()
    try:
        taken.wait(9)
        with writing(Path("out").resolve()):
            pass
    finally:
        done.set()
        thread.join()


def free() -> None:
    """Write into a folder that nobody has."""
    with writing(Path("elsewhere")):
        pass


def scanned(lines: Any) -> None:
    """Raise what is wrong with the first line that is."""
    for one in lines:
        if one.problem:
            raise DataError(one.problem, remedy=one.remedy)


def database(name: str, *statements: str) -> None:
    """Write a database."""
    with closing(sqlite3.connect(name)) as made:
        for statement in statements:
            made.execute(statement)
        made.commit()


def tables(path: Path) -> None:
    """Open a database that must have the table `runs`."""
    with opened_database(path, ["runs"], "MLflow's"):
        pass


def archive(path: str, name: str) -> None:
    """Write an archive of one member."""
    with zipfile.ZipFile(path, "w") as made:
        made.writestr(name, "{}")


FILES = [
    file(
        "the file was cut: make it again", partial(jsonl.read_jsonl, Path("a.jsonl")), "a.jsonl", '{"a":1}', '{"a":1}\n'
    ),
    file(
        "split or remove the record",
        lambda: scanned(jsonl.scan_jsonl(Path("a.jsonl"), max_line_bytes=9)),
        "a.jsonl",
        '{"a":"' + "x" * 99 + '"}\n',
        '{"a":1}\n',
    ),
    file(
        "split or remove it",
        lambda: scanned(jsonl.scan_document(Path("a.json"), max_bytes=9)),
        "a.json",
        '{"a":"' + "x" * 99 + '"}\n',
        '{"a":1}\n',
    ),
    file("remove it", lambda: scanned(jsonl.scan_jsonl(Path("a.jsonl"))), "a.jsonl", "\n", '{"a":1}\n'),
    Row("wait until it ends, or name another folder; what only reads may go on beside it", locked, free),
    Row(
        "is it {} database?",
        lambda: tables(Path("a.db")),
        lambda: tables(Path("b.db")),
        files={"a.db": b""},
        before=lambda: database("b.db", "CREATE TABLE runs (a)"),
    ),
    Row(
        "write or copy it again",
        lambda: tables(Path("a.db")),
        lambda: tables(Path("b.db")),
        files={"a.db": b"SQLite format 3\0" + b"x" * 99},
        before=lambda: database("b.db", "CREATE TABLE runs (a)"),
    ),
    Row(
        "stop what writes the database, or close it",
        lambda: tables(Path("b.db")),
        before=lambda: (database("b.db", "CREATE TABLE runs (a)"), Path("b.db-wal").write_bytes(b"x")),
        then={"b.db-wal": None},
    ),
    Row(
        "wait for its end, or leave it out",
        lambda: read_member(Path("a.eval"), "header.json"),
        before=lambda: archive("a.eval", "other.json"),
        does=(lambda: archive("a.eval", "header.json"),),
    ),
    system(
        'check who owns the file and its folder (sudo chown -R "$(id -un)" FOLDER), or name another --data-dir',
        errno.EACCES,
    ),
    system("the file system is read-only: name another --data-dir", errno.EROFS),
    system("a file stands where a folder must be: move it away, or name another --data-dir", errno.ENOTDIR),
    system("a folder stands where a file must be: move it away, or name another --data-dir", errno.EISDIR),
    system("a link that leads to itself, or may not be followed, stands where a file must be: remove it", errno.ELOOP),
    system("what stands there is not a file: remove it, or name another --data-dir", errno.ENXIO),
    system("the path is longer than the file system takes: name another --data-dir", errno.ENAMETOOLONG),
    system("make room and give the same command again, or name another --data-dir", errno.ENOSPC),
    system("the disk, or the connection to it, failed: mend that, and give the same command again", errno.EIO),
    system("check the path; something may have removed it meanwhile", errno.ENOENT),
    Row("run it again with --debug for the traceback", reported(OSError(99, "odd")), lambda: None),
    Row(
        "install {}: `make setup` brings all that the lock files name",
        reported(ModuleNotFoundError(name="nothing")),
        lambda: None,
    ),
]


def exported(*names: str) -> Callable[[], object]:
    """Return the reading of runs."""
    return lambda: read_runs([Path(name) for name in names])


def side(name: str) -> Callable[[], object]:
    """Return the reading of logs per item."""
    return lambda: read_side(Path(name), None, "A")


VERDICT = '{"verdicts": [{"number": 1, "verdict": "supported"}]}'


class OddTable:
    """A table that builds something else."""

    def __init__(self, built: object = 5) -> None:
        self._built = built

    def build(self, *_: object) -> object:
        """Return it."""
        return self._built


def cases(source: str) -> object:
    """Load the cases of a source."""
    return load_cases(SourceContext(DatasetConfig(source=source), Campaign(Path("data").resolve()), None))


def profiled(targets: list[int]) -> object:
    """Profile a batch of two images under a model of two classes."""
    images = np.zeros((2, 9, 9), np.uint8)
    return _profile(0, (images, np.array(targets)), lambda _: np.array([[1.0, 2.0], [2.0, 1.0]]))


def contradicting() -> list[Any]:
    """Return two runs that say two things of one metric."""

    class One:
        lower_is_better: tuple[str, ...] = ("m",)
        higher_is_better: tuple[str, ...] = ()

    class Other:
        lower_is_better: tuple[str, ...] = ()
        higher_is_better: tuple[str, ...] = ("m",)

    return [One(), Other()]


FOUND = [
    Row("name folders with --run", exported(), exported("run"), files={"run/metrics.csv": HISTORY}),
    Row(
        "name folders of runs",
        lambda: read_finished("none*"),
        lambda: read_finished("run"),
        files={"run/metrics.csv": HISTORY},
    ),
    Row(
        "name one with --run-name; there are {}",
        lambda: pick({"a": 1, "b": 2}, Path(), None),
        lambda: pick({"a": 1, "b": 2}, Path(), "a"),
    ),
    Row(
        "write its runs as a CSV with Aim itself, `aim.Repo(…).query_metrics().dataframe().to_csv('aim.csv')` (after "
        "`aim storage reindex` where runs lack), and name that",
        lambda: format_of(Path("a")),
        lambda: format_of(Path("b.csv")),
        files={"a/.aim/x": "", "b.csv": "step,value,run.hash,metric.name\n1,2,a,loss\n"},
    ),
    Row(
        "save each sheet that holds runs as CSV, and name those",
        lambda: format_of(Path("runs.xlsx")),
        lambda: format_of(Path("runs.csv")),
        files={"runs.xlsx": "PK", "runs.csv": "model,accuracy\na,0.9\nb,0.8\n"},
    ),
    Row("number the classes from 0", lambda: profiled([0, 7]), lambda: profiled([0, 1])),
    Row(
        "give a loader that yields (images, targets)", lambda: _profile(0, 5, lambda one: one), lambda: profiled([0, 1])
    ),
    Row(
        "give images of Pillow, or arrays of shape (height, width) with channels before or after",
        lambda: list(_pictures([5])),
        lambda: list(_pictures([np.zeros((9, 9))])),
    ),
    Row("name it by lower-case letters and `_`", lambda: _built(("remedies.own_parts:OddCheck",)), lambda: _built(())),
    Row(
        "say which with --better higher or --better lower",
        lambda: direction_of("m", contradicting()),
        lambda: direction_of("m", ()),
    ),
    Row(
        "give it as id", lambda: read_scores([(1, {"x": 1})], "s"), lambda: read_scores([(1, {"id": "a", "x": 1})], "s")
    ),
    Row(
        "ask another model, or leave out --judge",
        lambda: _verdicts("perhaps", 1, where="a"),
        lambda: _verdicts(VERDICT, 1, where="a"),
    ),
    Row(
        "it must hold `columns` and `data`",
        side("t.json"),
        files={"t.json": '{"columns": ["inputs", "score"]}'},
        then={"t.json": '{"columns": ["inputs", "score"], "data": [["a", 1]]}'},
    ),
    file(
        "add a column {} or id",
        side("t.json"),
        "t.json",
        '{"columns": ["outputs", "score"], "data": [["a", 1], ["a", 0]]}',
        '{"columns": ["inputs", "outputs", "score"], "data": [["b", "a", 1], ["c", "a", 0]]}',
    ),
    Row(
        "reinstall the package it came with",
        lambda: plain_unpickle(b"x", where="p"),
        lambda: plain_unpickle(b"N.", where="p"),
    ),
    Row(
        "run: pip install {}",
        lambda: package_folder("no_such_module", "nothing"),
        lambda: package_folder("json", "json"),
    ),
    Row("name another source", lambda: cases("remedies.own_parts:no_cases"), lambda: cases("small_cases:load")),
    Row(
        "return an exaid_evals.report.base.Table, or None",
        lambda: built_table("x", OddTable(), None, ""),
        lambda: built_table("x", OddTable(None), None, ""),
    ),
]


def old(remedy: str, spoil: Callable[[Campaign], object], mend: Callable[[Campaign], object]) -> Row:
    """Return the row of a campaign whose manifest holds no hashes yet."""

    def before() -> None:
        campaign = write_campaign(Path("data"))
        [record] = jsonl.read_jsonl(campaign.manifest_file)
        generation = {
            key: value
            for key, value in record["mas_generation_config"].items()
            if key not in ("case_source", "case_content_hash", "generation_seed")
        }
        kept = {key: value for key, value in record.items() if key not in ("traces", "trace_dataset_hash", "stub")}
        made = kept | {"schema_version": "1.0.0", "mas_generation_config": generation}
        jsonl.write_jsonl(campaign.manifest_file, [made])
        spoil(campaign)

    def data() -> Campaign:
        return Campaign(Path("data"))

    return Row(remedy, lambda: plan_migration(record_files(data())), before=before, does=(lambda: mend(data()),))


def mixed() -> str:
    """Return a file of two kinds of records."""
    found = [manifest_record({"case-1000": trace_records()}), trace_records()[0]]
    return "".join(json.dumps(one) + "\n" for one in found)


OLD = [
    old(
        "put {} back, so that its hash can be frozen",
        lambda one: one.trace_file("case-1000").rename("kept"),
        lambda one: Path("kept").rename(one.trace_file("case-1000")),
    ),
    old(
        "move them away; what is frozen now would refuse them",
        lambda one: (one.traces / "case-77.jsonl.gz").write_bytes(one.trace_file("case-1000").read_bytes()),
        lambda one: (one.traces / "case-77.jsonl.gz").unlink(),
    ),
    old(
        "restore it, or name another",
        lambda one: (one.traces / "case-77.jsonl").write_text(""),
        lambda one: (one.traces / "case-77.jsonl").unlink(),
    ),
    old(
        "split the file",
        lambda one: (one.manifests / "more.jsonl").write_text(mixed()),
        lambda one: (one.manifests / "more.jsonl").unlink(),
    ),
    file(
        "run `exaid-evals migrate`, or make the traces again with --force",
        lambda: manifest.read_manifest(Path("data/manifests/dataset_manifest.jsonl")).entries,
        "x",
        "",
        "",
        before=lambda: old("", lambda _: None, lambda _: None).before(),
        does=("migrate --data-dir data",),
    ),
]


ROWS = [*FILES, *FOUND, *OLD]
