"""Python and the packages, against what this release requires and what the lock file pins."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from exaid_evals import __version__
from exaid_evals.config.resources import checkout_root
from exaid_evals.doctor.base import STUB, Environment, Finding, Purpose
from exaid_evals.verification.packages import DISTRIBUTION

LOCK_NAME = "requirements-evals.txt"
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)\s*(?:;\s*([^\\]+?))?\s*\\?$")
_PURPOSE_OF_EXTRA: dict[str, Purpose] = {
    "live": "live",
    "openai": "live",
    "scispacy": "paper",
    "analysis": "analysis",
    "torch": "run-eval",
    # `wandb` and `export-inspect` serve single options: nobody fails for want of them who does not name those.
}


def python(_: Environment) -> Iterator[Finding]:
    """Compare the interpreter with the versions that this release runs on."""
    version = platform.python_version()
    right = sys.version_info[:2] >= (3, 11)
    what = f"{version}, {platform.system()} {platform.machine()}, {sys.executable}"
    yield Finding(
        "python",
        "interpreter",
        "ok" if right else "problem",
        what,
        "" if right else "make the environment with Python 3.11 or 3.12: `make PYTHON=/path/to/python3.12 setup`",
        STUB,
    )
    yield Finding("python", DISTRIBUTION, "ok", f"{__version__}, in {Path(__file__).resolve().parents[1]}")


def requirements(_: Environment) -> Iterator[Finding]:
    """Hold the direct requirements, extras too, against what is installed."""
    pins = _pins()
    for text in metadata.requires(DISTRIBUTION) or ():
        requirement = Requirement(text)
        extra = _extra_of(requirement)
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue  # not for this Python
        purpose = frozenset({_PURPOSE_OF_EXTRA[extra]}) if extra in _PURPOSE_OF_EXTRA else frozenset()
        yield _requirement(requirement, extra, pins, purpose if extra else STUB)


def locked(_: Environment) -> Iterator[Finding]:
    """Hold every package of the lock file against what is installed."""
    pins = _pins()
    if not pins:
        yield Finding("lock", "lock file", "ok", "not part of a wheel: the ranges above are what counts")
        return
    installed = {name: _installed(name) for name in pins}
    others = {name: version for name, version in installed.items() if version not in (None, pins[name])}
    absent = sorted(name for name, version in installed.items() if version is None)
    n_right = len(pins) - len(others) - len(absent)
    yield Finding("lock", "lock file", "ok", f"{n_right} of {len(pins)} packages are as pinned in {LOCK_NAME}")
    for name, version in sorted(others.items()):
        yield Finding("lock", name, "problem", f"{version}; {pins[name]} is pinned", "run `make setup`")
    if absent:
        yield Finding("lock", "not installed", "missing", ", ".join(absent), "run `make setup`")


def _requirement(requirement: Requirement, extra: str, pins: dict[str, str], needed_for: frozenset[Purpose]) -> Finding:
    name = canonicalize_name(requirement.name)
    version = _installed(name)
    topic = f"packages [{extra}]" if extra else "packages"
    wanted = f"{DISTRIBUTION}[{extra}]" if extra else f"{requirement.name}{requirement.specifier}"
    target = "torch-setup" if extra == "torch" else "setup"  # PyTorch has an environment of its own
    remedy = f"run `make {target}`, or `pip install '{wanted}'`"
    if version is None:
        return Finding(topic, name, "missing", f"{requirement.specifier} is wanted", remedy, needed_for)
    if not requirement.specifier.contains(version, prereleases=True):
        return Finding(topic, name, "problem", f"{version}; {requirement.specifier} is wanted", remedy, needed_for)
    pinned = pins.get(name)
    if pinned not in (None, version):
        # Within the range and off the lock: it runs, and nobody has promised the same bytes.
        return Finding(topic, name, "problem", f"{version}; {pinned} is pinned", remedy)
    return Finding(topic, name, "ok", version, needed_for=needed_for)


def _extra_of(requirement: Requirement) -> str:
    match = re.search(r"extra\s*==\s*['\"]([^'\"]+)['\"]", str(requirement.marker or ""))
    return match[1] if match else ""


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _pins() -> dict[str, str]:
    """Return name → pinned version of what the lock wants on this platform; empty outside a checkout."""
    root = checkout_root()
    path = root / LOCK_NAME if root else None
    if path is None or not path.is_file():
        return {}
    matches = (_PIN.match(line) for line in path.read_text(encoding="utf-8").splitlines())
    return {
        canonicalize_name(match[1]): match[2]
        for match in matches
        if match and (not match[3] or Marker(match[3]).evaluate())
    }
