"""Settings of a stage, changed by the names of what they and their request hold."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, TypeVar

SettingsT = TypeVar("SettingsT")


def changed(settings: SettingsT, **changes: Any) -> SettingsT:
    """Return settings with changes, those of their request included."""
    of_settings = {one.name for one in fields(settings)}
    own = {name: value for name, value in changes.items() if name in of_settings}
    request = settings.request.change(**{name: value for name, value in changes.items() if name not in own})
    return replace(settings, request=request, **own)
