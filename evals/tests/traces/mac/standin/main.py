"""A conversation of three doctors and a supervisor, one question to the model a turn."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from autogen import Agent, Answer, GroupChatManager, runtime_logging
from utils import MedDataset

ASKED_AGAIN = 1


def process_single_case(
    args: Any, dataset: MedDataset, idx: int, output_dir: str, model_config: dict[str, Any]
) -> None:
    """Conversation about one case, and write the conversation and a report."""
    _, _, url, initial, follow_up = dataset[idx]
    presentation = initial if args.stage == "inital" else follow_up
    folder = Path(output_dir) / "MAC" / args.stage / args.model_name / f"{args.num_doctors}-{args.n_round}" / "1"
    folder.mkdir(parents=True)
    doctors = [Agent(f"Doctor{number}") for number in range(args.num_doctors)]
    supervisor, manager = Agent("Supervisor"), GroupChatManager("chat_manager")
    written: list[dict[str, str]] = []
    cues = ""

    def say(agent: Agent, content: str) -> None:
        manager.receive(content, agent)
        entry = {"content": content, "role": "user", "name": agent.name}
        written.append(entry if agent is not supervisor else {"content": content, "role": "assistant"})

    say(supervisor, presentation)
    for turn in range(args.n_round - 1):
        agent = [*doctors, supervisor][turn % 4]
        content = _ask(agent, written, model_config)
        cues += content
        if "<<hang>>" in content:
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            time.sleep(600)
        if "<<crash>>" in content:
            os.kill(os.getpid(), signal.SIGSEGV)
        if "<<exit>>" in content:
            os._exit(7)
        if "<<raise>>" in content:
            raise RuntimeError("the doctors are on strike")
        if "<<tell>>" in content:
            content += f" {dict(os.environ)} {sys.argv} {model_config}"
        say(agent, content)
        if "TERMINATE" in content:
            break
    if "<<wrong file>>" in cues:
        written[2]["content"] = written[2]["content"].replace("fever", "favor")
    if "<<no file>>" not in cues:
        (folder / f"{url}_conversation.json").write_text(json.dumps(written, indent=4), encoding="utf-8")
    if "<<no report>>" in cues:
        raise IndexError("list index out of range")
    (folder / f"{url}.json").write_text(json.dumps({"Crl": url}), encoding="utf-8")


def _ask(agent: Agent, written: list[dict[str, str]], model_config: dict[str, Any]) -> str:
    [service] = model_config["config_list"]
    body = {
        "model": service["model"],
        "temperature": model_config["temperature"],
        "messages": [{"role": "system", "content": f"You are {agent.name}."}, *written],
    }
    request = urllib.request.Request(  # noqa: S310 - http, on loopback
        f"{service['base_url']}/chat/completions",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {service['api_key']}", "Content-Type": "application/json"},
    )
    for left in range(ASKED_AGAIN, -1, -1):
        try:
            with urllib.request.urlopen(request, timeout=model_config["timeout"]) as response:  # noqa: S310
                answer = json.load(response)
            break
        except urllib.error.HTTPError as error:
            if error.code < 500 or not left:
                raise
    content = answer["choices"][0]["message"]["content"]
    runtime_logging.logger.log_chat_completion(1, 2, 3, agent, body, Answer(answer), 0, 0.0, "now")
    return str(content)
