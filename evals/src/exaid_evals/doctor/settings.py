"""What a user has set here: configurations, keys, and the folder of MAC."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from exaid_evals.artifacts.schemas import current_versions, known_versions, validator
from exaid_evals.cases.mac import PINNED_CASES, data_file, modification
from exaid_evals.clients.endpoint import PROVIDERS, endpoint_of, secrets_hidden
from exaid_evals.config.base import Config, load_config
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.mas_generation import DatasetConfig, MacModelConfig, MasGenerationConfig
from exaid_evals.config.metrics import CalibrationConfig, MetricsConfig
from exaid_evals.config.variant import SummarizerConfig, load_variants
from exaid_evals.errors import ConfigError, ExaidError
from exaid_evals.traces.mac.prepare import require_autogen, require_mac

State = Literal["ok", "missing", "problem"]
Purpose = Literal["stub", "live", "paper", "docker", "analysis", "run-eval"]

PURPOSES: dict[Purpose, str] = {
    "stub": "simulated conversations and model, offline",
    "live": "MAC's own conversation, or a live model behind the middleware",
    "paper": "the paper's extractor, scispaCy, and MAC's cases",
    "docker": "the container",
    "analysis": "analyses of experiments",
    "run-eval": "models of vision and text, with PyTorch",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Attributes:
        topic: what kind of thing it is: `python`, `packages`, `extractor` …
        name: which one.
        state: `ok`, `missing`, or `problem` where it is there and not right.
        what: version, place or reason.
        remedy: what to do; empty where all is well.
        needed_for: purposes that fail without it.
    """

    topic: str
    name: str
    state: State
    what: str = ""
    remedy: str = ""
    needed_for: frozenset[Purpose] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Environment:
    """What is examined.

    Attributes:
        campaign: the data folder.
        config_dir: the configurations.
        mac_dir: the folder of MAC; None where none is known.
        environment: the variables.
        timeout_s: how long another program may take to answer.
    """

    campaign: Campaign
    config_dir: Path
    mac_dir: Path | None
    environment: Mapping[str, str]
    timeout_s: float = 20.0


Check = Callable[[Environment], Iterable[Finding]]

STUB: frozenset[Purpose] = frozenset({"stub"})
"""What stub mode needs, everything needs."""


def fails(findings: Iterable[Finding], purposes: Iterable[Purpose]) -> list[Finding]:
    """Return the findings that keep one of the purposes from working."""
    wanted = {*purposes, "stub"}
    return [finding for finding in findings if finding.state != "ok" and finding.needed_for & wanted]


_FILES: dict[str, type[Config]] = {
    "dataset.yaml": DatasetConfig,
    "mas_generation.yaml": MasGenerationConfig,
    "mac_model_config.json": MacModelConfig,
    "summarizer.yaml": SummarizerConfig,
    "metrics.yaml": MetricsConfig,
    "calibration.yaml": CalibrationConfig,
}


def configurations(environment: Environment) -> Iterator[Finding]:
    """Read every configuration as the stages do."""
    read: dict[str, Callable[[], object]] = {
        name: lambda name=name, model=model: load_config(model, environment.config_dir / name)  # type: ignore[misc]
        for name, model in _FILES.items()
    }
    read["variants/"] = lambda: load_variants(environment.config_dir / "variants")
    sound = []
    for name, load in read.items():
        try:
            with secrets_hidden():
                load()
        except ExaidError as error:
            where = (error.where or "").rpartition(": ")[2]
            what = f"{where}: {error.what}" if where and where != error.where else error.what
            yield Finding("configuration", name, "problem", what, error.remedy or "correct it", STUB)
        else:
            sound.append(name)
    yield Finding("configuration", str(environment.config_dir), "ok", ", ".join(sound))


def schemas(_: Environment) -> Iterator[Finding]:
    """Compile every version of every schema."""
    count = 0
    for name in current_versions():
        for version in known_versions(name):
            try:
                validator(name, version)
                count += 1
            except Exception as error:  # the compiler of schemas raises errors of its own
                remedy = "restore evals/schemas from the repository"
                yield Finding("schemas", f"{name} {version}", "problem", str(error)[:200], remedy, STUB)
    yield Finding(
        "schemas", "registry", "ok", f"{count} versions of {len(current_versions())} schemas", needed_for=STUB
    )


_SOUND_URL = "https://localhost/v1"


def keys(environment: Environment) -> Iterator[Finding]:
    """Check for each provider whether its key is there and well-formed."""
    for provider, (key_variable, _, _) in PROVIDERS.items():
        needed = _needed(environment, provider)
        endpoint = endpoint_of(provider, environment.environment)
        if not endpoint.key:
            remedy = f"for live runs set {key_variable} in the environment; stub mode and --llm replay need none"
            yield Finding("key", key_variable, "missing", "not set", remedy, needed)
            continue
        try:
            # Of the key alone: a base URL that is none has a line of its own.
            replace(endpoint, base_url=_SOUND_URL).check()
        except ConfigError as error:
            yield Finding("key", key_variable, "problem", error.what, error.remedy or "", needed)
        else:
            yield Finding("key", key_variable, "ok", "set", needed_for=needed)


def servers(environment: Environment) -> Iterator[Finding]:
    """Name for each provider the host that would be asked, without user, password, path and query."""
    for provider, (_, url_variable, default) in PROVIDERS.items():
        own = bool(environment.environment.get(url_variable, "").strip())
        endpoint = endpoint_of(provider, environment.environment)
        if not endpoint.shown:
            remedy = f"write {url_variable} as https://host:port/v1, or unset it for {urlsplit(default).hostname}"
            what = f"{url_variable} is not an http or https URL"
            yield Finding("server", provider, "problem", what, remedy, _needed(environment, provider))
            continue
        parts = urlsplit(endpoint.shown)
        host = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
        default_too = "" if own else f", the default since {url_variable} is not set"
        yield Finding("server", provider, "ok", f"{host} would be asked{default_too}; whether it answers was not tried")


def _needed(environment: Environment, provider: str) -> frozenset[Purpose]:
    """Return what the provider's key is needed for: live runs, of the provider that MAC's configuration names."""
    try:
        with secrets_hidden():
            mac = load_config(MasGenerationConfig, environment.config_dir / "mas_generation.yaml").value.mac
            model = load_config(MacModelConfig, environment.config_dir / mac.model_config_file).value
    except ExaidError:  # reported by the check of the configurations
        return frozenset()
    return frozenset({"live"}) if model.asked_of == provider else frozenset()


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
