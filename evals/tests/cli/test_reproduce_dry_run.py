"""`reproduce --dry-run`: what every stage would do, before and after the traces are there; nothing is written."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from exaid_evals.cli.main import run
from exaid_evals.config.campaign import configs_dir

SMALL = "mode: all\nsource: small_cases:load\n"


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    """Return configurations of twelve small cases, and a reader that loads nothing."""
    folder = tmp_path / "configs"
    shutil.copytree(configs_dir(), folder)
    (folder / "dataset.yaml").write_text(SMALL, encoding="utf-8")
    (folder / "summarizer.yaml").write_text("stub: {concepts: 'conversations:build_words'}\n", encoding="utf-8")
    return folder


def reported(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run the verb and return what it prints."""
    capsys.readouterr()
    assert run(["reproduce", "--stub", "--dry-run", "--limit", "2", *arguments]) == 0
    return capsys.readouterr().out


def test_every_stage_is_reported(tmp_path: Path, configs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing there: everything would be done; traces frozen: ten run logs; runs made: the metrics alone."""
    data = tmp_path / "data"
    places = ["--data-dir", str(data), "--config-dir", str(configs)]
    before = reported(capsys, *places)
    for line in ("would write a run log a case of V0 V1 V2 V3 V4", "would measure every case", "would consolidate the"):
        assert line in before
    assert not data.exists()
    assert run(["make-traces", "--stub", "--limit", "2", *places]) == 0
    assert "would write 10 run logs of V0 V1 V2 V3 V4" in reported(capsys, *places)
    assert not (data / "runs").exists()
    assert run(["run-variants", *places]) == 0
    after = reported(capsys, *places)
    assert "would write 0 run logs" in after
    assert "would measure 2 cases under V0 V1 V2 V3 V4" in after
    assert not (data / "metrics").exists()


def test_problems_of_later_stages_are_found_too(
    tmp_path: Path, configs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A variant that cannot be read stops the plan before anything is spent on the conversation."""
    (configs / "variants" / "V2.yaml").write_text("variant_id: V2\n", encoding="utf-8")
    arguments = ["--stub", "--dry-run", "--data-dir", str(tmp_path / "data"), "--config-dir", str(configs)]
    assert run(["reproduce", *arguments]) == 2
    assert "V2.yaml: gate: Field required" in capsys.readouterr().err
