"""The wheel is whole: it needs nothing of the checkout that it was built from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from installing import LOCK, ROOT, require_registry


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, capture_output=True, check=True)
    (built,) = folder.glob("*.whl")
    return built


def test_wheel_carries_schemas_and_configs(wheel: Path) -> None:
    """Every schema and default configuration of the checkout is in the wheel, byte for byte."""
    with zipfile.ZipFile(wheel) as archive:
        carried = {
            name.removeprefix("exaid_evals/_resources/"): archive.read(name)
            for name in archive.namelist()
            if name.startswith("exaid_evals/_resources/")
        }
    evals = ROOT / "evals"
    files = [path for kind in ("schemas", "configs") for path in (evals / kind).rglob("*") if path.is_file()]
    assert carried == {path.relative_to(evals).as_posix(): path.read_bytes() for path in files}
    assert carried


def test_wheel_carries_the_package_alone(wheel: Path) -> None:
    """Neither tests nor results nor anything else is installed beside the package; its types are."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"exaid_evals"}
    assert "exaid_evals/py.typed" in names


@pytest.mark.slow
def test_wheel_reproduces_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    """Installed from the wheel and the lock alone, the pipeline runs with an empty home and working folder."""
    require_registry()
    environment, home, work = tmp_path / "environment", tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    venv.create(environment)
    python = environment / "bin" / "python"
    _install(python, "--require-hashes", "--requirement", str(LOCK))
    _install(python, str(wheel))

    bare = {"PATH": os.defpath, "HOME": str(home), "EXAID_STUB_MODE": "1"}
    done = subprocess.run(
        [environment / "bin" / "exaid-evals", "reproduce", "--limit", "3"],
        cwd=work,
        env=bare,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    data = work / "data"
    assert [len(list((data / "runs" / f"V{i}").glob("case-*.jsonl.gz"))) for i in range(5)] == [3] * 5
    assert (data / "metrics" / "tables" / "main.csv").stat().st_size
    assert (data / "metrics" / "figures" / "coverage_vs_budget.pdf").stat().st_size
    assert json.loads((data / "exports" / "exported_summary.json").read_bytes())["runs"]


def _install(python: Path, *what: str) -> None:
    """Install without dependencies: with uv, which links from its cache in seconds, else with pip in a minute."""
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps", f"--python={python}", *what]
    if subprocess.run(uv, capture_output=True, check=False).returncode:
        pip = [sys.executable, "-m", "pip", f"--python={python}", "install", "--quiet", "--no-deps", *what]
        subprocess.run(pip, capture_output=True, check=True)
