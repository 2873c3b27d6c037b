"""`exaid-evals validate`: what it says, where, and how it ends."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from checking import rewrite
from exaid_evals.artifacts.canonical import canonical_json
from exaid_evals.artifacts.jsonl import write_jsonl
from exaid_evals.cli import validate
from exaid_evals.cli.main import run
from exaid_evals.config.campaign import Campaign
from exaid_evals.execution import local
from exaid_evals.validation import scan
from exaid_evals.validation.file import FileReport, check_file
from exaid_evals.validation.targets import Target
from factories import trace_records
from stub_campaigns import change_byte, change_record, copy_of, shared_campaign

SOURCE = Path(validate.__file__).resolve().parents[2]


@pytest.fixture(name="at_home")
def _at_home(campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> Campaign:
    """Stand beside the campaign's folder, which is called data."""
    monkeypatch.chdir(campaign.root.parent)
    return campaign


def test_nothing_to_validate_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty or absent campaign is a scaffold, not a failure."""
    (tmp_path / "data" / "traces").mkdir(parents=True)
    for folder in (tmp_path / "data", tmp_path / "none"):
        assert run(["validate", "--data-dir", str(folder)]) == 0
        assert capsys.readouterr().out == f"scaffold mode: nothing to validate in {folder}\n"


@pytest.mark.usefixtures("at_home")
def test_a_valid_campaign_gives_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Kinds with their numbers, one verdict, nothing on stderr."""
    assert run(["validate", "--data-dir", "data"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "kind           files    records   problems",
        "case               1          3          0",
        "export             1          1          0",
        "manifest           1          1          0",
        "metrics            2          8          0",
        "run                6         46          0",
        "trace              3          9          0",
        "14 files, 68 records: all valid",
    ]
    assert err == ""


def test_problems_stand_one_a_line_with_place_and_remedy(at_home: Campaign, capsys: pytest.CaptureFixture[str]) -> None:
    """`file:line: what; what to do`, paths relative to the working directory, sorted, exit 1."""
    (at_home.traces / "case-1000.jsonl.gz").unlink()
    (at_home.runs / "V3" / "case-1001.jsonl.gz").write_bytes(b"")
    (at_home.runs / "V0" / "case-1001.jsonl.gz").write_bytes(b"x")
    assert run(["validate", "--data-dir", "data"]) == 1
    assert capsys.readouterr().out.splitlines()[:3] == [
        "data/manifests/dataset_manifest.jsonl:1: missing: traces/case-1000.jsonl.gz; restore the files; or discard "
        "them: `exaid-evals make-traces --force` makes all again, and what was imported is imported into "
        "another --data-dir",
        "data/runs/V0/case-1001.jsonl.gz: truncated gzip: the file ends early; write or copy it again",
        "data/runs/V3/case-1001.jsonl.gz: is empty; remove it, or make it again",
    ]


def test_few_problems_a_file_are_shown_and_all_with_verbose(
    at_home: Campaign, capsys: pytest.CaptureFixture[str]
) -> None:
    """Five and the number of the others; `--verbose` shows them."""
    path = at_home.root / "x.jsonl"
    path.write_bytes(b"\n" * 7)
    assert run(["validate", "data/x.jsonl"]) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[4:6] == ["data/x.jsonl:5: an empty line; remove it", "data/x.jsonl: … and 2 more"]
    assert out[-1] == "1 file, 0 records: 7 problems in 1 file"
    assert run(["validate", "data/x.jsonl", "--verbose"]) == 1
    assert capsys.readouterr().out.splitlines()[6] == "data/x.jsonl:7: an empty line; remove it"


def test_json_says_the_same_in_one_canonical_document(at_home: Campaign, capsys: pytest.CaptureFixture[str]) -> None:
    """One line of canonical JSON, in success and failure."""
    assert run(["validate", "--data-dir", "data", "--json"]) == 0
    sound = capsys.readouterr().out
    assert sound == canonical_json(json.loads(sound)) + "\n"
    assert json.loads(sound)["kinds"]["trace"] == {"files": 3, "records": 9, "problems": 0}
    (at_home.runs / "V3" / "case-1001.jsonl.gz").write_bytes(b"")
    assert run(["validate", "--data-dir", "data", "--json"]) == 1
    broken = json.loads(capsys.readouterr().out)
    assert (broken["valid"], broken["n_problems"], broken["scaffold"]) == (False, 1, False)
    assert broken["problems"] == [
        {
            "path": "data/runs/V3/case-1001.jsonl.gz",
            "line": None,
            "kind": "unknown",
            "what": "is empty",
            "remedy": "remove it, or make it again",
        }
    ]


def test_files_folders_and_globs_can_be_named(at_home: Campaign, capsys: pytest.CaptureFixture[str]) -> None:
    """Each file counts once, however often it is named; tables, hidden files and other formats are passed over."""
    at_home.tables.mkdir(parents=True)
    (at_home.tables / "main.jsonl").write_text("no record")
    (at_home.traces / ".case-1.jsonl").write_text("no record")
    (at_home.exports / "cv_summary.json").write_text("no record")
    for arguments, n_files in (
        (["data/traces/case-1000.jsonl.gz"], 1),
        (["data/traces"], 3),
        (["data/traces/", "data/traces/case-100*.gz", "./data/../data/traces"], 3),
        (["data/**/case-1000.jsonl.gz"], 3),
        (["data/runs/*"], 6),
        (["data"], 14),
        (["data/ex*/*"], 1),
    ):
        assert run(["validate", "--json", *arguments]) == 0
        assert (arguments, json.loads(capsys.readouterr().out)["n_files"]) == (arguments, n_files)


@pytest.mark.usefixtures("at_home")
def test_every_wrong_path_is_named_before_any_work(capsys: pytest.CaptureFixture[str]) -> None:
    """A path that does not exist and a glob that matches nothing are usage errors, told at once."""
    assert run(["validate", "data/traces", "nowhere", "data/*.xml"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "error: 2 problems in the configuration:",
        "  - nowhere: no such file or folder; check the path",
        "  - data/*.xml: matches no record file or folder; quote it and check it; "
        "record files end in .jsonl or .jsonl.gz",
    ]


def test_a_name_with_brackets_is_a_name_first(at_home: Campaign, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that exists is meant literally, even if it looks like a glob."""
    (at_home.root / "[x].jsonl").write_bytes(b"")
    assert run(["validate", "data/[x].jsonl"]) == 1
    assert "data/[x].jsonl: is empty" in capsys.readouterr().out


def test_control_characters_are_escaped(at_home: Campaign, capsys: pytest.CaptureFixture[str]) -> None:
    """A hostile record or file name cannot clear the screen, forge a line or turn the text round."""
    evil = "\x1b[2J\nall valid\u202e"
    path = at_home.root / "evil\x1b[31m.jsonl"
    write_jsonl(path, [{"schema_name": evil, "schema_version": "1"}, {**trace_records()[0], evil: 1}])
    assert run(["validate", str(path)]) == 1
    out = capsys.readouterr().out
    assert [character for character in out if not character.isprintable() and character != "\n"] == []
    assert len(out.splitlines()) == 5
    assert out.startswith("data/evil\\x1b[31m.jsonl:1: unknown schema ")
    assert run(["validate", "--json", str(path)]) == 1
    assert "\\\\x1b[2J\\\\nall valid\\\\u202e" in capsys.readouterr().out


def test_a_name_that_is_no_unicode_is_shown(at_home: Campaign, capsys: pytest.CaptureFixture[str]) -> None:
    """Names are bytes on Linux; the report survives them, in both forms."""
    path = os.fsencode(at_home.root) + b"/\xff.jsonl"
    Path(os.fsdecode(path)).write_bytes(b"")
    assert run(["validate", "data"]) == 1
    assert "data/\\udcff.jsonl: is empty" in capsys.readouterr().out
    assert run(["validate", "data", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["problems"][0]["path"] == "data/\\udcff.jsonl"


def test_the_report_does_not_depend_on_the_order_of_arguments(
    at_home: Campaign, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same files give the same bytes, however they were named."""
    rewrite(at_home.run_file("V3", "case-1000"), lambda records: records[1].update(t_ms=10**9))
    rewrite(at_home.run_file("V0", "case-1000"), lambda records: records.pop(3))
    reports = []
    for arguments in (["data"], ["data/traces", "data/runs", "data"], ["data/*"]):
        assert run(["validate", *arguments]) == 1
        reports.append(capsys.readouterr().out)
    assert reports[0] == reports[1] == reports[2]


@pytest.mark.usefixtures("at_home")
def test_long_work_shows_progress_on_stderr(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From many files on, stderr tells how far it is, and stdout stays the same."""
    monkeypatch.setattr(validate, "_PROGRESS_FROM_FILES", 1)
    assert run(["validate", "data"]) == 0
    out, err = capsys.readouterr()
    assert (out.splitlines()[-1], err) == ("14 files, 68 records: all valid", "validate: 14/14\n")


@pytest.mark.usefixtures("at_home")
def test_the_data_folder_may_come_from_the_environment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """EXAID_DATA_DIR names the campaign, as everywhere."""
    monkeypatch.setenv("EXAID_DATA_DIR", "data")
    assert run(["validate"]) == 0
    assert "all valid" in capsys.readouterr().out


def _entry_script(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SOURCE / "validate_logs.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )


def test_the_entry_script_exits_with_the_status(at_home: Campaign) -> None:
    """`python src/validate_logs.py` is the verb: 0, 1 and 2 reach the shell, without a traceback."""
    here = at_home.root.parent
    assert _entry_script("data", cwd=here).returncode == 0
    (at_home.root / "x.jsonl").write_bytes(b"\xff\n")
    broken = _entry_script("data", cwd=here)
    assert (broken.returncode, broken.stdout.splitlines()[0], broken.stderr) == (
        1,
        "data/x.jsonl:1: invalid UTF-8 at byte 0; save it as UTF-8",
        "",
    )
    wrong = _entry_script("nowhere", "--data-dir", "data", cwd=here)
    assert (wrong.returncode, wrong.stdout, wrong.stderr) == (
        2,
        "",
        "error: nowhere: no such file or folder; check the path\n",
    )


def test_help_imports_nothing_heavy() -> None:
    """`validate --help` loads neither validators nor parsers nor progress bars."""
    code = (
        "import sys; from exaid_evals.cli.main import run; status = run(['validate', '--help'])\n"
        "print(status, sorted({'jsonschema_rs', 'orjson', 'tqdm', 'spacy', 'pandas', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    assert done.stdout.splitlines()[-1] == "0 []"
    assert "EXAID_VERBOSE" in done.stdout


def test_processes_find_what_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same lines in the same order, from two processes that each check the run logs of a case."""
    campaign = copy_of(shared_campaign(), tmp_path / "data")
    for path in sorted(campaign.runs.rglob("case-*.jsonl.gz"))[::2]:
        change_record(path, 2, lambda record: record.update(flush_index=7))
    monkeypatch.setattr(scan, "_CASES_A_BATCH", 1)
    monkeypatch.setattr(local, "_ITEMS_PER_WORKER", 1)
    capsys.readouterr()  # of the campaign's making, where this test is the first to need it
    found = []
    for jobs in ("1", "2"):
        assert run(["validate", "--data-dir", str(campaign.root), "--jobs", jobs]) == 1
        found.append(capsys.readouterr().out)
    assert found[0] == found[1]
    assert found[0].count("flush_index is 7, and must be 0") == 5


def test_metrics_are_held_against_the_runs_that_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the hashes that were taken while the logs were checked, here or in other processes."""
    campaign = copy_of(shared_campaign(), tmp_path / "data")
    path = next(campaign.runs.glob("V1/*.jsonl.gz"))
    change_record(path, 1, lambda record: record["versions"].update({"exaid-evals": "0.0.1"}))
    monkeypatch.setattr(scan, "_CASES_A_BATCH", 1)
    monkeypatch.setattr(local, "_ITEMS_PER_WORKER", 1)
    capsys.readouterr()  # of the campaign's making, where this test is the first to need it
    for jobs in ("1", "2"):
        assert run(["validate", "--data-dir", str(campaign.root), "--jobs", jobs]) == 1
        said = capsys.readouterr().out
        assert said.count("older than the run logs beside it") == 1
        assert "V1.metrics.jsonl" in said


def test_a_run_log_that_is_older_than_the_traces_is_found_in_spite_of_its_ledger(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is what its stage wrote, and that was of other traces."""
    campaign = copy_of(shared_campaign(), tmp_path / "data")
    shutil.rmtree(campaign.metrics)
    manifest = campaign.manifest_file.read_text()
    log = min(campaign.runs.glob("V1/*.jsonl.gz"))
    meta = json.loads(gzip.decompress(log.read_bytes()).split(b"\n")[0])
    other = meta["mas_run_id"][:-1] + ("0" if meta["mas_run_id"][-1] != "0" else "1")
    campaign.manifest_file.write_text(manifest.replace(meta["mas_run_id"], other))
    capsys.readouterr()
    assert run(["validate", "--data-dir", str(campaign.root), "--trust-ledger"]) == 1
    assert f"{log.parent.name}/{log.name}:1: mas_run_id is" in capsys.readouterr().out


def test_what_the_ledger_vouches_for_is_counted_and_not_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --trust-ledger verdict and counts are the same; what was changed since, by one byte, is read and named."""
    campaign = copy_of(shared_campaign(), tmp_path / "data")
    command = ["validate", "--data-dir", str(campaign.root)]
    capsys.readouterr()  # what the first caller says while it makes the campaign
    assert run(command) == 0
    whole = capsys.readouterr().out
    log, trace = next(campaign.runs.glob("V3/*.jsonl.gz")), next(campaign.traces.glob("*.jsonl.gz"))
    read: list[Path] = []

    def noted(target: Target, *rest: Any, **named: Any) -> FileReport:
        read.append(target.path)
        return check_file(target, *rest, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "check_file", noted)
        assert run([*command, "--trust-ledger"]) == 0
        assert capsys.readouterr().out == whole
        assert {log, trace} & set(read) == set()
        assert campaign.manifest_file in read
        for path, old, new in ((log, b'"ctu":', b'"cta":'), (trace, b'"text_units_ctu":', b'"text_units_cta":')):
            change_byte(path, old, new)
            assert run([*command, "--trust-ledger"]) == 1
            assert path in read
            assert f"{path.parent.name}/{path.name}:" in capsys.readouterr().out
