"""`exaid-evals calibrate`, from traces of left-over cases to what a run says about its calibration."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest

from exaid_evals.artifacts.jsonl import read_jsonl
from exaid_evals.artifacts.manifest import read_manifest
from exaid_evals.artifacts.written import changed_in
from exaid_evals.cli.main import run
from exaid_evals.config.campaign import Campaign, configs_dir
from exaid_evals.config.variant import load_variants
from exaid_evals.replay.eval_run import gate_hash

SMALL = ["make-traces", "--stub", "--source", "small_cases:load"]
FEW = """
grid: {min_words: [20, 60], max_words: [100], silence_ms: [2000, 8000], max_wait_ms: [20000]}
constraints: {undersized_share: null, timer_share: null}
"""


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Freeze a campaign of four cases, and one of four among the others; return their folder."""
    folder = tmp_path_factory.mktemp("campaigns")
    assert run([*SMALL, "--n-cases", "4", "--data-dir", str(folder / "evaluated")]) == 0
    others = ["--n-cases", "4", "--exclude-from", str(folder / "evaluated"), "--data-dir", str(folder / "others")]
    assert run([*SMALL, *others]) == 0
    return folder


@pytest.fixture
def place(frozen: Path, tmp_path: Path) -> Path:
    """Return a folder with both campaigns and configurations of its own."""
    shutil.copytree(frozen, tmp_path, dirs_exist_ok=True)
    shutil.copytree(configs_dir(), tmp_path / "configs")
    (tmp_path / "configs" / "calibration.yaml").write_text(FEW, encoding="utf-8")
    return tmp_path


def calibrate(place: Path, *arguments: str) -> int:
    """Run the verb there."""
    folders = ["--traces", place / "others", "--data-dir", place / "evaluated", "--config-dir", place / "configs"]
    return run(["calibrate", *map(str, folders), *arguments])


def cases_of(folder: Path) -> tuple[str, ...]:
    """Return a campaign's case list."""
    return read_manifest(Campaign(folder).manifest_file).generation.ordered_case_list


def test_traces_come_from_the_cases_that_are_left(frozen: Path, tmp_path: Path) -> None:
    """--exclude-from selects beside the other campaign, always the same, and the manifest shows it."""
    assert not set(cases_of(frozen / "evaluated")) & set(cases_of(frozen / "others"))
    again = ["--n-cases", "4", "--exclude-from", str(frozen / "evaluated"), "--data-dir", str(tmp_path)]
    assert run([*SMALL, *again]) == 0
    assert cases_of(tmp_path) == cases_of(frozen / "others")
    manifests = [read_manifest(Campaign(frozen / name).manifest_file) for name in ("evaluated", "others")]
    assert [one.generation.n_cases_available for one in manifests] == [12, 8]
    assert manifests[0].config_hash != manifests[1].config_hash


def test_more_cases_than_are_left_is_wrong_usage(
    frozen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Eight are left of twelve; a named case of the other campaign is refused as well."""
    beside = ["--exclude-from", str(frozen / "evaluated"), "--data-dir", str(tmp_path)]
    assert run([*SMALL, *beside, "--n-cases", "9"]) == 2
    assert "only 8 cases beside the 4 excluded ones" in capsys.readouterr().err
    taken = cases_of(frozen / "evaluated")[0]
    assert run([*SMALL, *beside, "--cases", taken]) == 2
    assert f"{taken} belong to the excluded campaign" in capsys.readouterr().err


def test_without_write_the_variants_stay(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Numbers, report and figure are written, signed and undated; the blocks for the variants are only printed."""
    before = (place / "configs" / "variants" / "V3.yaml").read_bytes()
    assert calibrate(place) == 0
    out = capsys.readouterr().out
    assert "none of the 4 evaluated" in out
    assert "  calibration_hash: sha256:" in out
    assert (place / "configs" / "variants" / "V3.yaml").read_bytes() == before
    names = sorted(path.name for path in (place / "evaluated" / "calibration").iterdir())
    assert names == ["gate_pareto.pdf", "gate_pareto.png", "policies.csv", "report.md"]
    pdf = (place / "evaluated" / "calibration" / "gate_pareto.pdf").read_bytes()
    assert b"|concepts:none|llm:none|boot:0/0|time:recorded|stub:yes" in pdf
    assert b"CreationDate" not in pdf
    # `verify` and `tables --check` ask this.
    report = place / "evaluated" / "calibration" / "report.md"
    assert changed_in(place / "evaluated") == []
    report.write_text(report.read_text(encoding="utf-8") + "x", encoding="utf-8")
    assert changed_in(place / "evaluated") == [(report, "calibrate")]


@pytest.mark.slow
def test_bytes_do_not_depend_on_processes(place: Path) -> None:
    """One process or two: the same files."""
    folder = place / "evaluated" / "calibration"
    assert calibrate(place) == 0
    one = {path.name: path.read_bytes() for path in folder.iterdir()}
    shutil.rmtree(folder)
    assert calibrate(place, "-j", "2") == 0
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == one


def test_shared_cases_are_status_2(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Calibrating on what is evaluated is refused before anything is written."""
    arguments = ["--traces", place / "evaluated", "--data-dir", place / "evaluated"]
    assert run(["calibrate", *map(str, arguments)]) == 2
    err = capsys.readouterr().err
    assert all(case_id in err for case_id in cases_of(place / "evaluated"))
    assert not (place / "evaluated" / "calibration").exists()


def test_no_survivor_is_status_1(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The data cannot meet the constraints: said, counted, and nothing written."""
    (place / "configs" / "calibration.yaml").write_text("constraints: {worst_wait_ms: 1}\n", encoding="utf-8")
    assert calibrate(place, "--write") == 1
    assert "worst_wait_ms ≤ 1 refuses 625" in capsys.readouterr().err
    assert not (place / "evaluated" / "calibration").exists()


def test_a_variant_that_differs_is_reported_on_the_terminal(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """V1 too: what its file records was set, and an edit of the gate, of the record or of both is reported."""
    (place / "configs" / "summarizer.yaml").write_text(
        "stub: {concepts: 'conversations:build_words'}\n", encoding="utf-8"
    )
    path = place / "configs" / "variants" / "V1.yaml"
    shipped = path.read_text(encoding="utf-8")
    folders = ["--data-dir", str(place / "evaluated"), "--config-dir", str(place / "configs")]
    reported = {}
    for old, new in (
        ("", ""),
        ("{kind: fixed_ctu, threshold_ctu: 500}\ntrigger", "{kind: fixed_ctu, threshold_ctu: 400}\ntrigger"),
        ("threshold_ctu: 500", "threshold_ctu: 400"),
    ):
        assert old in shipped
        path.write_text(shipped.replace(old, new), encoding="utf-8")
        assert run(["run-variants", "V1", "--limit", "1", *folders]) == 0
        notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note: ")]
        log = Campaign(place / "evaluated").run_file("V1", cases_of(place / "evaluated")[0])
        reported[new] = (notes, read_jsonl(log)[0]["calibration"]["as_calibrated"])
    unchanged, gate, both = reported.values()
    assert unchanged == ([], True)
    assert gate[0] == [
        "note: V1 differs from its recorded calibration: threshold_ctu is 400, and 500 was recorded; run_meta says so"
    ]
    assert both[0][0].startswith('note: V1 differs from its recorded calibration: calibration_hash is "sha256:')
    assert (gate[1], both[1]) == (False, False)


def test_calibrated_on_evaluated_cases_is_reported(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run over cases of the calibration says so before it begins."""
    (place / "configs" / "summarizer.yaml").write_text(
        "stub: {concepts: 'conversations:build_words'}\n", encoding="utf-8"
    )
    assert calibrate(place, "--write") == 0
    folders = ["--data-dir", str(place / "others"), "--config-dir", str(place / "configs")]
    assert run(["run-variants", "V3", *folders]) == 0
    assert "V3 was calibrated on 4 of these cases (" in capsys.readouterr().err


@pytest.mark.slow
def test_write_freezes_what_was_set_as_it_stands(place: Path) -> None:
    """V1's gate stays, with a record of its own hash; twice is once."""
    path = place / "configs" / "variants" / "V1.yaml"
    [before] = load_variants(path.parent, ["V1"])
    assert calibrate(place, "--write") == 0
    once = path.read_bytes()
    [after] = load_variants(path.parent, ["V1"])
    assert after.frozen is not None
    assert (after.gate, after.frozen.gate) == (before.gate, before.gate)
    assert (after.frozen.basis.value, after.frozen.calibration_hash) == ("set", gate_hash(before.gate))
    assert (after.frozen.trace_dataset_hash, after.frozen.cases) == (None, ())
    assert calibrate(place, "--write") == 0
    assert path.read_bytes() == once


def test_an_interval_is_the_median_of_the_gates_flushes(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Counted from run logs of the chosen gate over the calibration's own conversations."""
    (place / "configs" / "summarizer.yaml").write_text(
        "stub: {concepts: 'conversations:build_words'}\n", encoding="utf-8"
    )
    folder = place / "configs" / "ablation"
    assert calibrate(place, "--write", "--variants-dir", str(folder), "--interval", "A3", "A0") == 0
    assert "wrote" in capsys.readouterr().out
    variants = ["--variants-dir", str(folder), "A0"]
    folders = ["--data-dir", str(place / "others"), "--config-dir", str(place / "configs")]
    assert run(["run-variants", *variants, *folders]) == 0
    campaign = Campaign(place / "others")
    flushes = [
        record["ctu"]
        for case_id in cases_of(place / "others")
        for record in read_jsonl(campaign.run_file("A0", case_id))
        if record["record_type"] == "gate_flush"
    ]
    [interval] = load_variants(folder, ["A3"])
    assert interval.gate.settings == {"threshold_ctu": round(median(flushes))}
    assert interval.frozen is not None
    assert interval.frozen.cases == cases_of(place / "others")


def test_leftovers_of_a_killed_call_are_removed(place: Path) -> None:
    """Temporary files beside the results and the variants go; nobody else's do."""
    folders = [place / "evaluated" / "calibration", place / "configs" / "variants"]
    for folder in folders:
        folder.mkdir(exist_ok=True)
        (folder / ".V3.yaml.0123abcd.tmp").write_text("half", encoding="utf-8")
        (folder / ".mine").write_text("whole", encoding="utf-8")
    assert calibrate(place, "--write") == 0
    for folder in folders:
        assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == [".mine"]


def notes_of(place: Path, edit: Callable[[str], str] = str) -> list[dict[str, object]]:
    """Replay V3, its file edited, over both campaigns; return what `run_meta` says about the calibration."""
    path = place / "configs" / "variants" / "V3.yaml"
    path.write_text(edit(path.read_text(encoding="utf-8")), encoding="utf-8")
    notes = []
    for name in ("evaluated", "others"):
        folders = ["--data-dir", str(place / name), "--config-dir", str(place / "configs")]
        assert run(["run-variants", "V3", "--limit", "1", *folders]) == 0
        assert run(["validate", "--data-dir", str(place / name)]) == 0
        log = Campaign(place / name).run_file("V3", cases_of(place / name)[0])
        notes.append(read_jsonl(log)[0].get("calibration"))
    return notes


@pytest.mark.slow
def test_a_run_says_whether_it_keeps_to_its_calibration(place: Path) -> None:
    """Written by --write, V3 is as calibrated; edited, it says what differs; on its own cases, it says so too."""
    (place / "configs" / "summarizer.yaml").write_text(
        "stub: {concepts: 'conversations:build_words'}\n", encoding="utf-8"
    )
    shipped, _ = notes_of(place)
    assert shipped is not None
    assert shipped["as_calibrated"] is True
    assert calibrate(place, "--write") == 0
    v3, v4 = load_variants(place / "configs" / "variants", ["V3", "V4"])
    assert v3.frozen is not None
    assert v3.gate == v3.frozen.gate == v4.gate
    kept = {"calibration_hash": v3.frozen.calibration_hash, "as_calibrated": True, "differences": {}}
    evaluated, others = notes_of(place)
    assert evaluated == {**kept, "calibrated_on_this_case": False}
    assert others == {**kept, "calibrated_on_this_case": True}
    edited, _ = notes_of(place, lambda text: text.replace("\n  max_words: 100\n", "\n  max_words: 101\n"))
    difference = {"max_words": {"calibrated": 100, "used": 101}}
    assert edited == {**kept, "as_calibrated": False, "differences": difference, "calibrated_on_this_case": False}
