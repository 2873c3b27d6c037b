"""MAC: its folder, its commit, its cases, and the autogen that it runs on."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from exaid_evals.cases.mac import PINNED_CASES, data_file, modification
from exaid_evals.config.base import load_config
from exaid_evals.config.mas_generation import MasGenerationConfig
from exaid_evals.doctor.base import Environment, Finding, Purpose
from exaid_evals.errors import ExaidError
from exaid_evals.traces.mac.checkout import require_autogen, require_mac

_LIVE: frozenset[Purpose] = frozenset({"live"})
_DATA: frozenset[Purpose] = frozenset({"live", "paper"})
_SUBMODULE = "run `git submodule update --init third_party/mac`, or name a checkout with EXAID_MAC_DIR"


def checkout(environment: Environment) -> Iterator[Finding]:
    """Check MAC's code against the pinned commit, and its data file."""
    place = str(environment.mac_dir or "third_party/mac")
    try:
        commit = load_config(MasGenerationConfig, environment.config_dir / "mas_generation.yaml").value.mac.commit
        require_mac(environment.mac_dir, commit)
    except ExaidError as error:
        absent = environment.mac_dir is None or not (environment.mac_dir / "main.py").is_file()
        remedy = _SUBMODULE if absent else error.remedy or _SUBMODULE
        yield Finding("MAC", "code", "missing" if absent else "problem", error.what, remedy, _LIVE)
    else:
        yield Finding("MAC", "code", "ok", f"commit {commit}, {place}", needed_for=_LIVE)
    path = data_file(environment.mac_dir)
    if path is None:
        remedy = f"{_SUBMODULE}; until then the cases are synthetic"
        yield Finding("MAC", "cases", "missing", f"no data file under {place}", remedy, _DATA)
        return
    changed = modification(environment.mac_dir, PINNED_CASES)
    if changed:
        remedy = "restore dataset/ from MAC's repository; numbers from changed cases are marked `mac (modified)`"
        yield Finding("MAC", "cases", "problem", "not the data file of the pinned commit", remedy, _DATA)
    else:
        yield Finding("MAC", "cases", "ok", f"{PINNED_CASES} cases, {path}", needed_for=_DATA)


def autogen(_: Environment) -> Iterator[Finding]:
    """Look for autogen without importing it, which takes seconds."""
    try:
        require_autogen()
    except ExaidError as error:
        yield Finding("MAC", "pyautogen", "missing", error.what, error.remedy or "", _LIVE)
        return
    if find_spec("autogen") is None:
        remedy = "run `pip install --force-reinstall --no-deps pyautogen==0.2.32`"
        yield Finding("MAC", "pyautogen", "problem", "installed, and its module `autogen` is not there", remedy, _LIVE)
    else:
        yield Finding("MAC", "pyautogen", "ok", "0.2.32, module autogen", needed_for=_LIVE)
