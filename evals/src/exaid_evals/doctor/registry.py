"""The checks, in the order of the report. To add one, write it in a module of its kind and name it here."""

from __future__ import annotations

from collections.abc import Sequence

from exaid_evals.artifacts.redaction import Redactor
from exaid_evals.clients.endpoint import PROVIDERS, endpoint_of
from exaid_evals.doctor import installation, settings
from exaid_evals.doctor.settings import Check, Environment, Finding

CHECKS: tuple[Check, ...] = (
    installation.python,
    installation.requirements,
    installation.locked,
    settings.configurations,
    settings.schemas,
    installation.vocabularies,
    installation.extractors,
    installation.models,
    settings.checkout,
    settings.autogen,
    settings.keys,
    settings.servers,
    installation.docker,
    installation.hardware,
    installation.data_folder,
    installation.fonts,
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
