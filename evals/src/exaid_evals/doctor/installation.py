"""What is installed and what is missing: each check, and all of them in order."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from exaid_evals import __version__
from exaid_evals.artifacts.redaction import Redactor
from exaid_evals.clients.endpoint import PROVIDERS, endpoint_of
from exaid_evals.concepts.registry import EXTRACTORS, load_extractor, read_stop_entities
from exaid_evals.config import plugins
from exaid_evals.config.campaign import checkout_root
from exaid_evals.config.plugins import DISTRIBUTION
from exaid_evals.doctor import settings
from exaid_evals.doctor.settings import STUB, Check, Environment, Finding, Purpose
from exaid_evals.errors import ExaidError
from exaid_evals.ontologies.registry import NAMES, fingerprint

_GIB = 1 << 30
_LEAST_FREE = _GIB // 2
_LEAST_MEMORY = 2 * _GIB


def hardware(_: Environment) -> Iterator[Finding]:
    """Count processors and memory."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Finding("machine", "processors", "ok", f"{usable} usable")
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):  # no such question on this system
        return
    enough = memory >= _LEAST_MEMORY
    remedy = "" if enough else "run stages with -j 1; a worker takes about 400 MB"
    yield Finding("machine", "memory", "ok" if enough else "problem", f"{memory / _GIB:.1f} GiB", remedy)


def data_folder(environment: Environment) -> Iterator[Finding]:
    """Look whether the data folder, or where it would be made, has room and may be written."""
    root = environment.campaign.root
    there = next((folder for folder in (root, *root.parents) if folder.exists()), Path("/"))
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        remedy = "name another --data-dir, or change the folder's permissions"
        yield Finding("data", str(root), "problem", "cannot be written", remedy, STUB)
        return
    free = shutil.disk_usage(there).free
    enough = free >= _LEAST_FREE
    remedy = "" if enough else "make room, or name another --data-dir; a campaign of 40 cases takes 10 MB"
    state = "there" if root.is_dir() else "will be made"
    yield Finding(
        "data", str(root), "ok" if enough else "problem", f"{state}, {free / _GIB:.1f} GiB free", remedy, STUB
    )


def fonts(_: Environment) -> Iterator[Finding]:
    """Look for the typefaces that figures are set in, which Matplotlib ships; by path, for importing it is slow."""
    spec = find_spec("matplotlib")
    locations = (spec.submodule_search_locations or []) if spec else []
    folder = Path(next(iter(locations), "/nonexistent")) / "mpl-data" / "fonts" / "ttf"
    names = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSansMono.ttf")
    absent = [name for name in names if not (folder / name).is_file()]
    if absent:
        remedy = "run `make setup`: some systems take the fonts out of Matplotlib"
        yield Finding("figures", "fonts", "missing", ", ".join(absent), remedy, STUB)
    else:
        yield Finding("figures", "fonts", "ok", f"as Matplotlib ships them, {folder}", needed_for=STUB)


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
    for requirement, extra in plugins.requirements():
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
    remedy = f"run `pip install '{wanted}'`"
    if extra == "torch" or name in pins:
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


_DOCKER: frozenset[Purpose] = frozenset({"docker"})


def docker(environment: Environment) -> Iterator[Finding]:
    """Ask for the engine's version and Compose's."""
    program = shutil.which("docker", path=environment.environment.get("PATH"))
    if program is None:
        yield Finding("docker", "program", "missing", "not on PATH", "install Docker with its Compose plugin", _DOCKER)
        return
    questions = (
        ("engine", ("version", "--format", "{{.Server.Version}}"), "start the Docker engine, or set DOCKER_HOST"),
        ("compose", ("compose", "version", "--short"), "install Docker's Compose plugin"),
    )
    for name, arguments, remedy in questions:
        version, problem = _asked(program, arguments, environment)
        if version:
            yield Finding("docker", name, "ok", version, needed_for=_DOCKER)
        else:
            yield Finding("docker", name, "missing", problem, remedy, _DOCKER)


def _asked(program: str, arguments: tuple[str, ...], environment: Environment) -> tuple[str, str]:
    """Return what the program answers, or why it does not."""
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command
            [program, *arguments],
            env=dict(environment.environment),
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=environment.timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "", f"no answer within {environment.timeout_s:g} s"
    except OSError as error:
        return "", str(error.strerror)
    answer = done.stdout.strip().splitlines()
    if done.returncode == 0 and answer:
        return answer[0], ""
    said = done.stderr.strip().splitlines() or ["it does not answer"]
    return "", said[-1][:160]


_NEEDED: dict[str, frozenset[Purpose]] = {"lexicon": STUB, "scispacy": frozenset({"paper"})}
_MODEL = "en_core_sci_sm"


def vocabularies(_: Environment) -> Iterator[Finding]:
    """Find the files that the vocabularies are read from."""
    for name in NAMES:
        try:
            digest = fingerprint(name)
        except ExaidError as error:
            yield Finding("vocabulary", name, "missing", error.what, error.remedy or "run `make setup`", STUB)
        else:
            yield Finding("vocabulary", name, "ok", f"installed, file hash {digest[:8]}", needed_for=STUB)


def extractors(environment: Environment) -> Iterator[Finding]:
    """Load every extractor that ships, as a stage would."""
    try:
        stop_entities = read_stop_entities(environment.config_dir / "stop_entities.txt")
    except ExaidError as error:
        yield Finding("extractor", "stop_entities.txt", "problem", str(error), error.remedy or "", STUB)
        stop_entities = frozenset()
    for name in EXTRACTORS:
        needed = _NEEDED.get(name, frozenset())
        if name == "scispacy" and find_spec(_MODEL) is None:
            # Without the model spaCy would be imported for seconds only to say so.
            remedy = (
                f"run `pip install --no-deps` on the archive {_MODEL}-0.5.4.tar.gz of scispaCy's releases; the "
                "container's image holds it"
            )
            yield Finding("extractor", name, "missing", f"the model {_MODEL} is not installed", remedy, needed)
            continue
        try:
            extractor = load_extractor(name, {}, stop_entities=stop_entities)
        except ExaidError as error:
            yield Finding("extractor", name, "missing", error.what, error.remedy or "", needed)
        else:
            yield Finding("extractor", name, "ok", extractor.id, needed_for=needed)


def models(_: Environment) -> Iterator[Finding]:
    """List the spaCy pipelines that are installed as packages."""
    found = {entry.name: entry.dist.version for entry in metadata.entry_points(group="spacy_models") if entry.dist}
    if not found:
        yield Finding("spaCy", "models", "missing", "none; the lexicon extractor needs none")
    for name, version in sorted(found.items()):
        yield Finding("spaCy", name, "ok", version)


CHECKS: tuple[Check, ...] = (
    python,
    requirements,
    locked,
    settings.configurations,
    settings.schemas,
    vocabularies,
    extractors,
    models,
    settings.checkout,
    settings.autogen,
    settings.keys,
    settings.servers,
    docker,
    hardware,
    data_folder,
    fonts,
)


def examine(environment: Environment) -> list[Finding]:
    """Run every check. Whatever a finding says, no key and nothing secret of a base URL is in it."""
    findings = [finding for check in CHECKS for finding in check(environment)]
    redactors = [endpoint_of(provider, environment.environment).redactor for provider in PROVIDERS]
    return [_clean(finding, redactors) for finding in findings]


def _clean(finding: Finding, redactors: Sequence[Redactor]) -> Finding:
    texts = {"name": finding.name, "what": finding.what, "remedy": finding.remedy}
    for redactor in redactors:
        texts = {name: redactor.shown(text) for name, text in texts.items()}
    # Errors of several problems have a line each; a finding has one.
    texts = {name: " ".join(text.split()) for name, text in texts.items()}
    return Finding(finding.topic, texts["name"], finding.state, texts["what"], texts["remedy"], finding.needed_for)
