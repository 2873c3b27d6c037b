"""What SECURITY.md promises: tests that are there, and a container that can do little."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]


def test_every_test_that_the_threat_model_names_is_there() -> None:
    """A row whose tests have moved would be a promise that nobody keeps."""
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[^`]+)`", text)
    assert len(named) > 10
    assert [name for name in named if not (ROOT / "evals" / name).exists()] == []


@pytest.mark.parametrize("service", ["evals", "live"])
def test_a_container_can_do_little(service: str) -> None:
    """No root that can be written, no new privileges, no capability but those that the entry point gives up."""
    made = yaml.safe_load((ROOT / "docker-compose.evals.yml").read_text(encoding="utf-8"))["services"][service]
    assert made["read_only"] is True
    assert made["cap_drop"] == ["ALL"]
    assert set(made["cap_add"]) == {"SETUID", "SETGID", "SETPCAP"}
    assert made["security_opt"] == ["no-new-privileges:true"]
    assert made["tmpfs"]
    keys = {name for name in made["environment"] if "KEY" in name}
    assert (made.get("network_mode"), bool(keys), made.get("profiles")) == (
        ("none", False, None) if service == "evals" else (None, True, ["live"])
    )
