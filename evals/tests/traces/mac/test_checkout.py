"""MAC's folder is what the pinned commit holds, or the stage does not begin."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from exaid_evals.config.mas_generation import MacConfig, MacModelConfig
from exaid_evals.errors import ConfigError, MissingDependencyError
from exaid_evals.traces.mac.prepare import require_autogen, require_mac
from traces.mac.harness import Checkout, check_out, git, planned

PINNED = MacConfig().commit


def test_checkout_at_its_commit(mac: Checkout) -> None:
    """A clean checkout at the pinned commit is taken."""
    assert require_mac(mac.folder, mac.commit) == mac.folder


def test_other_commit_is_named_with_the_way_back(mac: Checkout) -> None:
    """Expected, found and the command stand in the error."""
    with pytest.raises(ConfigError) as caught:
        require_mac(mac.folder, PINNED)
    assert f"is at commit {mac.commit}, and {PINNED} is pinned" in str(caught.value)
    assert f"git -C {mac.folder} checkout --detach {PINNED}" in str(caught.value)


def test_changes_are_named(tmp_path: Path) -> None:
    """A changed file, and one that git does not know, make MAC another program; the remedy works."""
    mac = check_out(tmp_path / "a mac")
    with (mac.folder / "main.py").open("a", encoding="utf-8") as stream:
        stream.write("\n")
    (mac.folder / "json.py").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"main\.py, json\.py") as caught:
        require_mac(mac.folder, mac.commit)
    assert "stash --include-untracked" in str(caught.value)
    git(mac.folder, "stash", "--include-untracked")
    require_mac(mac.folder, mac.commit)


def test_another_users_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that somebody else owns, as a mounted one is, needs no `safe.directory` of the user's."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    mac = check_out(tmp_path / "mac")
    for path in (mac.folder, *mac.folder.rglob("*")):
        os.chown(path, 12345, 12345)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "misleading"))
    require_mac(mac.folder, mac.commit)


def test_empty_submodule_within_a_checkout(tmp_path: Path) -> None:
    """The commit of the repository around an empty folder is not taken for MAC's."""
    outer = check_out(tmp_path / "outer")
    empty = outer.folder / "third_party"
    empty.mkdir()
    with pytest.raises(ConfigError, match="git submodule update --init third_party/mac"):
        require_mac(empty, outer.commit)


def test_no_checkout_needs_known_content(mac: Checkout, tmp_path: Path) -> None:
    """Without git, content is compared file by file; of a commit that is not known there is nothing to compare."""
    copy = tmp_path / "copy"
    shutil.copytree(mac.folder, copy, ignore=shutil.ignore_patterns(".git"))
    with pytest.raises(ConfigError, match="not known to this release"):
        require_mac(copy, mac.commit)
    with pytest.raises(ConfigError) as caught:
        require_mac(copy, PINNED)
    for name in ("dataset/rare_disease_302.json", "main.py", "utils/__init__.py", "utils/prompts.py"):
        assert f"{name} is not what commit {PINNED} holds" in str(caught.value)


def test_every_problem_is_reported_at_once(mac: Checkout, tmp_path: Path) -> None:
    """A wrong commit and a missing key come in one message, and nothing is written."""
    wrong = Checkout(mac.folder, PINNED)
    with pytest.raises(ConfigError) as caught:
        planned(tmp_path / "data", wrong, key="")
    assert "is pinned" in str(caught.value)
    assert "OPENAI_API_KEY" in str(caught.value)
    assert not (tmp_path / "data").exists()


def test_other_autogen_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The version of autogen is part of the protocol."""
    monkeypatch.setattr("exaid_evals.traces.mac.prepare.version", lambda _: "0.3.0")
    with pytest.raises(MissingDependencyError, match=r"pyautogen 0\.2\.32; 0\.3\.0 is installed"):
        require_autogen()


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("gpt-4o-mini", "openai"),
        ("gemini-2.0-flash", "google"),
        ("models/gemini-1.5-pro", "google"),
        ("llama3.1", "openai"),
    ],
)
def test_provider_goes_by_the_model(model: str, provider: str) -> None:
    """Google's models are asked of Google; the configuration may say otherwise."""
    assert MacModelConfig(model=model).asked_of == provider
    assert MacModelConfig(model=model, provider="openai").asked_of == "openai"
