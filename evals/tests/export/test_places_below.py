"""A folder that is no run itself: what lies below it is read, of whatever format, and what is not read is said."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from exaid_evals.cli.main import run as cli
from exaid_evals.errors import DataError, UnknownFormatError
from exaid_evals.export.reading import Reading, read_runs
from exaid_evals.export.stage import consolidate
from exaid_evals.runs.base import Run, Settings
from exaid_evals.runs.places import places_below
from exaid_evals.runs.registry import chosen, formats, names_in, runs_in

HISTORY = "epoch,train_loss,val_acc\n0,1.0,0.5\n1,0.5,{}\n"
EVALS = {"train": {"auc": [0.7, 0.8]}, "valid": {"auc": [0.6, 0.7]}}


def made(top: Path, **files: str) -> Path:
    """Write files below a folder; `__` parts the folders of a name, and `_dot_` stands for a dot."""
    for name, text in files.items():
        path = top / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return top


def sweep(top: Path) -> Path:
    """Write what a sweep of Hydra leaves: date, time, a numbered folder a run with its overrides."""
    grid = [(seed, rate) for seed in (0, 1) for rate in ("0.1", "0.01")]
    for at, (seed, rate) in enumerate(grid):
        folder = f"multirun__2026-01-02__10-00-00__{at}"
        overrides = f"- +seed={seed}\n- +lr={rate}\n"
        settings = f"seed: {seed}\nlr: {rate}\n"
        made(
            top,
            **{f"{folder}__metrics_dot_csv": HISTORY.format(0.6 + at / 100), f"{folder}__t_dot_log": "step 1\n"},
            **{
                f"{folder}___dot_hydra__config_dot_yaml": settings,
                f"{folder}___dot_hydra__overrides_dot_yaml": overrides,
            },
        )
    return top


def read(*folders: Path) -> Reading:
    """Read folders."""
    return read_runs(folders)


@pytest.mark.parametrize("named", ["", "multirun", "multirun/2026-01-02"])
def test_a_sweep_is_read_from_any_folder_above_it(tmp_path: Path, named: str) -> None:
    """Each run once with its settings; a grid of seeds and rates was planned, and is no drift."""
    reading = read(sweep(tmp_path) / named)
    assert [run.name for run in reading.runs] == ["0", "1", "2", "3"]
    assert [run.metrics["val_acc"] for run in reading.runs] == pytest.approx([0.6, 0.61, 0.62, 0.63])
    export = consolidate(reading.runs)
    assert [group.name for group in export.groups] == ["lr 0.1", "lr 0.01"]
    assert not [line for line in export.warnings if "drift" in line]


def test_the_histories_of_a_sweep_are_found_by_their_paths(tmp_path: Path) -> None:
    """`compare` and `analyze` take the folder too."""
    found = runs_in(sweep(tmp_path) / "multirun", chosen(None))
    assert [(form.name, name) for form, name, _ in found] == [("csv", f"2026-01-02/10-00-00/{at}") for at in range(4)]


def test_runs_of_several_formats_are_read_in_one_go(tmp_path: Path) -> None:
    """Files that their content makes runs, and folders of other tools; what is unknown is named."""
    made(tmp_path, a_dot_json=json.dumps(EVALS), b_dot_json=json.dumps(EVALS), notes__x_dot_txt="nothing")
    made(tmp_path, r__metrics_dot_csv=HISTORY.format(0.7), notes_dot_csv="word,n\na,1\n")
    reading = read(tmp_path)
    assert {run.name: run.format for run in reading.runs} == {"a.json": "json", "b.json": "json", "r": "csv"}
    assert reading.notes[0].endswith("nothing of a known format lies in notes")


def test_a_folder_of_nothing_is_refused(tmp_path: Path) -> None:
    """As a file of a predictions' table is no run, a folder of such files holds none."""
    made(tmp_path, one__predictions_dot_csv="id,label\na,1\n", two__predictions_dot_csv="id,label\nb,1\n")
    with pytest.raises(UnknownFormatError, match="no finished run"):
        read(tmp_path)


def test_what_a_pattern_names_beside_runs_is_passed_over(tmp_path: Path) -> None:
    """Sacred keeps the sources of its runs in `_sources`; named alone, it is an error."""
    made(tmp_path, **{"1__metrics_dot_csv": HISTORY.format(0.7), "_sources__train_dot_py": "pass\n"})
    reading = read(tmp_path / "1", tmp_path / "_sources")
    assert ([run.name for run in reading.runs], reading.failures) == (["1"], ())
    with pytest.raises(UnknownFormatError):
        read(tmp_path / "_sources")


def test_studies_of_opposite_directions_are_ranked_each_by_its_own(tmp_path: Path) -> None:
    """The best trial of one has the greatest value, of the other the least; no run is best of all."""
    from exaid_evals.export.tables import hpo_record

    runs = [
        Run(
            f"{study}/{at}", "optuna", {"value": float(at)}, trial=str(at), group=study,
            origin=tmp_path / study / str(at), default_primary="value", **{f"{way}_is_better": ("value",)},
        )
        for study, way in (("up", "higher"), ("down", "lower"))
        for at in range(3)
    ]  # fmt: skip
    export = consolidate(runs)
    assert export.best is None
    assert any("no run is best of all" in line for line in export.warnings)
    groups = hpo_record(export, "s")["groups"]
    assert {name: held["trials"][0]["trial"] for name, held in groups.items()} == {"up": "2", "down": "0"}


def test_an_export_of_runs_below_a_folder_goes_beside_them_and_is_no_run_of_the_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --out it goes into the folder itself; neither that nor one among the runs is read by the next export."""
    sweep(tmp_path)
    top, among = tmp_path / "multirun", tmp_path / "multirun" / "2026-01-02" / "results"
    assert [cli(["export", "--run", str(top)]) for _ in range(2)] == [0, 0]
    assert (top / "export" / "exported_summary.json").is_file()
    assert [cli(["export", "--run", str(top), "--out", str(out)]) for out in (among, among, top, top)] == [0] * 4
    said = capsys.readouterr()
    assert said.out.count("read 4 runs: 0, 1, 2, 3") == 6
    assert "nothing of a known format" not in said.err
    made(tmp_path, lone__deep__run__metrics_dot_csv=HISTORY.format(0.7))
    assert [cli(["export", "--run", str(tmp_path / "lone")]) for _ in range(2)] == [0, 0]
    assert capsys.readouterr().out.count("read 1 run: run") == 2


def test_nothing_is_written_beside_what_holds_no_run(tmp_path: Path) -> None:
    """The folder that was named stays as it was."""
    made(tmp_path, notes__x_dot_txt="nothing")
    assert cli(["export", "--run", str(tmp_path / "notes")]) == 1
    assert [path.name for path in (tmp_path / "notes").iterdir()] == ["x.txt"]


def test_every_run_below_is_read_or_too_many_folders_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However deep and however many; no folder is left out because others came before it."""
    made(tmp_path, a__b__c__d__e__f__metrics_dot_csv=HISTORY.format(0.7))
    made(tmp_path, **{f"many__{at}__run__metrics_dot_csv": HISTORY.format(0.7) for at in range(510)})
    known = list(formats(Settings()))
    assert len(places_below(tmp_path, known)) == 511
    monkeypatch.setattr("exaid_evals.runs.places._FOLDERS_AT_MOST", 500)
    with pytest.raises(DataError, match="more than 500 folders lie below it"):
        places_below(tmp_path, known)


def test_the_working_folder_is_not_searched_for_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may hold a data set; what a user names is searched."""
    made(tmp_path, deep__run__metrics_dot_csv=HISTORY.format(0.7))
    monkeypatch.chdir(tmp_path)
    assert [name for _, name, _ in runs_in(Path(), chosen(None))] == ["deep/run"]
    assert names_in(Path(), chosen(None)) == []
    assert [name for _, name, _ in names_in(tmp_path, chosen(None))] == ["deep/run"]


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may hold a run, and is not passed over, whoever looks below the folder that holds it."""
    made(tmp_path, a__metrics_dot_csv=HISTORY.format(0.7), x__y__k__metrics_dot_csv=HISTORY.format(0.7))
    forbidden = f"{tmp_path / 'x' / 'y' / 'k'}{os.sep}"

    def guarded(ask: Any, *, lists: bool) -> Any:
        def asked(path: Any = ".", *rest: Any, **more: Any) -> Any:
            if isinstance(path, str | os.PathLike) and (str(path) + lists * os.sep).startswith(forbidden):
                raise PermissionError(errno.EACCES, "Permission denied", os.fspath(path))
            return ask(path, *rest, **more)

        return asked

    read(tmp_path)  # the formats are imported
    for name in ("stat", "scandir"):
        monkeypatch.setattr(os, name, guarded(getattr(os, name), lists=name == "scandir"))
    assert tmp_path / "x" in places_below(tmp_path, list(formats(Settings())))
    with pytest.raises(DataError, match=r"x/y/k.*check its permissions"):
        read(tmp_path)
