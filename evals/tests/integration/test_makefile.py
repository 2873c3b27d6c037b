"""Set-up does its work once, says what it does, and the lock files hold what it relies on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from installing import DEV_LOCK, DOCS_LOCK, FUZZ_LOCK, LOCK, ROOT, STAGES_LOCK, locked, pins, require_registry

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")

# Variables given to the make that runs the tests would reach the make that they run.
GIVEN = re.compile(r"MAKE.*|MFLAGS|ARGS|PYTHON|LIMIT|SEEDS?|UV|VENV")
ENVIRONMENT = {name: value for name, value in os.environ.items() if not GIVEN.fullmatch(name)}
# The home folder of a service account: it does not exist, and not even root can make it.
HOMELESS = ENVIRONMENT | {"HOME": "/proc/none"}
HATCHLING = ("hatchling", "packaging", "pathspec", "pluggy", "trove-classifiers")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a checkout under a path with a space, whose locks hold no more than building the package takes."""
    root = tmp_path / "a checkout"
    package = root / "evals" / "src" / "exaid_evals"
    package.mkdir(parents=True)
    for folder in ("schemas", "configs"):
        (root / "evals" / folder).mkdir()
        (root / "evals" / folder / "empty.json").write_text("{}\n", encoding="utf-8")
    for name in ("Makefile", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, root / name)
    (package / "__init__.py").write_text('__version__ = "0"\n', encoding="utf-8")
    needed = [locked(LOCK)[name] for name in HATCHLING]
    (root / "evals" / LOCK.name).write_text("".join(needed), encoding="utf-8")
    (root / "evals" / STAGES_LOCK.name).write_text("".join(needed), encoding="utf-8")
    (root / "evals" / DEV_LOCK.name).write_text("", encoding="utf-8")
    return root


def make(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make without a usable home folder."""
    return subprocess.run(["make", *arguments], cwd=checkout, env=HOMELESS, capture_output=True, text=True, check=False)


def steps(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the first word of each thing that set-up says it does, after checking that it succeeded."""
    assert done.returncode == 0, done.stdout + done.stderr
    return re.findall(r"^(setting|installing \d|installing exaid)", done.stderr, flags=re.MULTILINE)


@pytest.mark.slow
def test_set_up_is_done_once(checkout: Path) -> None:
    """It is done again when its inputs' content changes or it did not finish, and for no other reason."""
    require_registry(HOMELESS)
    setup = ("setup", f"PYTHON={sys.executable}")
    everything = ["setting", "installing 5", "installing exaid"]
    lock, project = checkout / "evals" / LOCK.name, checkout / "pyproject.toml"

    pinned = lock.read_text(encoding="utf-8")
    lock.write_text(re.sub(r"sha256:\w{8}", "sha256:00000000", pinned), encoding="utf-8")
    tampered = make(checkout, *setup)
    assert tampered.returncode != 0
    assert "DO NOT MATCH THE HASHES" in tampered.stderr

    lock.write_text(pinned, encoding="utf-8")
    assert steps(make(checkout, *setup)) == everything
    version = subprocess.run(
        [checkout / ".venv/bin/python", "-c", "import exaid_evals; print(exaid_evals.__version__)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert version.stdout == "0\n"
    assert steps(make(checkout, "setup")) == []

    lock.touch()
    assert steps(make(checkout, "setup")) == []

    original = project.read_text(encoding="utf-8")
    project.write_text(original + "# edited\n", encoding="utf-8")
    assert steps(make(checkout, "setup")) == ["installing exaid"]
    project.write_text(original, encoding="utf-8")
    assert steps(make(checkout, "setup")) == ["installing exaid"]


def test_unusable_python_is_named_and_nothing_is_lost(checkout: Path) -> None:
    """A python that starts nothing, as a shim may, is refused in its own words; an old .venv stays."""
    shim = checkout / "python3.12"
    shim.write_text("#!/bin/sh\necho 'shim: python3.12: command not found' >&2; exit 127\n", encoding="utf-8")
    shim.chmod(0o755)
    kept = checkout / ".venv" / "kept"
    kept.parent.mkdir()
    kept.touch()
    done = make(checkout, "setup", f"PYTHON={shim}")
    assert done.returncode == 2
    assert "needs Python 3.11 or 3.12" in done.stderr
    assert f"{shim}: shim: python3.12: command not found" in done.stderr
    assert kept.exists()


def test_help_names_every_target_and_needs_no_set_up(checkout: Path) -> None:
    """`make` alone lists what can be made, and makes nothing."""
    done = make(checkout)
    targets = re.findall(r"^\.PHONY: ([a-z-]+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert set(re.findall(r"^  make ([a-z-]+) ", done.stdout, flags=re.MULTILINE)) == set(targets)
    assert not (checkout / ".venv").exists()


@pytest.mark.slow
def test_locks_are_what_pyproject_asks_for(checkout: Path) -> None:
    """`make lock` finds nothing to pin, drop or move: the locks were made from this pyproject.toml."""
    require_registry()
    locks = (LOCK, DEV_LOCK, DOCS_LOCK, STAGES_LOCK, FUZZ_LOCK)
    for file in (*locks, ROOT / "evals" / "constraints-paper.txt"):
        shutil.copy(file, checkout / "evals" / file.name)
    uv = Path(sys.executable).with_name("uv")
    subprocess.run(["make", "lock", f"UV={uv}"], cwd=checkout, env=ENVIRONMENT, capture_output=True, check=True)
    made = [pins(checkout / "evals" / lock.name) for lock in locks]
    assert made == [pins(lock) for lock in locks]


@pytest.mark.parametrize("lock", [LOCK, DEV_LOCK, DOCS_LOCK, STAGES_LOCK, FUZZ_LOCK], ids=lambda lock: lock.name)
def test_lock_pins_hashes_and_names_no_registry(lock: Path) -> None:
    """Every entry has one exact version and a hash; where to get it is the reader's own configuration."""
    entries = locked(lock)
    assert entries
    unpinned = [name for name, entry in entries.items() if not re.match(rf"{name}==\S+ .*--hash=sha256:", entry, re.S)]
    assert unpinned == []
    text = lock.read_text(encoding="utf-8")
    assert "://" not in text
    assert re.findall(r"^-.*", text, flags=re.MULTILINE) == []


def test_locks_agree() -> None:
    """A package in two locks has the same version in both: they are installed together."""
    evals = pins(LOCK)
    for other in map(pins, (DEV_LOCK, DOCS_LOCK)):
        both = evals.keys() & other.keys()
        assert {name: evals[name] for name in both} == {name: other[name] for name in both}


def test_the_stages_lock_is_part_of_the_whole() -> None:
    """What `make reproduce` installs has the versions and hashes of the whole environment, which a test then adds."""
    whole, stages = locked(LOCK), locked(STAGES_LOCK)
    hashes = {name: re.findall(r"sha256:\w+", entry) for name, entry in stages.items()}
    assert hashes == {name: re.findall(r"sha256:\w+", whole[name]) for name in stages}
    assert len(stages) < len(whole) / 2


@pytest.mark.slow
def test_the_stages_import_nothing_beyond_their_lock() -> None:
    """Where pandas, scikit-learn and all that spaCy's pipelines need are missing, one case still passes every stage."""
    absent = sorted(locked(LOCK).keys() - locked(STAGES_LOCK).keys())
    code = f"""
import sys
from importlib.metadata import distribution, packages_distributions
absent = set({absent!r})
for module, owners in packages_distributions().items():
    if {{owner.lower().replace("_", "-").replace(".", "-") for owner in owners}} <= absent:
        sys.modules[module] = None
sys.argv = ["exaid-evals", "reproduce", "--limit", "1", "--jobs", "1", "--data-dir", sys.argv[1]]
from exaid_evals.cli.main import main
main()
"""
    with TemporaryDirectory() as folder:
        environment = ENVIRONMENT | {"EXAID_STUB_MODE": "1", "EXAID_CACHE_DIR": f"{folder}/cache"}
        command = [sys.executable, "-c", code, f"{folder}/data"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_frozen_environment() -> None:
    """The versions that the paper's results were made with are those that are installed."""
    versions = pins(LOCK)
    assert {name: versions[name] for name in ("spacy", "scispacy", "pyautogen")} == {
        "spacy": "3.7.4",
        "scispacy": "0.5.4",
        "pyautogen": "0.2.32",
    }
    assert versions["numpy"].startswith("1.")
    assert versions["click"].startswith("8.1.")
    assert "nmslib" not in versions


@pytest.mark.parametrize(("given", "advice"), [("SEED=3", 'write SEEDS="3"'), ("LIMIT=3", 'write ARGS="--limit 3"')])
def test_a_word_that_is_not_read_is_refused(checkout: Path, given: str, advice: str) -> None:
    """It would otherwise do nothing at all; nothing is set up before it is said."""
    done = make(checkout, "reproduce", given)
    assert done.returncode == 2
    assert advice in done.stderr
    assert not (checkout / ".venv").exists()
