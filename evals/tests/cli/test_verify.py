"""`verify`: made again elsewhere and compared; what differs is named, settings before files."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from conversations import conversation, freeze
from exaid_evals.cli.main import run
from exaid_evals.config.campaign import Campaign, configs_dir
from exaid_evals.verification.expected import CAMPAIGN_FILE, FIELDS_FILE
from stub_campaigns import change_byte, change_record, copy_of, repack, shared_campaign


@pytest.fixture(scope="module")
def pristine() -> Campaign:
    """Return a campaign of two cases that nobody may change."""
    return shared_campaign()


@pytest.fixture
def spoilt(pristine: Campaign, tmp_path: Path) -> Campaign:
    """Return a copy of it, to be spoilt."""
    return copy_of(pristine, tmp_path / "spoilt")


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    """Return a copy of the shipped configurations, of two small cases by default, to be changed."""
    folder = tmp_path / "configs"
    shutil.copytree(configs_dir(), folder)
    dataset = folder / "dataset.yaml"
    text = dataset.read_text(encoding="utf-8")
    assert "n_cases: 40" in text
    dataset.write_text(text.replace("n_cases: 40", "n_cases: 2"), encoding="utf-8")
    return folder


def verify(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, list[str]]:
    """Return status and lines of a call."""
    capsys.readouterr()
    status = run(["verify", *map(str, arguments)])
    reported = capsys.readouterr()
    return status, [
        *reported.out.splitlines(),
        *(line for line in reported.err.splitlines() if line.startswith("error")),
    ]


def as_is(
    capsys: pytest.CaptureFixture[str], pristine: Campaign, spoilt: Campaign, *more: str
) -> tuple[int, list[str]]:
    """Compare two campaigns as they stand."""
    return verify(capsys, "--as-is", "--against", pristine.root, "--data-dir", spoilt.root, *more)


def test_two_campaigns_are_compared_as_they_stand(
    capsys: pytest.CaptureFixture[str], pristine: Campaign, spoilt: Campaign
) -> None:
    """The same content in another packing is the same; nothing is made."""
    repack(spoilt.run_file("V0", "case-t00"))
    status, lines = as_is(capsys, pristine, spoilt)
    assert status == 0
    assert lines[-1].endswith("files compared by content: all the same")


def test_a_difference_is_named_with_stage_record_field_and_values(
    capsys: pytest.CaptureFixture[str], pristine: Campaign, spoilt: Campaign
) -> None:
    """What introduced it, where it is, what stands on either side, and what only follows."""
    change_record(spoilt.run_file("V3", "case-t01"), 2, lambda record: record.update(t_ms=7))
    change_byte(spoilt.tables / "main.csv", b"\nV3,", b"\nV5,")
    status, lines = as_is(capsys, pristine, spoilt)
    assert status == 1
    assert lines[0] == "introduced by stage 02 run-variants"
    assert lines[1].startswith("runs/V3/case-t01.jsonl.gz: differs from what stage 02 run-variants makes: line 2 (")
    assert "): t_ms: " in lines[1]
    assert lines[1].endswith(", here 7")
    assert lines[2].startswith(
        "follows: metrics/tables/main.csv: differs from what stage 03 compute-metrics makes: row"
    )
    assert "variant: " in lines[2]
    assert lines[-1].endswith("2 differ")


def test_only_what_the_chosen_stages_make_is_compared(
    capsys: pytest.CaptureFixture[str], pristine: Campaign, spoilt: Campaign
) -> None:
    """With stages 01 and 02 an edited table is nobody's business."""
    change_byte(spoilt.tables / "main.csv", b"\nV3,", b"\nV5,")
    assert as_is(capsys, pristine, spoilt, "--stages", "01,02")[0] == 0
    assert as_is(capsys, pristine, spoilt, "--stages", "03")[0] == 1


def test_many_differences_are_counted(capsys: pytest.CaptureFixture[str], pristine: Campaign, spoilt: Campaign) -> None:
    """A dozen are listed in full only on demand, and the count is right in any case."""
    for path in spoilt.runs.rglob("case-*.jsonl.gz"):
        change_record(path, 1, lambda record: record.update(stub=False))
    for path in spoilt.metrics.glob("V*.jsonl"):
        change_record(path, 1, lambda record: record.update(stub=False))
    status, lines = as_is(capsys, pristine, spoilt)
    full = as_is(capsys, pristine, spoilt, "--full")[1]
    assert status == 1
    assert lines[-1] == full[-1]
    assert lines[-1].endswith("15 differ")
    assert any(line.startswith("follow too: 4 of stage 03") for line in lines)
    assert sum("differs from what stage" in line for line in full) == 15


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--stages", "05"), "no stage is called 05"),
        (("--stages", "01", "--from", "02"), "exclude each other"),
        (("--as-is",), "needs something to compare with"),
        (("--write-expected", "--as-is"), "excludes"),
        (("--against", "/nonexistent/campaign"), "no such folder"),
    ],
)
def test_wrong_usage_is_found_before_any_work(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    """Exit status 2, and a sentence."""
    assert run(["verify", *arguments, "--data-dir", str(tmp_path)]) == 2
    assert said in capsys.readouterr().err


def test_a_tampered_manifest_is_an_error(capsys: pytest.CaptureFixture[str], spoilt: Campaign) -> None:
    """Its hash over the traces no longer holds: nothing can be made again from it, and that is said."""
    change_record(spoilt.manifest_file, 1, lambda record: record["traces"][0].update(n_records=99))
    status, lines = verify(capsys, "--data-dir", spoilt.root)
    assert status == 1
    assert "trace_dataset_hash is not the hash of `traces`" in lines[-1]


def test_live_traces_without_a_recording_can_be_verified_from_02_on(
    capsys: pytest.CaptureFixture[str], spoilt: Campaign
) -> None:
    """The message says which stages can be made again."""
    change_record(spoilt.manifest_file, 1, lambda record: record.update(stub=False))
    status, lines = verify(capsys, "--data-dir", spoilt.root, "--source", "mac", "--stages", "01")
    assert status == 2
    assert "--from 02" in lines[-1]


@pytest.mark.slow
def test_a_campaign_is_made_again_and_is_the_same(capsys: pytest.CaptureFixture[str], pristine: Campaign) -> None:
    """Every stage that it has been through, the export included; source, size and seed are the campaign's own."""
    status, lines = verify(capsys, "--data-dir", pristine.root)
    assert (status, lines[-1].endswith("all the same")) == (0, True), lines


@pytest.mark.slow
def test_one_byte_of_a_trace_is_named_when_the_campaign_is_made_again(
    capsys: pytest.CaptureFixture[str], spoilt: Campaign
) -> None:
    """Made again the trace has the other byte; the runs, made before, do not differ."""
    path = min(spoilt.traces.iterdir())
    change_byte(path, b'"content":"', b'"content":"Q')
    status, lines = verify(capsys, "--data-dir", spoilt.root, "--stages", "01,02")
    assert status == 1
    assert lines[0] == "introduced by stage 01 make-traces"
    assert lines[1].startswith(
        f"traces/{path.name}: differs from what stage 01 make-traces makes: line 1 (message 0): "
    )
    assert lines[-1].endswith("1 differ")
    # From the traces as they are now, stage 02 refuses to work: they are not what was frozen.
    assert verify(capsys, "--data-dir", spoilt.root, "--from", "02")[0] == 1


@pytest.mark.slow
def test_a_stop_word_and_a_threshold_are_named_as_settings(
    capsys: pytest.CaptureFixture[str], pristine: Campaign, configs: Path
) -> None:
    """Before any file: which word of which list, which place of which key, and from which stage on."""
    stop = configs / "stop_entities.txt"
    stop.write_text(stop.read_text(encoding="utf-8").replace("\ncondition\n", "\n"), encoding="utf-8")
    metrics = configs / "metrics.yaml"
    metrics.write_text(metrics.read_text(encoding="utf-8").replace("0.85, 0.90", "0.85, 0.91"), encoding="utf-8")
    status, lines = verify(capsys, "--data-dir", pristine.root, "--config-dir", configs)
    assert status == 1
    found = [line for line in lines if line.startswith("configuration, ")]
    assert any(
        "stop_entities.txt: made again nothing, here 'condition' (read from stage 02 on)" in line for line in found
    )
    assert any("metrics.yaml: tau_list[1]: made again 0.91, here 0.9 (read from stage 03 on)" in line for line in found)
    introduced = next(line for line in lines if line.startswith("introduced by stage"))
    assert lines.index(found[0]) < lines.index(introduced)
    assert any("redundancy_0.91" in line for line in lines)


@pytest.mark.slow
def test_expected_hashes_are_written_and_hold(
    capsys: pytest.CaptureFixture[str], configs: Path, tmp_path: Path
) -> None:
    """What `--write-expected` keeps, a later call finds again; a changed setting is named against it."""
    kept = tmp_path / "expected"
    common = ("--source", "small_cases:load", "--config-dir", configs, "--jobs", "1")
    assert verify(capsys, "--write-expected", "--against", kept, "--stages", "02", *common)[0] == 0
    assert sorted(path.name for path in kept.iterdir()) == [CAMPAIGN_FILE, FIELDS_FILE]
    status, lines = verify(capsys, "--expected", "--against", kept, "--data-dir", tmp_path / "none", *common)
    assert (status, lines[-1].endswith("all the same")) == (0, True), lines
    variant = configs / "variants" / "V3.yaml"
    before = variant.read_text(encoding="utf-8")
    variant.write_text(before.replace("history_k: 3", "history_k: 4"), encoding="utf-8")
    assert variant.read_text(encoding="utf-8") != before
    # Without a campaign in the data folder, the expected hashes are what is compared with.
    status, lines = verify(capsys, "--against", kept, "--data-dir", tmp_path / "none", *common)
    assert status == 1
    assert "configuration, variants/V3.yaml: history_k: expected 3, made again 4 (read from stage 02 on)" in lines
    assert "introduced by stage 02 run-variants" in lines


@pytest.mark.slow
def test_what_the_checkout_expects_holds(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The default stub campaign of 40 cases has the committed hashes; `make expected` renews them."""
    status, lines = verify(capsys, "--expected", "--data-dir", tmp_path / "none", "--jobs", str(os.cpu_count() or 1))
    assert status == 0, "\n".join(lines)


def test_a_setting_without_effect_is_named_and_fails(
    capsys: pytest.CaptureFixture[str], pristine: Campaign, spoilt: Campaign
) -> None:
    """The files are the same; the configuration is not the one that they are said to have."""
    note = spoilt.state / "configuration.json"
    text = note.read_text(encoding="utf-8")
    assert '"on_failure":"log_stub"' in text
    note.write_text(text.replace('"on_failure":"log_stub"', '"on_failure":"raise"'), encoding="utf-8")
    status, lines = as_is(capsys, pristine, spoilt)
    assert status == 1
    assert lines[0].startswith("configuration, dataset.yaml: on_failure: ")
    assert lines[-1].endswith("all the same, but 1 setting above")


def test_an_export_of_other_runs_is_not_passed_over(capsys: pytest.CaptureFixture[str], spoilt: Campaign) -> None:
    """What consolidates several campaigns cannot be made again from one: said, and refused where it was asked for."""
    summary = spoilt.exports / "exported_summary.json"
    document = json.loads(summary.read_text(encoding="utf-8"))
    document["runs"] = [{**document["runs"][0], "run": name} for name in ("seed-1", "seed-2")]
    summary.write_text(json.dumps(document), encoding="utf-8")
    assert run(["verify", "--stages", "04", "--data-dir", str(spoilt.root)]) == 2
    assert "consolidates other runs" in capsys.readouterr().err


def test_a_campaign_in_which_cases_failed_is_made_again_too(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """That a part of somebody's own raises is a result like another: the run logs say it, and are compared."""
    campaign = freeze(tmp_path / "data", [conversation("Fever."), conversation("Chills.", case_id="case-2")])
    variants = tmp_path / "variants"
    variants.mkdir()
    (variants / "V9.yaml").write_text(
        "variant_id: V9\ngate: {kind: message}\ntrigger: {kind: always}\n"
        "summarizer: {kind: 'remedies.own_parts:Feverless'}\nhistory_k: 0\n",
        encoding="utf-8",
    )
    common = ("--variants-dir", str(variants), "--data-dir", str(campaign.root), "--jobs", "1")
    assert run(["run-variants", "--stub", *common]) == 3
    status, lines = verify(capsys, "--stages", "02", *common)
    assert (status, lines[-1].endswith("all the same")) == (0, True), lines


def test_variants_of_several_folders_are_found(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Shipped and own variants, run by a call each, are made again; one whose file is gone, as it was noted."""
    campaign = freeze(tmp_path / "data", [conversation("Fever.")])
    variants = tmp_path / "variants"
    variants.mkdir()
    parts = {"Own": "'own_parts:Copies'", "Mine": "passthrough"}
    for name, kind in parts.items():
        (variants / f"{name}.yaml").write_text(
            f"variant_id: {name}\ngate: {{kind: message}}\ntrigger: {{kind: always}}\n"
            f"summarizer: {{kind: {kind}}}\nhistory_k: 0\n",
            encoding="utf-8",
        )
    common = ("--data-dir", str(campaign.root), "--jobs", "1")
    own = ("--variants-dir", str(variants))
    assert run(["run-variants", "V0", "--stub", *common]) == 0
    assert run(["run-variants", "--stub", *own, *common]) == 0
    for gone in ("", "Mine"):
        (variants / f"{gone}.yaml").unlink(missing_ok=True)
        status, lines = verify(capsys, "--stages", "02", *own, *common)
        assert (status, lines[-1].endswith("all the same")) == (0, True), lines
    assert any(line.startswith("Mine: no Mine.yaml in ") for line in lines)


def test_the_notes_of_a_campaign_choose_no_code_that_runs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A note names a module that lies on the path: it is not imported, and the folder of the variant is asked for."""
    campaign = freeze(tmp_path / "data", [conversation("Fever.")])
    common = ("--data-dir", str(campaign.root), "--jobs", "1")
    assert run(["run-variants", "V0", "--stub", *common]) == 0
    campaign.runs.joinpath("V0").rename(campaign.runs / "Own")
    notes = campaign.state / "configuration.json"
    noted = json.loads(notes.read_text(encoding="utf-8"))
    noted["02"] = {"variants/Own.yaml": noted["02"]["variants/V0.yaml"] | {"gate": {"kind": "left_behind:Gate"}}}
    notes.write_text(json.dumps(noted) + "\n", encoding="utf-8")
    (tmp_path / "left_behind.py").write_text("raise SystemExit('was run')\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert run(["verify", "--stages", "02", *common]) == 2
    assert "left_behind:Gate, which a note cannot choose to run" in capsys.readouterr().err
