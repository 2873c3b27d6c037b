"""Live runs through the command line: killed and continued, full of secrets, refused where they must be."""

from __future__ import annotations

import base64
import gzip
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
import yaml

from conversations import conversation, freeze
from exaid_evals.cli import main
from exaid_evals.clients.cassette import read_cassette
from exaid_evals.config.campaign import Campaign, configs_dir
from folders import contents
from servers.openai_server import Answer, Fail, OpenAIServer, Received, default_answer

EVALS = Path(__file__).resolve().parents[2]
CONVERSATIONS = [
    conversation(
        *(f"Patient {number}: evidence {turn} of splenomegaly. We should order imaging." for turn in range(5)),
        case_id=f"case-{number}",
    )
    for number in range(2)
]
STEADY = "servers.steady_client:build"
KEY = "sk-planted/KEY+0123456789abcdef"
SECRETS = {
    "OPENAI_API_KEY": KEY,
    "GOOGLE_API_KEY": "AIza-planted-google-key-0123456789",
    "user": "planteduser1",
    "password": "planted/pass+word",
    "query": "plantedquery=token",
}


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    """Return a folder of configurations with quick retries and a reader that loads nothing."""
    folder = tmp_path / "configs"
    shutil.copytree(configs_dir(), folder)
    change(folder, "llm", retry={"max_attempts": 3, "base_s": 0.01, "max_wait_s": 0.02}, timeout_s=5.0)
    change(folder, "stub", concepts="conversations:build_words")
    return folder


def change(configs: Path, section: str, **values: object) -> None:
    """Change values of summarizer.yaml."""
    path = configs / "summarizer.yaml"
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    settings[section] |= values
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")


def command(*arguments: str) -> list[str]:
    """Return the command line of a verb."""
    return [sys.executable, "-m", "exaid_evals", *arguments]


def environment(server: OpenAIServer | None, **others: str) -> dict[str, str]:
    """Return an environment that knows a server, and nothing of the user's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "GOOGLE_", "EXAID_"))}
    paths = {"PYTHONPATH": os.pathsep.join([str(EVALS / "src"), str(EVALS / "tests")])}
    live = {"OPENAI_API_KEY": "test-key-0123456789", "OPENAI_BASE_URL": server.base_url} if server else {}
    return {**kept, **paths, **live, **others}


def run(*arguments: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a verb."""
    return subprocess.run(command(*arguments), env=env, capture_output=True, text=True, timeout=120, check=False)


def n_recorded(campaign: Campaign) -> int:
    """Return how many calls a campaign's cassettes hold."""
    return sum(len(read_cassette(path)[0]) for path in campaign.cassettes.glob("eval-*"))


def kill_after(n_more: int, server: OpenAIServer, arguments: list[str], env: Mapping[str, str]) -> None:
    """Start a run and kill it without warning once the server has been asked so many times more."""
    begun = len(server.requests)
    with subprocess.Popen(
        command(*arguments), env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while len(server.requests) < begun + n_more and process.poll() is None:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)


@pytest.mark.slow
def test_a_killed_run_goes_on_without_a_call_made_twice(tmp_path: Path, configs: Path) -> None:
    """Killed at random points, it ends with the files of an uninterrupted run; only calls under way were lost."""
    whole, cut = freeze(tmp_path / "whole", CONVERSATIONS), freeze(tmp_path / "cut", CONVERSATIONS)
    jobs = 3
    rng = random.Random(7)  # noqa: S311 - not for secrets
    options = ["--config-dir", str(configs), "--llm", STEADY, "--jobs", str(jobs)]
    with OpenAIServer(latency_s=0.01) as server:
        env = environment(server)
        done = run("run-variants", "--data-dir", str(whole.root), *options, env=env)
        assert done.returncode == 0, done.stderr
        n_calls = len(server.requests)
        assert n_recorded(whole) == n_calls > 30
        for _ in range(3):
            before_server, before_recorded = len(server.requests), n_recorded(cut)
            kill_after(
                rng.randrange(1, n_calls // 6),
                server,
                ["run-variants", "--data-dir", str(cut.root), *options],
                env,
            )
            time.sleep(0.5)  # for requests under way to be noted
            asked, recorded = len(server.requests) - before_server, n_recorded(cut) - before_recorded
            assert asked - jobs <= recorded <= asked
        left = n_calls - n_recorded(cut)
        before = len(server.requests)
        done = run("run-variants", "--data-dir", str(cut.root), *options, env=env)
        assert (done.returncode, len(server.requests) - before) == (0, left), done.stderr
    assert 0 < left < n_calls
    assert contents(cut.runs) == contents(whole.runs)
    assert contents(cut.cassettes) == contents(whole.cassettes)
    assert contents(cut.state) == contents(whole.state)


@pytest.mark.slow
def test_an_interruption_keeps_what_was_paid_for(tmp_path: Path, configs: Path) -> None:
    """Ctrl-C waits for the calls under way, records them, and ends with 130; nothing asked is lost."""
    campaign = freeze(tmp_path / "data", CONVERSATIONS)
    arguments = ["run-variants", "--data-dir", str(campaign.root), "--config-dir", str(configs)]
    with OpenAIServer(latency_s=0.05) as server:
        with subprocess.Popen(
            command(*arguments, "--llm", "openai", "-j", "3"), env=environment(server), stderr=subprocess.PIPE
        ) as process:
            while len(server.requests) < 10 and process.poll() is None:
                time.sleep(0.001)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        assert (process.returncode, b"interrupted" in errors) == (130, True), errors
        assert n_recorded(campaign) == len(server.requests)


@pytest.mark.slow
def test_the_documented_session(tmp_path: Path, configs: Path) -> None:
    """Live within a budget (3), going on (0), replay without a key elsewhere (0), all valid (0), the same logs."""
    live, again = freeze(tmp_path / "live", CONVERSATIONS), freeze(tmp_path / "again", CONVERSATIONS)
    options = ["--config-dir", str(configs), "--model", "m-7"]
    with OpenAIServer() as server:
        env = environment(server, EXAID_DATA_DIR=str(live.root), EXAID_JOBS="3")
        cut = run("run-variants", "--llm", "openai", "--max-calls", "20", *options, env=env)
        assert cut.returncode == 3
        assert "the budget of 20 calls is used up; the same command goes on from here" in cut.stderr
        assert "20 requests to the model" in cut.stdout
        rest = run("run-variants", "--llm", "openai", *options, env=env)
        assert rest.returncode == 0, rest.stderr
    shutil.copytree(live.cassettes, again.cassettes)
    env = environment(None, EXAID_DATA_DIR=str(again.root))
    replayed = run("run-variants", "--llm", "replay", *options, env=env)
    assert replayed.returncode == 0, replayed.stderr
    assert "requests to the model" not in replayed.stdout
    assert contents(again.runs) == contents(live.runs)
    checked = run("validate", env=env)
    assert (checked.returncode, "all valid" in checked.stdout) == (0, True), checked.stdout


def test_what_cannot_work_is_refused_before_any_work(
    tmp_path: Path, configs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No key, stub mode and a live client at once, no recordings: exit status 2, and nothing is written."""
    campaign = freeze(tmp_path / "data", CONVERSATIONS)
    verb = ["run-variants", "--data-dir", str(campaign.root), "--config-dir", str(configs)]
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    for arguments, reported in (
        (["--llm", "openai"], "OPENAI_API_KEY"),
        (["--llm", "openai", "--stub"], "stub mode"),
        (["--llm", "replay"], "no recordings here"),
    ):
        assert main.run([*verb, *arguments]) == 2
        assert reported in capsys.readouterr().err
    assert not campaign.runs.exists()


def forms_of(secret: str) -> Iterator[bytes]:
    """Yield every way in which a secret could be written: raw, URL-encoded, and base64 at each of three offsets."""
    raw = secret.encode()
    yield from (
        raw,
        quote(secret).encode(),
        quote(secret, safe="").encode(),
        quote_plus(secret).encode(),
        raw.hex().encode(),
    )
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + raw)
        yield encoded[4 if offset else 0 : (offset + len(raw)) // 3 * 4]
        yield base64.urlsafe_b64encode(b"\0" * offset + raw)[4 if offset else 0 : (offset + len(raw)) // 3 * 4]


def leaks(*texts: bytes) -> list[str]:
    """Return the names of the secrets that stand in any text, in any form."""
    return [
        name for name, secret in SECRETS.items() if any(form in text for form in forms_of(secret) for text in texts)
    ]


def echo(received: Received) -> str:
    """Say back everything secret that a request can bring, written in several ways."""
    header = received.headers["authorization"]
    token = header.split()[1]
    with_userinfo = header.startswith("Basic")  # a user and a password that nobody told the client are not secrets
    every = " ".join(SECRETS[name] for name in SECRETS if with_userinfo or name not in ("user", "password"))
    encoded = base64.b64encode(f"x {every} y".encode()).decode()
    return f"{header} {token} {received.path} {every} {quote(every, safe='')} {encoded}"


def echoing_summary(received: Received) -> str:
    """Answer a summary with a key in a field, and a trigger in good order."""
    answer = default_answer(received)
    return answer.replace('"None stated."', f'"your key is {KEY}, {base64.b64encode(KEY.encode()).decode()}"')


DEBUGGING = "import logging; logging.basicConfig(level=logging.DEBUG); import exaid_evals.cli.main as m; m.main()"


@pytest.mark.slow
@pytest.mark.parametrize("with_userinfo", [True, False])
def test_no_secret_gets_out(tmp_path: Path, configs: Path, with_userinfo: bool) -> None:
    """None is in any file or output, raw or encoded.

    They are in the environment and in the base URL, errors and answers echo them, and every logger is at debug level.
    """
    campaign = freeze(tmp_path / "data", CONVERSATIONS)
    steps = {0: Fail(500, echo), 2: Fail(429, echo), 4: Fail(400, echo), 5: Fail(413, echo), 30: Fail(401, echo)}
    seen: list[str] = []

    def misbehave(received: Received, number: int) -> Answer | Fail:
        seen.append(received.headers["authorization"] + received.path)
        return steps.get(number) or Answer()

    with OpenAIServer(misbehave, answer=echoing_summary) as server:
        user = f"{quote(SECRETS['user'])}:{quote(SECRETS['password'], safe='')}@" if with_userinfo else ""
        url = f"http://{user}127.0.0.1:{server.port}/v1?token={quote(SECRETS['query'], safe='')}"
        env = environment(
            server,
            OPENAI_API_KEY=KEY,
            GOOGLE_API_KEY=SECRETS["GOOGLE_API_KEY"],
            OPENAI_BASE_URL=url,
            OPENAI_LOG="debug",
            HTTPX_LOG_LEVEL="trace",
        )
        verb = ["run-variants", "--data-dir", str(campaign.root), "--config-dir", str(configs), "--llm", "openai"]
        outputs = []
        for _ in range(2):  # the first ends with a 401, the second goes on
            done = subprocess.run(
                [sys.executable, "-c", DEBUGGING, *verb, "--debug"],
                env=env,
                capture_output=True,
                timeout=120,
                check=False,
            )
            outputs += [done.stdout, done.stderr]
            assert done.returncode in (0, 3), done.stderr
    # The test can fail: the server did get the secrets, and what it said held them.
    sent = base64.b64encode(f"{SECRETS['user']}:{SECRETS['password']}".encode()).decode() if with_userinfo else KEY
    assert all(sent in header for header in seen)
    assert set(leaks(echo(server.requests[0]).encode())) >= {"OPENAI_API_KEY", "GOOGLE_API_KEY", "query"}
    written = [
        gzip.decompress(data) if name.endswith(".gz") else data for name, data in contents(campaign.root).items()
    ]
    assert any(b"your key is [redacted]" in text for text in written)
    for reported in (b"HTTP 401", b"HTTP 413", b"[redacted]"):
        assert any(reported in text for text in outputs)
    assert leaks(*outputs, *written) == []


def test_no_secret_of_a_wrong_configuration_is_shown(
    tmp_path: Path, configs: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A key in the wrong place, or a server that is not there, is an error that does not show it."""
    campaign = freeze(tmp_path / "data", CONVERSATIONS[:1])
    verb = ["run-variants", "V2", "--data-dir", str(campaign.root), "--config-dir", str(configs), "--llm", "openai"]
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    url = f"http://{SECRETS['user']}:{quote(SECRETS['password'], safe='')}@127.0.0.1:9/v1?token={SECRETS['query']}"
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    statuses = [main.run(verb)]
    for key in ("model", "timeout_s", "api_key", "response_format"):
        change(configs, "llm", **{key: KEY})
        statuses.append(main.run(verb))
        shutil.copy(configs_dir() / "summarizer.yaml", configs / "summarizer.yaml")
    monkeypatch.setenv("OPENAI_BASE_URL", url.replace("http:", "htp:"))
    statuses.append(main.run(verb))
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY} {KEY}")
    statuses.append(main.run(verb))
    assert statuses == [3, 2, 2, 2, 2, 2, 2]
    output = "".join(capfd.readouterr())
    assert "no connection to http://127.0.0.1:9/v1" in output
    assert leaks(output.encode()) == []
