"""API keys and servers. A key is there or not; its value, its length and what the URL hides are never told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

from exaid_evals.clients.endpoint import PROVIDERS, endpoint_of, secrets_hidden
from exaid_evals.config.base import load_config
from exaid_evals.config.mas_generation import MacModelConfig, MasGenerationConfig
from exaid_evals.doctor.base import Environment, Finding, Purpose
from exaid_evals.errors import ConfigError, ExaidError

_SOUND_URL = "https://localhost/v1"


def keys(environment: Environment) -> Iterator[Finding]:
    """Say of each provider whether its key is there and well-formed."""
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
    """Say of each provider which host would be asked, without user, password, path and query."""
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
    except ExaidError:  # told by the check of the configurations
        return frozenset()
    return frozenset({"live"}) if model.asked_of == provider else frozenset()
