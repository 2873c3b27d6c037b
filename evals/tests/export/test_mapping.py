"""The YAML mapping: runs of any format, by where their values lie."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaid_evals.cli.main import run as cli
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.runs.base import Run, Settings
from exaid_evals.runs.files.mapping_lookup import load_mapping
from exaid_evals.runs.formats.mapping import MappingFormat

MAPPING = """
format: our_lab
runs: "exp/*"
run_id: {path: 'run-(?P<value>[0-9]+)'}
seed: {file: config.yaml, key: train.seed}
git_hash: {file: out.json, key: /git/hash, optional: true}
metrics:
  accuracy: {file: out.json, key: /scores/0/acc~1top1, scale: 0.01}
  loss: {file: log.csv, column: val loss, row: last}
  best_f1: {file: log.csv, column: f1, row: {best: f1, direction: higher}}
  f1_at_least_loss: {file: log.csv, column: f1, row: {best: val loss, direction: lower}}
  first: {file: log.csv, column: f1, row: first}
  steps: {file: steps.jsonl, column: step}
  dotted: {file: out.json, key: a.b.c}
  extra: {file: out.json, key: nowhere, optional: true}
config:
  lr: {file: config.yaml, key: train.lr}
  lab: {value: ours}
lower_is_better: [loss]
primary_metric: accuracy
"""


def lab(root: Path, number: int, *, accuracy: object = 67.6) -> Path:
    """Write a run as some lab writes it."""
    folder = root / "exp" / f"run-{number}"
    folder.mkdir(parents=True)
    out = {"scores": [{"acc/top1": accuracy}], "a.b": {"c": 3}, "git": {"hash": "abc"}}
    (folder / "out.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(out).encode())
    (folder / "config.yaml").write_text(f"train: {{seed: {number}, lr: 0.1}}\n", encoding="utf-8")
    (folder / "log.csv").write_text(
        "epoch;val loss;f1\n1;0,9;0,5\n2;0,3;0,8\n3;nan;0,75\n4;0,4;0,7\n", encoding="utf-8"
    )
    (folder / "steps.jsonl").write_text('{"step": 1}\n\n{"step": 20}\n', encoding="utf-8")
    return folder


def mapping(tmp_path: Path, text: str = MAPPING) -> Path:
    """Write a mapping."""
    path = tmp_path / "mapping.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def read(tmp_path: Path, text: str = MAPPING) -> list[Run]:
    """Read every run that a mapping finds."""
    reader = MappingFormat(Settings(mapping=mapping(tmp_path, text)))
    assert reader.claims(tmp_path)
    return [reader.read(source, source.part or "run") for source in reader.sources(tmp_path)]


def test_values_are_found_where_the_mapping_says(tmp_path: Path) -> None:
    """JSON pointers, dotted keys, rows of a CSV with semicolons and decimal commas, JSON Lines, the path, YAML."""
    for number in (4, 5):
        lab(tmp_path, number)
    first, second = read(tmp_path)
    assert (first.seed, second.seed, first.git_hash) == (4, 5, "abc")
    assert first.attributes == {"mapping_format": "our_lab", "run_id": "4"}
    assert first.metrics == {
        "accuracy": pytest.approx(0.676),
        "loss": 0.4,
        "best_f1": 0.8,
        "f1_at_least_loss": 0.8,
        "first": 0.5,
        "steps": 20.0,
        "dotted": 3.0,
        "extra": None,
    }
    assert first.config == {"lr": 0.1, "lab": "ours"}
    assert (first.lower_is_better, first.default_primary) == (frozenset({"loss"}), "accuracy")
    assert first.warnings == ("exp/run-4: extra: no number (NaN, empty or missing)",)


def test_the_verb_takes_a_mapping(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The published example through --mapping: accuracies 0.676, 0.733, 0.679 are 0.696 ± 0.026."""
    for number, accuracy in ((4, 67.6), (5, 73.3), (6, 67.9)):
        lab(tmp_path / "lab", number, accuracy=accuracy)
    path = mapping(tmp_path)
    out = tmp_path / "out"
    assert cli(["export", "--run", str(tmp_path / "lab"), "--mapping", str(path), "--out", str(out)]) == 0
    summary = json.loads((out / "exported_summary.json").read_text(encoding="utf-8"))
    found = summary["aggregated"]["accuracy"]
    assert (round(found["mean"], 3), round(found["std"], 3), found["n"]) == (0.696, 0.026, 3)
    assert summary["primary_metric"] == "accuracy"
    for log in (tmp_path / "lab").rglob("log.csv"):
        log.unlink()  # which is a history, and needs no mapping
    assert cli(["export", "--run", str(tmp_path / "lab"), "--out", str(out)]) == 1
    assert "known formats are" in capsys.readouterr().err


def test_everything_that_is_missing_is_named_at_once(tmp_path: Path) -> None:
    """File, key and the mapping's own key of each missing value, in one error for the run."""
    folder = lab(tmp_path, 4)
    (folder / "steps.jsonl").unlink()
    (folder / "config.yaml").write_text("train: {lr: 0.1}\n", encoding="utf-8")
    (folder / "out.json").write_text('{"scores": [{"acc": 1}], "a": {"b": {"c": "high"}}}', encoding="utf-8")
    with pytest.raises(DataError) as raised:
        read(tmp_path)
    message = str(raised.value)
    for part in (
        "4 values cannot be read",
        "out.json: /scores/0/acc~1top1: no such key",
        "`metrics.accuracy` of the mapping",
        "steps.jsonl: File not found",
        "config.yaml: train.seed: no such key",
        "out.json: a.b.c: 'high' is not a number",
        str(folder),
    ):
        assert part in message


@pytest.mark.parametrize(
    ("file", "content", "part"),
    [
        ("out.json", b"{broken", "out.json:1: not valid JSON"),
        ("out.json", b"", "out.json: is empty"),
        ("log.csv", b"", "log.csv: is empty"),
        ("log.csv", b"a,b\n1\n", r"log.csv:2: 1 cells"),
        ("log.csv", b"epoch,val loss,f1\n", "log.csv: holds no row"),
        ("log.csv", b"epoch,loss\n1,2\n", "log.csv: val loss: no such column; there are epoch, loss"),
        ("steps.jsonl", b'{"step": 1}\n{broken\n', "steps.jsonl:2: not valid JSON"),
        ("config.yaml", b"a: !!python/object/apply:os.system [echo]", "config.yaml: "),
    ],
)
def test_broken_files_are_named(tmp_path: Path, file: str, content: bytes, part: str) -> None:
    """A file that cannot be read is an error of its run that names file and line, and nothing in it is executed."""
    (lab(tmp_path, 4) / file).write_bytes(content)
    with pytest.raises(DataError) as raised:
        read(tmp_path)
    assert part in str(raised.value)


def test_links_out_of_a_run_are_refused(tmp_path: Path) -> None:
    """A run cannot have a file read that lies elsewhere."""
    folder = lab(tmp_path, 4)
    (tmp_path / "secret.json").write_text("{}", encoding="utf-8")
    (folder / "out.json").unlink()
    (folder / "out.json").symlink_to(tmp_path / "secret.json")
    with pytest.raises(DataError, match="leads out of the run's folder"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("metrics: {}", ["metrics"]),
        ("metrics: {a: {file: x.json}}", ["metrics.a", "either `key` or `column`"]),
        ("metrics: {a: {file: ../x.json, key: a}}", ["metrics.a.file", "inside the run's folder"]),
        ("metrics: {a: {file: /etc/passwd, key: a}}", ["metrics.a.file"]),
        ("metrics: {a: {path: '('}}", ["not a regular expression"]),
        ("metrics: {a: {path: 'x'}}", ["needs a group"]),
        ("metrics: {a: {value: 1, path: '(x)'}}", ["exactly one of"]),
        ("metrics: {a: {value: 1}}\nprimary_metric: b", ["b: no such metric"]),
        ("metrics: {a: {value: 1}}\nlower_is_beter: [a]", ["did you mean `lower_is_better`?"]),
        ("metrics: {a: {file: x, kee: a}}\nrun: 1", ["2 problems", "kee", "run"]),
    ],
)
def test_mistakes_in_a_mapping_are_found_before_any_run(tmp_path: Path, text: str, parts: list[str]) -> None:
    """Each names the file and the key; several are named at once."""
    path = mapping(tmp_path, text)
    with pytest.raises(ConfigError) as raised:
        load_mapping(path)
    assert all(part in str(raised.value) for part in [*parts, "mapping.yaml"])
    assert cli(["export", "--run", str(tmp_path), "--mapping", str(path), "--out", str(tmp_path / "o")]) == 2


def test_a_folder_may_itself_be_the_run(tmp_path: Path) -> None:
    """Without `runs` the folder that a user names is the run."""
    (tmp_path / "x.json").write_text('{"acc": 0.5}', encoding="utf-8")
    [run] = read(tmp_path, "metrics: {acc: {file: x.json, key: acc}}")
    assert (run.metrics, run.attributes["run_id"]) == ({"acc": 0.5}, tmp_path.name)


keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)


@given(
    st.recursive(st.floats(-1e6, 1e6), lambda inner: st.dictionaries(keys, inner, min_size=1, max_size=3), max_leaves=6)
)
def test_every_number_of_a_document_has_a_pointer(tmp_path_factory: pytest.TempPathFactory, document: object) -> None:
    """RFC 6901 names every place of a document, whatever its keys hold."""
    if not isinstance(document, dict):
        return
    folder = tmp_path_factory.mktemp("m")
    (folder / "x.json").write_text(json.dumps(document), encoding="utf-8")
    found = dict(pointers(document))
    places = {f"m{n}": {"file": "x.json", "key": pointer} for n, pointer in enumerate(found)}
    (folder / "mapping.json").write_text(json.dumps({"metrics": places}), encoding="utf-8")
    reader = MappingFormat(Settings(mapping=folder / "mapping.json"))
    run = reader.read(reader.sources(folder)[0], "x")
    assert [run.metrics[f"m{n}"] for n in range(len(found))] == pytest.approx(list(found.values()))


def pointers(value: object, at: str = "") -> list[tuple[str, float]]:
    """Return pointer and number of every leaf."""
    if isinstance(value, dict):
        return [
            leaf
            for key, item in value.items()
            for leaf in pointers(item, f"{at}/{key.replace('~', '~0').replace('/', '~1')}")
        ]
    assert isinstance(value, float)
    return [(at, value)]


def test_a_key_that_is_a_duplicate_is_reported(tmp_path: Path) -> None:
    """With the file, the key, and which value counted."""
    (tmp_path / "out.json").write_text('{"acc": 0.2, "acc": 0.8}', encoding="utf-8")
    [run] = read(tmp_path, "metrics: {accuracy: {file: out.json, key: acc}}\n")
    assert run.metrics == {"accuracy": 0.8}
    assert [line for line in run.warnings if "out.json: the key 'acc' stands 2 times in one object, as 0.2" in line]


SEVERAL = {
    "by a column": (
        "scores.csv",
        "model,step,acc\na,1,0.1\nb,1,0.2\na,2,0.3\nb,2,\n",
        "each: {file: scores.csv, column: model}\nmetrics: {acc: {file: scores.csv, column: acc, row: last non-empty}}",
    ),
    "a row each": (
        "rows.csv",
        "acc\n0.3\n0.2\n",
        "each: {file: rows.csv}\nmetrics: {acc: {file: rows.csv, column: acc, row: only}}",
    ),
    "a list": (
        "all.json",
        '{"runs": [{"acc": 0.3}, {"acc": 0.2}]}',
        "each: {file: all.json, key: runs}\nmetrics: {acc: {file: all.json, key: acc}}",
    ),
    "a mapping": (
        "all.yaml",
        "a: {s: {acc: 0.3}}\nb: {s: {acc: 0.2}}\n",
        "each: {file: all.yaml, key: /}\nmetrics: {acc: {file: all.yaml, key: /s/acc}}",
    ),
    "lines of objects, whatever the file is called": (
        "metrics.out",
        '{"run": "a", "acc": 0.3}\n{"run": "b", "acc": 0.2}\n',
        "each: {file: metrics.out, column: run}\nmetrics: {acc: {file: metrics.out, column: acc}}",
    ),
}


@pytest.mark.parametrize("kind", SEVERAL)
def test_a_file_may_hold_several_runs(tmp_path: Path, kind: str) -> None:
    """By a column's values, a row or an element each; the file itself may be named, and each run has its own values."""
    name, content, text = SEVERAL[kind]
    (tmp_path / name).write_text(content, encoding="utf-8")
    runs = read(tmp_path, text)
    assert [run.metrics["acc"] for run in runs] == [0.3, 0.2]
    reader = MappingFormat(Settings(mapping=tmp_path / "mapping.yaml"))
    assert reader.claims(tmp_path / name)
    assert len(reader.sources(tmp_path / name)) == 2
    names = [run.attributes["run_id"] for run in runs]
    assert names == (["a", "b"] if "a: " in content or "a," in content or '"a"' in content else ["1", "2"])


def test_a_share_that_is_not_there_is_said(tmp_path: Path) -> None:
    """A key without runs, and `each` with column and key at once."""
    (tmp_path / "all.json").write_text('{"runs": 3}', encoding="utf-8")
    with pytest.raises(DataError, match="no list or mapping of runs"):
        read(tmp_path, "each: {file: all.json, key: runs}\nmetrics: {acc: {file: all.json, key: acc}}")
    with pytest.raises(ConfigError, match="either `column` or `key`"):
        read(tmp_path, "each: {file: a, key: b, column: c}\nmetrics: {acc: {file: a, key: acc}}")


@pytest.mark.parametrize("layout", ["folders", "table", "document"])
def test_a_draft_reads_what_it_was_made_from(tmp_path: Path, layout: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The message of an unknown place proposes a draft; the draft is a valid mapping, and exports the runs."""
    place = tmp_path / "lab"
    if layout == "folders":
        for number in (1, 2):
            folder = place / f"r{number}"
            folder.mkdir(parents=True)
            (folder / "scores.json").write_text(f'{{"final": {{"acc": 0.{number}}}, "epoch": 3}}', encoding="utf-8")
            (folder / "config.json").write_text(f'{{"seed": {number}, "lr": 0.1}}', encoding="utf-8")
            (folder / "progress.tsv").write_text("step\twer\n1\t0.4\n2\t\n", encoding="utf-8")
        expected = {"final.acc": [0.1, 0.2], "wer": [0.4, 0.4]}
    elif layout == "table":
        place.mkdir()
        (place / "scores.tsv").write_text("model\tacc\tseed\nbase\t0.1\t3\ntuned\t0.2\t3\n", encoding="utf-8")
        expected = {"acc": [0.1, 0.2]}
    else:
        place.mkdir()
        (place / "all.json").write_text('{"base": {"acc": 0.1}, "tuned": {"acc": 0.2}}', encoding="utf-8")
        expected = {"acc": [0.1, 0.2]}
    known = layout != "document"  # tables and logs are read without one too, as far as they go
    assert cli(["export", "--run", str(place), "--out", str(tmp_path / "without")]) == (0 if known else 1)
    assert ("--draft-mapping > mapping.yaml" in capsys.readouterr().err) != known
    assert cli(["export", "--run", str(place), "--draft-mapping"]) == 0
    draft = mapping(tmp_path, capsys.readouterr().out)
    runs = [
        reader.read(source, "run")
        for reader in [MappingFormat(Settings(mapping=draft))]
        for source in reader.sources(place)
    ]
    assert {name: [run.metrics[name] for run in runs] for name in expected} == expected
    assert [run.seed for run in runs] == {"folders": [1, 2], "table": [3, 3], "document": [None, None]}[layout]
    assert cli(["export", "--run", str(place), "--mapping", str(draft), "--out", str(tmp_path / "out")]) == 0


def test_nothing_to_draft_from_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder without numbers is refused with what a mapping reads; a draft is of one place."""
    (tmp_path / "notes.txt").write_text("nothing here", encoding="utf-8")
    assert cli(["export", "--run", str(tmp_path), "--draft-mapping"]) == 1
    assert "JSON, YAML, CSV" in capsys.readouterr().err
    assert cli(["export", "--draft-mapping"]) == 2
    (tmp_path / ".state").mkdir()
    (tmp_path / ".state/lock.json").write_text('{"pid": 7}', encoding="utf-8")
    assert cli(["export", "--run", str(tmp_path), "--draft-mapping"]) == 1
