"""`exaid-evals make-traces`: what it says, how it ends, and that its bytes depend on nothing around it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from exaid_evals.cli import stages
from exaid_evals.cli.main import run
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.requests import TracesRequest

TESTS = Path(__file__).resolve().parents[1]
SOURCE = Path(stages.__file__).resolve().parents[2]
SMALL = ["--source", "small_cases:load", "--mode", "all"]


def test_table_on_stdout_and_exit_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Numbers and places on stdout, progress on stderr; the second call says that there is nothing to do."""
    arguments = ["make-traces", "--stub", *SMALL, "--data-dir", str(tmp_path)]
    assert run(arguments) == 0
    out, err = capsys.readouterr()
    lines = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert lines["cases"] == "12 (small_cases:load)"
    assert (lines["failed"], lines["stub"]) == ("0", "yes")
    assert int(lines["messages"]) >= 12 * 9
    assert lines["traces"] == str(tmp_path / "traces")
    assert "make-traces: 12/12" in err.splitlines()
    assert run(arguments) == 0
    again, err = capsys.readouterr()
    assert again == out
    assert "nothing to do: the same traces are frozen already" in err.splitlines()
    assert "make-traces: " not in err


def test_live_conversation_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --stub the exit status is 2, and the message says what to use."""
    assert run(["make-traces", *SMALL, "--data-dir", str(tmp_path)]) == 2
    assert "with --stub" in capsys.readouterr().err


def test_stub_mode_by_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """EXAID_STUB_MODE=1 is --stub, and every option reads EXAID_<NAME>."""
    settings = {"STUB_MODE": "1", "SOURCE": "small_cases:load", "N_CASES": "4", "DATA_DIR": str(tmp_path), "SEED": "7"}
    for name, value in settings.items():
        monkeypatch.setenv(f"EXAID_{name}", value)
    assert run(["make-traces"]) == 0
    assert len(list(Campaign(tmp_path).traces.glob("case-*"))) == 4


def test_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It lists what would be made."""
    assert run(["make-traces", "--stub", *SMALL, "--limit", "2", "--dry-run", "--data-dir", str(tmp_path)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out == [
        "2 of 12 cases (small_cases:load): would be made",
        "  case-t00  neurological",
        "  case-t01  renal",
    ]
    assert list(tmp_path.iterdir()) == []


def test_failed_cases_give_status_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Failed cases are named with their reason, every time."""
    configs = tmp_path / "configs"
    configs.mkdir()
    (configs / "dataset.yaml").write_text("source: small_cases:load\nmode: all\n", encoding="utf-8")
    (configs / "mas_generation.yaml").write_text("stub: {failure_rate: 1.0}\n", encoding="utf-8")
    arguments = ["make-traces", "--stub", "--data-dir", str(tmp_path / "data"), "--config-dir", str(configs)]
    for _ in range(2):
        assert run(arguments) == 3
        assert capsys.readouterr().err.count("failed: case-t") == 12


def test_another_configuration_gives_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Frozen traces are not overwritten by another seed."""
    arguments = ["make-traces", "--stub", *SMALL, "--data-dir", str(tmp_path)]
    assert run(arguments) == 0
    assert run([*arguments, "--seed", "43"]) == 1
    assert "--force" in capsys.readouterr().err
    assert run([*arguments, "--seed", "43", "--force"]) == 0


def test_named_cases(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--cases takes exactly these; an unknown one is wrong usage."""
    arguments = ["make-traces", "--stub", *SMALL, "--data-dir", str(tmp_path), "--cases"]
    assert run([*arguments, "t05,case-t01"]) == 0
    names = sorted(path.name for path in Campaign(tmp_path).traces.glob("case-*"))
    assert names == ["case-t01.jsonl.gz", "case-t05.jsonl.gz"]
    assert run([*arguments, "t99"]) == 2
    assert "case-t99" in capsys.readouterr().err


def test_called_in_process_with_typed_arguments(tmp_path: Path) -> None:
    """Other verbs call `run` with a request, and get the exit status."""
    request = TracesRequest(data_dir=tmp_path, stub=True, source="small_cases:load", n_cases=3, seed=9)
    assert stages.run_traces(request) == 0
    assert len(list(Campaign(tmp_path).traces.glob("case-*"))) == 3


def test_default_configurations_are_the_defaults() -> None:
    """What the YAML files say is what the code assumes without them."""
    from exaid_evals.config.base import load_config
    from exaid_evals.config.campaign import configs_dir
    from exaid_evals.config.mas_generation import DatasetConfig, MacModelConfig, MasGenerationConfig

    assert load_config(DatasetConfig, configs_dir() / "dataset.yaml").value == DatasetConfig()
    generation = load_config(MasGenerationConfig, configs_dir() / "mas_generation.yaml").value
    assert generation == MasGenerationConfig()
    load_config(MacModelConfig, configs_dir() / generation.mac.model_config_file)


def _in_a_process(folder: Path, *arguments: str, **settings: str) -> dict[str, bytes]:
    code = "import sys; from exaid_evals.cli.main import run; sys.exit(run(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "make-traces", "--stub", *SMALL, "--data-dir", str(folder), *arguments]
    environment = {**os.environ, "PYTHONPATH": f"{SOURCE}{os.pathsep}{TESTS}", **settings}
    folder.mkdir()
    subprocess.run(command, env=environment, cwd=folder, capture_output=True, check=True)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_bytes_depend_on_nothing_around(tmp_path: Path) -> None:
    """Hash seed, locale, time zone, working directory and number of jobs reach no file."""
    one = _in_a_process(tmp_path / "a", PYTHONHASHSEED="1", LC_ALL="C", TZ="UTC")
    other = _in_a_process(tmp_path / "b", "-j", "2", PYTHONHASHSEED="2", LC_ALL="C.UTF-8", TZ="Asia/Tokyo")
    assert len(one) == 15
    assert one == other


def test_help_imports_nothing_heavy() -> None:
    """`--help` loads neither numpy nor any library of the stages."""
    code = (
        "import sys; from exaid_evals.cli.main import run; run(['make-traces', '--help']);"
        "heavy = {'numpy', 'spacy', 'pandas', 'pyhpo', 'matplotlib', 'tqdm'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--cases" in done.stdout
