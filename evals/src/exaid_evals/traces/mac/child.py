"""One case of MAC in a process of its own: `python -m exaid_evals.traces.mac.child`.

What to do comes as one line of JSON on stdin, which then stays open: when it closes, the parent is gone, and this
process ends with everything that it started. What happens goes out as JSON lines over the pipe that the line names.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import shutil
import signal
import sys
import threading
import time
from argparse import Namespace
from typing import Any, BinaryIO

from exaid_evals.artifacts.ids import case_id_of

_LAST_MOMENT_S = 5


class Events:
    """Reports to the parent process what happens, as it happens: JSON lines over a pipe."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def send(self, **event: Any) -> None:
        """Send one event. Without a parent there is nobody to work for, and the process ends."""
        try:
            # ASCII, so that half a surrogate pair, which a model may write, cannot break the line.
            self._stream.write(json.dumps(event).encode("ascii") + b"\n")
            self._stream.flush()
        except OSError:
            time.sleep(_LAST_MOMENT_S)  # whoever watches for the parent's end tidies up meanwhile, and ends us
            os._exit(1)


class Observer:
    """A logger for autogen that passes on messages of the group chat, and changes nothing.

    Args:
        events: where to.
        manager_type: autogen's class of the group chat's manager.
    """

    def __init__(self, events: Events, manager_type: type) -> None:
        self._events = events
        self._manager_type = manager_type
        self._tokens: dict[str, int] = {}

    def start(self) -> str:
        """Return the session's id, which autogen asks for."""
        return "exaid"

    def stop(self) -> None:
        """Nothing is held open."""

    def get_connection(self) -> None:
        """Return no database: there is none."""

    def log_event(self, source: Any, name: str, **details: Any) -> None:
        """Pass on a message that the group chat's manager has received."""
        if name != "received_message" or not isinstance(source, self._manager_type):
            return
        now = time.monotonic_ns()
        message, sender = details.get("message"), str(details.get("sender"))
        content = message.get("content") if isinstance(message, dict) else message
        self._events.send(
            event="message", name=sender, content=_text(content), tokens=self._tokens.pop(sender, None), t_ns=now
        )

    def log_chat_completion(self, *arguments: Any, **details: Any) -> None:
        """Keep the tokens that the provider reports, for the message that the agent is about to send."""
        # autogen passes these by position: invocation, client, wrapper, agent, request, response, …
        with contextlib.suppress(AttributeError, IndexError, TypeError):
            agent, response = arguments[3], arguments[5]
            tokens = response.usage.completion_tokens
            if isinstance(tokens, int) and tokens >= 0:
                self._tokens[agent.name] = tokens

    def log_new_agent(self, *_arguments: Any, **_details: Any) -> None:
        """Pass over the making of an agent."""

    def log_new_wrapper(self, *_arguments: Any, **_details: Any) -> None:
        """Pass over the making of a client's wrapper."""

    def log_new_client(self, *_arguments: Any, **_details: Any) -> None:
        """Pass over the making of a client."""

    def log_function_use(self, *_arguments: Any, **_details: Any) -> None:
        """Pass over the use of a function: MAC's agents have none."""


def _text(content: Any) -> str:
    """Return a message's text; the parts of one in parts are joined as autogen's group chat joins them."""
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return "" if content is None else str(content)


DATA_SET = "rare_disease_302"
_MAX_REASON = 500


def main() -> int:
    """Run the case that stdin names and return the exit status."""
    task: dict[str, Any] = json.loads(sys.stdin.readline())
    events = Events(os.fdopen(task["events_fd"], "wb"))
    threading.Thread(target=_end_with_parent, args=(task["folder"],), daemon=True).start()
    try:
        _run(task, events)
    except BaseException as error:
        # MAC may raise anything, `sys.exit` included. What it raises says why the case failed.
        events.send(event="error", type=type(error).__name__, text=" ".join(str(error).split())[:_MAX_REASON])
        return 1
    events.send(event="done")
    return 0


def _run(task: dict[str, Any], events: Events) -> None:
    # As `python main.py` in MAC's folder: data set and modules are found there.
    os.chdir(task["mac_dir"])
    sys.path.insert(0, task["mac_dir"])
    autogen = importlib.import_module("autogen")
    logging = importlib.import_module("autogen.runtime_logging")
    logging.start(logger=Observer(events, autogen.GroupChatManager))
    mac = importlib.import_module("main")
    data_set = importlib.import_module("utils").MedDataset(dataname=DATA_SET)
    index = next((n for n in range(len(data_set)) if case_id_of(data_set[n][2]) == task["case_id"]), None)
    if index is None:
        raise LookupError(f"{DATA_SET} holds no {task['case_id']}")
    events.send(event="ready")
    arguments = Namespace(
        num_doctors=task["num_doctors"],
        n_round=task["n_round"],
        stage=task["stage"],
        # Only names of folders under the output folder.
        model_name="model",
        times=1,
    )
    mac.process_single_case(arguments, data_set, index, task["output_dir"], task["model_config"])


def _end_with_parent(folder: str) -> None:
    # The parent holds the other end open as long as it lives, and writes no more. Its temporary files go with it.
    sys.stdin.read()
    shutil.rmtree(folder, ignore_errors=True)
    os.killpg(os.getpgid(0), signal.SIGKILL)


if __name__ == "__main__":
    # Not by way of the interpreter's end, which would wait for whatever threads MAC left behind.
    os._exit(main())
