"""MAC's real code, as released: it conversations to a scripted model on loopback, and replays with that model gone.

MAC is brought in for the test and not kept: from EXAID_MAC_SOURCE (a git repository or checkout of MAC) or from
third_party/mac, where one of them holds it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from exaid_evals.artifacts.jsonl import read_jsonl
from exaid_evals.artifacts.text_units import ctu
from exaid_evals.cases.mac import FILE_NAME
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.mas_generation import MacConfig, Stage
from exaid_evals.traces.mac.forecast import INSTRUCTIONS
from exaid_evals.traces.mac.prepare import AUTOGEN, require_mac
from exaid_evals.traces.mac.recording import read_recording
from folders import contents
from traces.mac.harness import environment
from traces.mac.provider import Provider

CHECKOUT = Path(__file__).resolve().parents[3]
PINNED = MacConfig().commit
# Read when tests are collected: the user's EXAID_ variables are taken away from the tests themselves.
_NAMED = os.environ.get("EXAID_MAC_SOURCE")
N_CASES = 1 if os.environ.get("CI") else 3


@pytest.fixture(scope="module")
def real_mac(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a checkout of MAC at the pinned commit; skip where there is none."""
    package, pinned = AUTOGEN
    try:
        if version(package) != pinned:
            pytest.skip(f"another {package} than {pinned} is installed")
    except PackageNotFoundError:
        pytest.skip(f"{package}, of the extra `live`, is not installed")
    folder = tmp_path_factory.mktemp("real") / "mac"
    for source in (_NAMED, str(CHECKOUT / "third_party" / "mac")):
        if source and _clones(source, folder):
            return folder
    pytest.skip("MAC is absent: neither EXAID_MAC_SOURCE nor third_party/mac is a repository that holds its commit")


def _clones(source: str, folder: Path) -> bool:
    # A submodule that was never initialised is an empty folder: git would take the repository around it.
    if not any((Path(source) / name).exists() for name in (".git", "HEAD")):
        return False
    shutil.rmtree(folder, ignore_errors=True)
    commands = (
        ["git", "-c", "safe.directory=*", "clone", "--quiet", "--no-hardlinks", source, str(folder)],
        ["git", "-C", str(folder), "checkout", "--quiet", "--detach", PINNED],
    )
    return all(subprocess.run(command, capture_output=True, check=False).returncode == 0 for command in commands)


def _command(mac: Path, data: Path, *more: str) -> list[str]:
    """Return the command that a user would type, with default configurations."""
    places = ["--mac-dir", str(mac), "--data-dir", str(data)]
    return [sys.executable, "-m", "exaid_evals", "make-traces", *places, "--limit", str(N_CASES), "-j", "2", *more]


def test_hashes_of_the_pinned_commit(real_mac: Path, tmp_path: Path) -> None:
    """What is known of the pinned commit by content is what git holds; one changed letter is noticed."""
    require_mac(real_mac, PINNED)
    unpacked = tmp_path / "mac"
    shutil.copytree(real_mac, unpacked, ignore=shutil.ignore_patterns(".git"))
    require_mac(unpacked, PINNED)
    prompts = unpacked / "utils" / "prompts.py"
    prompts.write_bytes(prompts.read_bytes().replace(b"Supervisor", b"Superviser", 1))
    with pytest.raises(Exception, match=r"utils/prompts\.py is not what commit"):
        require_mac(unpacked, PINNED)


@pytest.mark.slow
def test_live_and_replayed(real_mac: Path, tmp_path: Path) -> None:
    """Cases complete, validate, leave MAC and the home folder alone, and replay byte for byte without the model."""
    home = tmp_path / "home"
    home.mkdir()
    live, again = tmp_path / "live", tmp_path / "again"
    with Provider() as provider:
        settings = environment(provider, HOME=str(home))
        subprocess.run(_command(real_mac, live), env=settings, check=True, timeout=300)
        assert provider.n_repeated == 0
        # The model is asked as MAC asks: its temperature and no streaming, for a speaker and then for his word.
        bodies = [{name: asked.body[name] for name in asked.body if name != "messages"} for asked in provider.asked]
        assert all(body == {"model": "gpt-4o-mini", "stream": False, "temperature": 1} for body in bodies)
    shutil.copytree(live / "cassettes", again / "cassettes")
    silent = environment(None, HOME=str(home), no_proxy="", HTTPS_PROXY="http://127.0.0.1:9")
    subprocess.run(_command(real_mac, again, "--llm", "replay"), env=silent, check=True, timeout=300)
    assert contents(again) == contents(live)
    validate = [sys.executable, "-m", "exaid_evals", "validate", "--data-dir", str(live)]
    subprocess.run(validate, env=silent, check=True, timeout=60)
    require_mac(real_mac, PINNED)
    assert list(home.rglob("*")) == []
    _holds_macs_conversation(real_mac, live)
    _is_as_forecast(live)


def _is_as_forecast(data: Path) -> None:
    """Check that each call holds the instructions that a forecast counts on, and the conversation so far."""
    known = INSTRUCTIONS[PINNED][Stage.INITIAL]
    [path] = Campaign(data).cassettes.iterdir()
    calls = [record["request"]["messages"] for record in read_recording(path)[0] if record["record_type"] == "mac_call"]
    kinds: list[int] = []
    for messages in calls:
        reported = sum(ctu(message["content"]) for message in messages if message["role"] == "system")
        assert reported in ((known.speaker,) if messages[-1]["role"] == "system" else (known.doctor, known.supervisor))
        kinds.append(reported)
    assert set(kinds) == {known.doctor, known.supervisor, known.speaker}
    assert kinds.count(known.speaker) * 2 == len(kinds)


def _holds_macs_conversation(mac: Path, data: Path) -> None:
    """Check that each trace opens with the case as MAC presents it, and goes on with its four agents."""
    raw = json.loads((mac / "dataset" / FILE_NAME).read_bytes())["Cases"]
    presented = {f"case-{str(case['Case URL']).lower()}": case["Initial Presentation"] for case in raw}
    files = sorted(Campaign(data).traces.iterdir())
    assert len(files) == N_CASES
    for path in files:
        records = read_jsonl(path)
        assert presented[records[0]["case_id"]] in records[0]["content"]
        assert [record["agent_id"] for record in records[:5]] == [
            "supervisor",
            "doctor0",
            "doctor1",
            "doctor2",
            "supervisor",
        ]
        assert "TERMINATE" in records[-1]["content"]
        assert {record["metadata"]["mac_commit"] for record in records} == {PINNED}
        assert [record["metadata"]["stub"] for record in records] == [False] * len(records)
        assert all(record["provider_token_count"] > 0 for record in records[1:])
