"""Ways to run stage 01 on the stand-in for MAC."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.jsonl import read_jsonl
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.mas_generation import DatasetConfig, MacModelConfig, MasGenerationConfig
from exaid_evals.config.requests import TracesRequest
from exaid_evals.traces.generate import Result, make_traces
from exaid_evals.traces.plan import Plan, Settings, plan_traces
from traces.mac.provider import Asked, Provider, Says, Script, conversation

KEY = "sk-test-Zm9vYmFyL2Jhei8rcXV4+/=?&%42"
CASES = ("case-1002", "case-1003", "case-pmc1001")
SOURCE = Path(__file__).resolve().parents[3] / "src"
_STANDIN = Path(__file__).resolve().parent / "standin"


@dataclass(frozen=True)
class Checkout:
    """A folder of MAC that is a git checkout."""

    folder: Path
    commit: str


def check_out(folder: Path) -> Checkout:
    """Make a checkout of the stand-in."""
    shutil.copytree(_STANDIN, folder, ignore=shutil.ignore_patterns("__pycache__"))
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "stand-in")
    return Checkout(folder, git(folder, "rev-parse", "HEAD"))


def git(folder: Path, *arguments: str) -> str:
    """Run git as nobody in particular."""
    somebody = {
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "A"), ("EMAIL", "a@b.c"), ("DATE", "2024-12-19T12:00:00Z"))
    }
    command = ["git", "-c", "commit.gpgsign=false", "-c", "core.hooksPath=", *arguments]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **somebody}, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def settings(mac: Checkout, **live: Any) -> dict[str, Any]:
    """Return the content of mas_generation.yaml."""
    retry = {"attempts": 2, "backoff_s": 0.01} | live.pop("retry", {})
    return {"mac": {"commit": mac.commit}, "live": {"time_limit_s": 30, "retry": retry, **live}}


def planned(
    folder: Path,
    mac: Checkout,
    base_url: str = "http://127.0.0.1:9/v1",
    *,
    cases: tuple[str, ...] = CASES,
    dataset: dict[str, Any] | None = None,
    live: dict[str, Any] | None = None,
    model: str = "gpt-4o-mini",
    key: str = KEY,
    **more: Any,
) -> Plan:
    """Plan the stage; without a base URL nobody answers."""
    wanted = Settings(
        TracesRequest(data_dir=folder, cases=cases, **more),
        DatasetConfig.model_validate({"source": "mac", **(dataset or {})}),
        MasGenerationConfig.model_validate(settings(mac, **(live or {}))),
        model=MacModelConfig(model=model),
        mac_dir=mac.folder,
        environment={"OPENAI_API_KEY": key, "OPENAI_BASE_URL": base_url} if key else {},
    )
    return plan_traces(wanted)


def made(
    folder: Path,
    mac: Checkout,
    base_url: str = "http://127.0.0.1:9/v1",
    *,
    jobs: int = 2,
    cluster: str | None = None,
    **more: Any,
) -> Result:
    """Run the stage."""
    return make_traces(planned(folder, mac, base_url, **more), jobs=jobs, cluster=cluster)


def replayed(folder: Path, recorded: Path, mac: Checkout, **more: Any) -> Result:
    """Run the stage in an empty campaign that has the other one's recordings, without key and network."""
    shutil.copytree(recorded / "cassettes", folder / "cassettes")
    return made(folder, mac, key="", llm="replay", **more)


def said(folder: Path, case_id: str) -> list[tuple[str, str]]:
    """Return who said what in a case."""
    records = read_jsonl(Campaign(folder).trace_file(case_id))
    return [(record["agent_id"], record["content"]) for record in records]


def cue(case_id: str, n_said: int, word: str) -> Script:
    """Return a script that puts a cue into one answer about one case."""

    def script(asked: Asked, before: int) -> Says:
        says = conversation(asked, before)
        if about(asked) == case_id and asked.n_said == n_said:
            return Says(f"{says.content} {word}")
        return says

    return script


def about(asked: Asked) -> str:
    """Return the case that a request is about."""
    return "case-" + asked.text.split("Case ", 1)[1].split(":", 1)[0].lower()


def command_line(tmp_path: Path, mac: Checkout, *arguments: str, **live: Any) -> list[str]:
    """Return the command that runs the stage on the three cases, with configurations of its own."""
    configs = tmp_path / "configs"
    configs.mkdir(exist_ok=True)
    (configs / "dataset.yaml").write_text("source: mac\n", encoding="utf-8")
    (configs / "mas_generation.yaml").write_text(json.dumps(settings(mac, **live)), encoding="utf-8")
    (configs / "mac_model_config.json").write_text('{"model": "gpt-4o-mini"}', encoding="utf-8")
    places = ["--config-dir", str(configs), "--mac-dir", str(mac.folder), "--cases", ",".join(CASES)]
    return [sys.executable, "-m", "exaid_evals", "make-traces", *places, *arguments]


def environment(provider: Provider | None, **more: str) -> dict[str, str]:
    """Return the environment of a command."""
    service = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": provider.base_url} if provider else {}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "GOOGLE_"))}
    return {**kept, "PYTHONPATH": str(SOURCE), **service, **more}


def children(mac: Checkout) -> list[int]:
    """Return the processes that work in MAC's folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").resolve() == mac.folder and (process / "cmdline").read_bytes():
                found.append(int(process.name))
        except OSError:
            continue
    return found
