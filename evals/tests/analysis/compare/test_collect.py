"""Which runs a list means, how their settings are read, and which of them belong together."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from analysis.compare.runs import run, write_run, write_search
from exaid_evals.analysis.compare.collect import collect, differing, flat_settings, seed_keys
from exaid_evals.analysis.compare.groups import group_runs
from exaid_evals.cli.main import run as cli
from exaid_evals.errors import ConfigError, DataError

VALUES = {"val_accuracy": [0.1, 0.2, 0.3]}


def names(listed: str, *places: Path, source: str | None = None) -> list[str]:
    """Return the names of the runs that a list means."""
    return [one.name for one in collect(listed, places, source).runs]


def test_names_files_folders_and_patterns_are_mixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part of a list may be of another kind and another source; a run that is meant twice is read once."""
    write_search(tmp_path / "runs", seeds=1)
    (tmp_path / "other.csv").write_text("step,val_accuracy\n0,0.5\n1,0.6\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    listed = "lr0.01-none-s0, runs/lr0.1*, other.csv, runs/lr0.1-flip-s0"
    assert names(listed, Path("runs")) == ["lr0.01-none-s0", "lr0.1-flip-s0", "lr0.1-none-s0", "other"]
    assert names("*-flip-*", tmp_path / "runs") == ["lr0.01-flip-s0", "lr0.1-flip-s0"]
    assert len(names("runs")) == 4
    assert names(f"runs/lr0.01-none-s0,{tmp_path}/runs/lr0.01-none-s0") == ["lr0.01-none-s0"]


def test_a_run_and_a_link_to_it_are_one(tmp_path: Path) -> None:
    """`latest` beside the runs is none of its own; runs whose files lead to one store of contents are."""
    write_run(tmp_path / "runs" / "one", VALUES, {})
    write_run(tmp_path / "runs" / "two", {"val_accuracy": [0.3, 0.2]}, {})
    (tmp_path / "runs" / "latest").symlink_to(tmp_path / "runs" / "two")
    assert names(f"{tmp_path}/runs") == ["one", "two"]
    [log] = (path for path in (tmp_path / "runs" / "two").iterdir() if path.stem != "config")
    stored = log.rename(tmp_path / "store")
    for name in ("two", "three"):
        (tmp_path / "runs" / name).mkdir(exist_ok=True)
        (tmp_path / "runs" / name / log.name).symlink_to(stored)
    assert names(f"{tmp_path}/runs") == ["one", "three", "two"]


def test_two_runs_of_one_name_keep_their_folders(tmp_path: Path) -> None:
    """Names of a comparison are unique, and say where a run lies where they would not be."""
    write_run(tmp_path / "a" / "run", VALUES, {"lr": 1})
    write_run(tmp_path / "b" / "run", VALUES, {"lr": 2})
    found = collect(f"{tmp_path}/?/run", []).runs
    assert len({one.name for one in found}) == 2
    assert all(one.name == one.history.run_name for one in found)


def test_a_damaged_run_is_left_out_and_reported(tmp_path: Path) -> None:
    """The others are compared all the same; where none can be read, that is an error."""
    write_run(tmp_path / "good", VALUES, {})
    (tmp_path / "bad.jsonl").write_text("not json\n", encoding="utf-8")
    found = collect(f"{tmp_path}/good,{tmp_path}/bad.jsonl", [])
    assert [one.name for one in found.runs] == ["good"]
    assert len(found.unreadable) == 1
    assert "bad.jsonl" in found.unreadable[0]
    with pytest.raises(DataError, match="no run could be read"):
        collect(f"{tmp_path}/bad.jsonl", [])


def test_what_means_no_run_is_an_error_that_names_those_there_are(tmp_path: Path) -> None:
    """A mistyped name, a pattern that fits nothing, a folder without runs, an unknown source, an empty list."""
    write_run(tmp_path / "run-a", VALUES, {})
    with pytest.raises(DataError, match="run-a"):
        names("run-b", tmp_path)
    with pytest.raises(DataError, match="fits"):
        names("run-x*", tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="holds no run"):
        names(str(tmp_path / "empty"))
    with pytest.raises(ConfigError, match="known are"):
        names("run-a", tmp_path, source="excel")
    with pytest.raises(ConfigError, match="names no run"):
        names(" , ", tmp_path)
    shutil.copy(tmp_path / "run-a" / "history.jsonl", tmp_path / "x.jsonl")
    (tmp_path / "x.csv").write_text("step,loss\n0,1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="several sources"):
        names("x", tmp_path)
    assert names("x", tmp_path, source="csv") == ["x"]


def test_a_list_longer_than_a_file_name_is_a_list(tmp_path: Path) -> None:
    """Three hundred names are not paths, and no error of the system's."""
    for number in range(60):
        (tmp_path / f"run-{number:03d}.csv").write_text("step,loss\n0,1\n", encoding="utf-8")
    listed = ",".join(f"run-{number:03d}" for number in range(60))
    assert len(names(listed, tmp_path)) == 60


def test_settings_are_flat_and_numbers_are_numbers() -> None:
    """Text that is a number counts as one, since MLflow keeps only text; 32.0 is 32; `nan` and `1_000` are words."""
    found = flat_settings({"model": {"depth": "3", "name": "x"}, "lr": "1e-4", "batch": 32.0, "a": "nan", "b": "1_000"})
    assert found == {"a": "nan", "b": "1_000", "batch": 32, "lr": 1e-4, "model.depth": 3, "model.name": "x"}


def test_small_differences_of_settings_are_differences() -> None:
    """Learning rates beyond the sixth decimal differ, 1 and True differ, and 32 and 32.0 do not."""
    one = flat_settings({"lr": 1e-7, "flag": 1, "batch": 32, "same": "x"})
    other = flat_settings({"lr": 2e-7, "flag": True, "batch": 32.0, "same": "x", "extra": 1})
    assert differing([one, other]) == ["extra", "flag", "lr"]


@pytest.mark.parametrize(
    "key", ["seed", "random_state", "trainer.seed", "args.random_seed", "seed_everything", "manual_seed"]
)
def test_runs_that_differ_in_their_seed_alone_form_a_group(key: str) -> None:
    """Wherever the seed stands; names, paths and times do not set runs apart, a learning rate does."""
    runs = [
        run(f"r{number}", VALUES, {key: number % 3, "lr": 0.1 if number < 3 else 0.2, "run_name": f"r{number}"})
        for number in range(6)
    ]
    assert seed_keys([runs[0].settings]) == [key]
    grouping = group_runs(runs)
    assert [[one.name for one in group.runs] for group in grouping.groups] == [["r0", "r1", "r2"], ["r3", "r4", "r5"]]
    assert grouping.differing == ("lr",)
    assert [group.name for group in grouping.groups] == ["lr=0.1", "lr=0.2"]


def test_one_seed_twice_is_no_repetition() -> None:
    """The second run of a seed stands alone, and both are named."""
    runs = [run(name, VALUES, {"seed": seed, "lr": 1}) for name, seed in (("a", 1), ("b", 2), ("c", 1))]
    grouping = group_runs(runs)
    assert sorted(len(group.runs) for group in grouping.groups) == [1, 2]
    assert any("a and c" in note for note in grouping.notes)


def test_equal_settings_without_a_seed_are_not_taken_for_repetitions() -> None:
    """They may be one run that was logged twice: the user is told so, and can say otherwise."""
    runs = [run(name, VALUES, {"lr": 1, "repeat": number}) for number, name in enumerate("ab")]
    assert len(group_runs([run(name, VALUES, {"lr": 1}) for name in "ab"]).groups) == 2
    assert any("no seed" in note for note in group_runs([run(name, VALUES, {"lr": 1}) for name in "ab"]).notes)
    assert len(group_runs(runs, "repeat").groups) == 1
    assert len(group_runs(runs, "none").groups) == 2
    with pytest.raises(ConfigError, match="there are lr"):
        group_runs(runs, "nope")


def test_runs_without_a_configuration_stand_alone() -> None:
    """A CSV file says nothing of how it was made: nothing is assumed."""
    grouping = group_runs([run(name, VALUES, {}) for name in "abc"])
    assert [group.name for group in grouping.groups] == ["a", "b", "c"]
    assert grouping.differing == ()


def test_summaries_with_their_settings_below_a_key_are_read(tmp_path: Path) -> None:
    """`config.json` may be nested as deep as it likes."""
    write_run(tmp_path / "a", VALUES, {})
    nested = {"optimizer": {"name": "adam", "lr": 0.1}, "seed": 7, "layers": [1, 2]}
    (tmp_path / "a" / "config.json").write_text(json.dumps(nested), encoding="utf-8")
    (found,) = collect(str(tmp_path / "a"), []).runs
    assert found.settings == {"layers": [1, 2], "optimizer.lr": 0.1, "optimizer.name": "adam", "seed": 7}
    assert found.seed == "7"


NO_INCIDENTS = """
    per_device_train_batch_size model_name_or_path model_id dataset_version data_dir train_file time_steps user_dropout
    clip_seconds warmup_time num_devices pad_token_id n_folds file_format model.version data.path env.name"""


@pytest.mark.parametrize("key", NO_INCIDENTS.split())
def test_a_setting_whose_name_holds_a_word_of_time_or_place_is_one(key: str) -> None:
    """Runs that differ in it are two configurations, however their seeds differ."""
    runs = [
        run(f"r{number}", VALUES, {key: f"x{number // 3}", "seed": number, "output_dir": f"out/{number}"})
        for number in range(6)
    ]
    grouping = group_runs(runs)
    assert [len(group.runs) for group in grouping.groups] == [3, 3]
    assert grouping.differing == (key,)
    assert any("output_dir" in note for note in grouping.notes)


@pytest.mark.parametrize("step", [0, 10])
@pytest.mark.parametrize("key", ["git_hash", "git.commit", "code_version"])
def test_two_versions_of_the_code_are_no_repetitions(key: str, step: int) -> None:
    """Whether their seeds are the same or not; and it is said."""
    parent, _, last = key.rpartition(".")
    runs = []
    for number, version in enumerate(("abc123", "def456")):
        for seed in range(3):
            config = {
                "lr": 1,
                "seed": seed + step * number,
                **({parent: {last: version}} if parent else {key: version}),
            }
            runs.append(run(f"{version}-{seed}", VALUES, config))
    grouping = group_runs(runs)
    assert [len(group.runs) for group in grouping.groups] == [3, 3]
    assert any(note.startswith(f"versions of the code differ ({key})") for note in grouping.notes)
    assert not any("no independent runs" in note for note in grouping.notes)


def test_of_two_seeds_the_one_that_varies_tells_repetitions_apart() -> None:
    """`seed` may be of the data and the same in all; where both vary, both tell."""
    runs = [run(f"r{at}", VALUES, {"seed": 42, "trainer": {"seed": at % 3}, "lr": 1 + at // 3}) for at in range(6)]
    assert seed_keys([one.settings for one in runs]) == ["trainer.seed"] * 6
    crossed = [run(f"r{at}", VALUES, {"seed": at % 2, "trainer": {"seed": at // 2}, "lr": 1}) for at in range(4)]
    assert [len(group.runs) for group in group_runs(crossed).groups] == [4]


def test_text_that_would_lose_something_stays_text() -> None:
    """Versions 1.10 and 1.1 are two; what trackers write for a number, a truth value or none is that."""
    texts = ["1.10", "1.1", "007", "1e-4", "0.0001", "32.0", "True", "false", "None", "null", "12345678901234567890"]
    found = flat_settings({f"k{number:02d}": text for number, text in enumerate(texts)})
    expected = ["1.10", 1.1, "007", 1e-4, 1e-4, 32, True, False, None, None, "12345678901234567890"]
    assert list(found.values()) == expected


def test_a_run_that_a_folder_and_a_file_mean_is_read_once(tmp_path: Path) -> None:
    """Either order; another run of the same numbers is another run."""
    write_run(tmp_path / "a", VALUES, {"seed": 1})
    write_run(tmp_path / "b", VALUES, {"seed": 1})
    folder, file, other = (str(tmp_path / one) for one in ("a", "a/history.jsonl", "b"))
    assert len(names(f"{folder},{file}")) == 1
    assert len(names(f"{file},{folder},{other}")) == 2


def test_a_folder_whose_name_is_no_utf8_is_shown_and_written(tmp_path: Path) -> None:
    r"""Bytes that are none stand as `\xff`, on the console and in every file."""
    bad = os.fsencode(tmp_path) + b"/bad\xff\xfe"
    Path(os.fsdecode(bad)).mkdir()
    for name, folder in (("a", tmp_path / "a"), ("b", Path(os.fsdecode(bad)))):
        write_run(folder / name, VALUES, {"seed": 1})
    assert cli(["compare", "--runs", f"{tmp_path}/*/*", "--output-dir", str(tmp_path / "out")]) == 0
    write_run(Path(os.fsdecode(bad)) / "a", {"val_accuracy": [0.2, 0.3, 0.4]}, {"seed": 2})
    assert cli(["compare", "--runs", f"{tmp_path}/*/*", "--output-dir", str(tmp_path / "out")]) == 0
