"""Other programs and their people: providers of models, W&B, MAC's checkout, trainings that recover, the machine."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from exaid_evals.clients.endpoint import endpoint_of
from exaid_evals.clients.openai_client import OpenAIClient
from exaid_evals.clients.registry import build_client, build_recorded, check_client
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.variant import LLMConfig, RetryConfig, SummarizerConfig
from exaid_evals.errors import ConfigError
from exaid_evals.monitor.alert_channels import MailChannel, _check
from exaid_evals.monitor.environment import secret
from exaid_evals.monitor.recovery.alarm import Ranking
from exaid_evals.monitor.recovery.checkpoints import CheckpointStore
from exaid_evals.monitor.recovery.journal import Journal
from exaid_evals.monitor.recovery.state_file import check_state, read_state
from exaid_evals.monitor.recovery.system import _anomaly, _require_same_form
from exaid_evals.monitor.recovery.training_state import TrainingState, part_of
from exaid_evals.monitor.settings import EmailConfig, load_experiment_config, monitoring_of
from exaid_evals.runs.files.wandb_api import server_of
from exaid_evals.runs.files.wandb_online import _path
from exaid_evals.traces.mac.prepare import require_mac
from remedies.rows import Row, file
from servers.scripted import FINE, REQUEST, server

ENDPOINT = endpoint_of("openai", {"OPENAI_API_KEY": "test-key-0123456789"})
CONFIG = LLMConfig(client="openai", stream=False, retry=RetryConfig(max_attempts=1))


def asked(
    status: int = 200, body: Any = FINE, *, kind: str = "application/json", **config: Any
) -> Callable[[], object]:
    """Return a call of a server that answers so."""

    def do() -> object:
        answer = body if isinstance(body, bytes) else json.dumps(body).encode()
        with server(lambda _path, _body: (status, kind, answer)) as (url, _):
            endpoint = endpoint_of("openai", {"OPENAI_API_KEY": "test-key-0123456789", "OPENAI_BASE_URL": f"{url}/v1"})
            return OpenAIClient(CONFIG.model_copy(update=config), endpoint).complete(REQUEST)

    return do


def refused(remedy: str, status: int, body: Any = None, **config: Any) -> Row:
    """Return the row of a server's refusal, which the server then takes back."""
    return Row(remedy, asked(status, body or {"error": {"message": "no"}}, **config), asked())


def replaying(**llm: Any) -> object:
    """Build the client whose recorded answers are replayed."""
    config = SummarizerConfig.model_validate({"llm": {"client": "replay", **llm}})
    return build_recorded(config, read_concepts=lambda texts: [frozenset() for _ in texts], reader_id="")


def replayed() -> None:
    """Look whether recordings can be replayed."""
    config = SummarizerConfig.model_validate({"llm": {"client": "replay"}})
    client = build_client(config, read_concepts=lambda texts: [frozenset() for _ in texts], reader_id="")
    check_client(config, client, Campaign(Path("data").resolve()))


PROVIDERS = [
    refused("set {} to a key that this server accepts", 401),
    refused(
        "name a model that it has in place of {}, as `model` under `llm` in summarizer.yaml or with --model; or "
        "correct the base URL",
        404,
    ),
    refused("correct what the server's message says, or name another model with --model", 400),
    refused("correct what the server's message says, or name another model with --model", 418),
    refused(
        "the account has no quota left: raise it, and go on",
        429,
        {"error": {"code": "insufficient_quota", "message": ""}},
    ),
    refused("run the same command again later, with fewer --jobs, or with other limits under llm.retry", 503),
    Row("write `stream: false` under `llm`", asked(stream=True), asked()),
    Row("check the base URL and the model", asked(body={"a": 1}, stream=True), asked()),
    Row(
        "check the base URL: it ends in /v1 on most servers", asked(body=b"<p>", kind="text/html", stream=True), asked()
    ),
    Row(
        "name the client that was recorded, such as openai",
        lambda: replaying(recorded="stub"),
        lambda: replaying(recorded="openai"),
    ),
    Row(
        "name the client that was recorded, such as openai",
        lambda: replaying(recorded="replay"),
        lambda: replaying(recorded="openai"),
    ),
    Row(
        "bring the folder here, or record some with {}",
        replayed,
        does=(lambda: Path("data/cassettes").mkdir(parents=True),),
    ),
    Row(
        "keep keys in the environment",
        lambda: OpenAIClient(CONFIG.model_copy(update={"model": "test-key-0123456789"}), ENDPOINT).check(),
        lambda: OpenAIClient(CONFIG, ENDPOINT).check(),
    ),
]
WANDB = {"WANDB_API_KEY": "k" * 40}


def wandb(**environment: str) -> Callable[[], object]:
    """Return the address of W&B's server under an environment."""
    return lambda: server_of(environment)


OF_WANDB = [
    Row("set {} and try again (netrc is not read)", wandb(), wandb(**WANDB)),
    Row("set it again, without quotes", wandb(WANDB_API_KEY="'a key'"), wandb(**WANDB)),
    Row(
        "write it as https://host:port, without user, password and question mark",
        wandb(**WANDB, WANDB_BASE_URL="host"),
        wandb(**WANDB, WANDB_BASE_URL="https://host:443"),
    ),
    Row("set it to 19, say", wandb(**WANDB, WANDB_HTTP_TIMEOUT="soon"), wandb(**WANDB, WANDB_HTTP_TIMEOUT="19")),
    Row(
        "name a file of certificates in PEM, or unset it",
        wandb(**WANDB, REQUESTS_CA_BUNDLE="nothing"),
        wandb(**WANDB),
    ),
    Row(
        "write all three parts, or set {} and {}",
        lambda: _path("run", server_of(WANDB)),
        lambda: _path("entity/project/run", server_of(WANDB)),
    ),
]


def git(*arguments: str) -> None:
    """Run git in the folder `mac`."""
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run(["git", "-C", "mac", *who, *arguments], check=True, capture_output=True)


def repository() -> None:
    """Make a checkout with two commits."""
    Path("mac").mkdir()
    Path("mac/main.py").write_text("1\n")
    git("init", "-q")
    for number in "12":
        Path("mac/main.py").write_text(f"{number}\n")
        git("add", "-A")
        git("commit", "-qm", number)


def commit(name: str) -> str:
    """Return a commit of the checkout."""
    return subprocess.run(
        ["git", "-C", "mac", "rev-parse", name], check=True, capture_output=True, text=True
    ).stdout.strip()


PINNED = "pinned"


def required() -> object:
    """Look whether MAC is at the commit that is pinned."""
    return require_mac(Path("mac"), Path(PINNED).read_text())


def as_reported() -> None:
    """Do what the message says, to the letter."""
    try:
        required()
    except ConfigError as error:
        subprocess.run(shlex.split(error.remedy or ""), check=True, capture_output=True)


OF_MAC = [
    Row(
        "git -C {} checkout --detach {}",
        required,
        before=lambda: (repository(), Path(PINNED).write_text(commit("HEAD~1"))),
        does=(as_reported,),
    ),
    Row(
        "git -C {} stash --include-untracked",
        required,
        before=lambda: (
            repository(),
            git("config", "user.name", "x"),
            git("config", "user.email", "x@example.org"),
            Path(PINNED).write_text(commit("HEAD")),
            Path("mac/more.py").write_text(""),
        ),
        does=(as_reported,),
    ),
    Row(
        "initialise the submodule again, or name another checkout with --mac-dir",
        required,
        before=lambda: (
            Path("mac/.git").mkdir(parents=True),
            Path("mac/main.py").write_text("1\n"),
            Path(PINNED).write_text("x"),
        ),
        does=(lambda: (shutil.rmtree("mac"), repository(), Path(PINNED).write_text(commit("HEAD"))),),
    ),
    Row(
        "name a git checkout of MAC with --mac-dir",
        required,
        before=lambda: (Path("mac").mkdir(), Path("mac/main.py").write_text("1\n"), Path(PINNED).write_text("x")),
        does=(lambda: (shutil.rmtree("mac"), repository(), Path(PINNED).write_text(commit("HEAD"))),),
    ),
    Row(
        "initialise the submodule (`git submodule update --init third_party/mac`), or name a checkout of MAC with "
        "--mac-dir or EXAID_MAC_DIR",
        lambda: require_mac(None, commit("HEAD")),
        lambda: require_mac(Path("mac"), commit("HEAD")),
        before=repository,
    ),
]


class Model:
    """What has a state."""

    def __init__(self, **state: Any) -> None:
        self.state = state

    def state_dict(self) -> dict[str, Any]:
        """Return it."""
        return self.state

    def load_state_dict(self, state: Any) -> None:
        """Take it."""
        self.state = dict(state)


def state(remedy: str, wrong: Any) -> Row:
    """Return the row of what cannot be kept in a checkpoint."""
    return Row(remedy, lambda: check_state({"a": wrong}), lambda: check_state({"a": np.zeros(2)}))


def deep() -> list[Any]:
    """Return a list that holds itself."""
    held: list[Any] = []
    held.append(held)
    return held


def journal(remedy: str, content: str | None, *, resume: bool = False, **more: Any) -> Row:
    """Return the row of a folder with a journal."""
    return Row(
        remedy,
        lambda: Journal(Path("a"), resume=resume),
        lambda: Journal(Path("b"), resume=resume),
        files={} if content is None else {f"a/{JOURNAL}": content},
        **more,
    )


JOURNAL = "recovery.jsonl"
RECORD = '{"record_type": "action", "counted": true, "index": 0}\n'
TRAININGS = [
    state("leave it out of state_dict(), which may hold arrays, numbers, texts, lists and mappings", object()),
    state("hold its data and its mask", np.ma.masked_array([1], [True])),
    state("hold plain numbers", np.array([object()])),
    state("flatten it", deep()),
    Row("use texts or numbers", lambda: check_state({(1, 2): 3}), lambda: check_state({"1, 2": 3})),
    Row(
        "it was not written by this program; remove it",
        lambda: [read_state(path.read_bytes(), path.name) for path in Path().glob("*.ckpt")],
        files={"a.ckpt": "x"},
        then={"a.ckpt": None},
    ),
    Row(
        "give an object with state_dict() and load_state_dict(), or a generator of random numbers",
        lambda: part_of(5, "rng"),
        lambda: part_of(np.random.default_rng(1), "rng"),
    ),
    Row(
        "give an object with state_dict() and load_state_dict()",
        lambda: TrainingState(5),
        lambda: TrainingState(Model(a=1.0)),
    ),
    Row(
        "give type and severity ({})",
        lambda: _anomaly({"kind": "spike", "severity": "odd"}, 1.0),
        lambda: _anomaly({"kind": "spike", "severity": "high"}, 1.0),
    ),
    Row(
        "give the state of the model whose checkpoints these are",
        lambda: _require_same_form({"a": 1}, {"b": 1}, "m"),
        lambda: _require_same_form({"a": 1}, {"a": 2}, "m"),
    ),
    Row(
        "name it as in the first run", lambda: Ranking(None, {}, resume=True), lambda: Ranking("loss", {}, resume=True)
    ),
    Row(
        "say it under anomaly_detection.directions, or as direction=",
        lambda: Ranking("odd", {}, resume=False),
        lambda: Ranking("odd", {"odd": "higher"}, resume=False),
    ),
    Row(
        "name another folder, or set resume: true if this is the same training",
        lambda: CheckpointStore(Path("a"), 3, larger_is_worse=True),
        lambda: CheckpointStore(Path("a"), 3, larger_is_worse=True, resume=True),
        files={"a/checkpoint-000001.json": "{}"},
    ),
    journal("name another folder, remove the journal, or set resume: true if this is the same training", RECORD),
    journal("remove the line, or name another checkpoint_dir", "x\n", resume=True),
    journal(
        "move it away, or name another checkpoint_dir",
        None,
        before=lambda: (Path("a").mkdir(), Path("a", JOURNAL).symlink_to("/etc/hosts")),
    ),
    file(
        "write ${NAME}, the environment variable, as a value",
        lambda: load_experiment_config(Path("c.yaml")),
        "c.yaml",
        "https://hooks.example.org/T0/B0/x: 1\n",
        "experiment_name: x\n",
    ),
    Row("give the path of experiment_config.yaml, or a mapping", lambda: monitoring_of(5), lambda: monitoring_of({})),
    Row("set {} in the environment", lambda: secret("${NO_HOOK}", "alerts"), environment={"NO_HOOK": "x"}),
    Row(
        "copy the webhook's address into it",
        lambda: _check("x", "HOOK", allow_private=False),
        lambda: _check(HOOK, "HOOK", allow_private=False),
    ),
    Row(
        "use a public address, or set alerts.allow_private_addresses: true",
        lambda: _check("https://10.0.0.1/x", "HOOK", allow_private=False),
        lambda: _check("https://10.0.0.1/x", "HOOK", allow_private=True),
    ),
    Row(
        "use the https address, for whoever reads it on the way can post too",
        lambda: _check(HOOK.replace("https", "http"), "HOOK", allow_private=False),
        lambda: _check(HOOK, "HOOK", allow_private=False),
    ),
    Row("name a file in PEM form", lambda: mailed("c.pem"), lambda: mailed(None), files={"c.pem": "x"}),
]
HOOK = "https://hooks.example.org/x"


def mailed(ca_file: str | None) -> object:
    """Prepare a channel of mails."""
    where = {"host": "mail.example.org", "sender": "a@example.org", "recipients": ["b@example.org"]}
    return MailChannel(EmailConfig.model_validate(where | ({"ca_file": ca_file} if ca_file else {})), 1.0)


ROWS = [*PROVIDERS, *OF_WANDB, *OF_MAC, *TRAININGS]
