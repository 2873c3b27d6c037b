"""One case of MAC in a process of its own: `python -m exaid_evals.traces.mac.child`.

What to do comes as one line of JSON on stdin, which then stays open: when it closes, the parent is gone, and this
process ends with everything that it started. What happens goes out as JSON lines over the pipe that the line names.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import signal
import sys
import threading
from argparse import Namespace
from typing import Any

from exaid_evals.artifacts.ids import case_id_of
from exaid_evals.traces.mac.observer import Events, Observer

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
