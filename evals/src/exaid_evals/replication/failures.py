"""Logs of multi-agent runs that failed, each with the step at which it went wrong, as conversations.

The layout of Who-and-When (AG2; S. Zhang et al. 2025): a JSON file a run, alone or in folders by origin, with
`history` (role, content and perhaps name: AutoGen's and Magentic-One's messages), `mistake_agent` and `mistake_step`,
which counts the history from 0. No message has a time, so none is made up.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from exaid_evals.artifacts.content import content_chunks
from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.artifacts.ids import case_id_of
from exaid_evals.errors import DataError
from exaid_evals.traces.importers.timing import NO_DATE
from exaid_evals.traces.model import DECISIVE, Message, Provenance, Trace

NOTE = "logs of failed multi-agent runs with their decisive steps; no time was recorded"
REMEDY = "restore the file from the publication, or leave it out"
UNKNOWN_MODEL = "unknown"
_DOCTORS = ("doctor0", "doctor1", "doctor2")
_LEADS = ("orchestrator", "manager", "human", "user", "chat_manager")
_MEANT = frozenset({"history", "mistake_agent", "mistake_step"})


@dataclass(frozen=True, slots=True)
class FailedRun:
    """One log.

    Attributes:
        case_id: of its folder and file.
        path: the file.
        messages: `(step, speaker, text)` of those that say something.
        step: the decisive one, counted from 0 in the whole history; None where the log names no place of it.
        remark: what keeps the step from being known; empty where nothing does.
        agent: who is responsible, as the log says.
        n_empty: messages without text, which are left out.
        left: names of fields that a trace has no place for.
    """

    case_id: str
    path: Path
    messages: tuple[tuple[int, str, str], ...]
    step: int | None
    remark: str
    agent: str
    n_empty: int
    left: tuple[str, ...]

    @property
    def speaker(self) -> str | None:
        """Who speaks in the decisive step; None where it is empty."""
        return next((speaker for step, speaker, _ in self.messages if step == self.step), None)


def failure_files(folder: Path) -> list[Path]:
    """Return the logs in a folder and in the folders in it, sorted; none where it is laid out otherwise."""
    files = [path for pattern in ("*.json", "*/*.json") for path in folder.glob(pattern) if path.is_file()]
    return sorted(path for path in files if not path.name.startswith("."))


def is_folder_of_failures(folder: Path) -> bool:
    """Whether a folder holds such logs, and is not laid out as a publication."""
    return not any((folder / name).is_dir() for name in ("traces", "runs")) and bool(failure_files(folder))


def read_failures(folder: Path) -> list[FailedRun]:
    """Read every log of a folder.

    Raises:
        DataError: a file is no log, or two hold the same conversation; names file and field.
    """
    runs: list[FailedRun] = []
    seen: dict[str, Path] = {}
    for path in failure_files(folder):
        parts = path.relative_to(folder).with_suffix("").parts
        run = read_failure(path, case_id_of("-".join(parts).replace(" ", "-")))
        content = sha256_structure([list(message) for message in run.messages])
        if content in seen:
            _wrong(path, f"history is a duplicate of that in {seen[content].name}")
        seen[content] = path
        runs.append(run)
    if not runs:
        raise DataError("holds no log", where=str(folder), remedy="name the folder of the JSON files")
    return runs


def read_failure(path: Path, case_id: str) -> FailedRun:
    """Read a log.

    Raises:
        DataError: it is none; names file and field, and the line where the file is no JSON.
    """
    try:
        log = json.loads(b"".join(content_chunks(path)))
    except json.JSONDecodeError as error:
        where = f"{path}:{error.lineno}"
        raise DataError(f"not valid JSON ({error.msg}): it was cut or edited", where=where, remedy=REMEDY) from None
    except ValueError as error:
        _wrong(path, f"not valid JSON ({error})")
    if not isinstance(log, dict) or not isinstance(log.get("history"), list) or not log["history"]:
        _wrong(path, "history is no list of messages")
    history = log["history"]
    step, remark = _step(log.get("mistake_step"), len(history))
    if not isinstance(log.get("mistake_agent"), str):
        _wrong(path, "mistake_agent is not a name")
    messages = [(number, *_message(message, number, path)) for number, message in enumerate(history)]
    spoken = tuple(message for message in messages if message[2].strip())
    left = tuple(sorted(log.keys() - _MEANT))
    return FailedRun(case_id, path, spoken, step, remark, log["mistake_agent"], len(messages) - len(spoken), left)


def to_trace(run: FailedRun) -> Trace:
    """Return the conversation: no time, agents by appearance, speakers and the decisive step in `upstream`."""
    agents = _agents([speaker for _, speaker, _ in run.messages])
    messages = tuple(
        Message(agents[speaker], text, upstream=_upstream(run, step, speaker)) for step, speaker, text in run.messages
    )
    return Trace(run.case_id, NO_DATE, messages, Provenance("", "0" * 40, UNKNOWN_MODEL, stub=False))


def fields_left(runs: Sequence[FailedRun]) -> Counter[str]:
    """Return field → in how many logs a trace has no place for it."""
    return Counter(name for run in runs for name in run.left)


def _upstream(run: FailedRun, step: int, speaker: str) -> dict[str, Any]:
    said = {"step": step, "speaker": speaker}
    return {**said, DECISIVE: True, "mistake_agent": run.agent} if step == run.step else said


def _agents(speakers: Sequence[str]) -> dict[str, str]:
    """Return speaker → agent: who leads is the supervisor, three more are doctors, the others unknown."""
    names = list(dict.fromkeys(speakers))
    leads = [name for name in names if name.casefold().startswith(_LEADS)]
    others = [name for name in names if name not in leads]
    doctors = dict(zip(others, _DOCTORS, strict=False))
    return {name: "supervisor" if name in leads else doctors.get(name, "unknown") for name in names}


def _step(value: object, n_messages: int) -> tuple[int | None, str]:
    """Return the step, or None and why not: annotations are people's, and the conversation is sound without one."""
    text = str(value).strip() if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    if not text.isascii() or not text.isdigit():
        return None, f"mistake_step is {value!r:.40}, which is not a whole number"
    if int(text) >= n_messages:
        return None, f"mistake_step is {text}, and the history has {n_messages} messages, counted from 0"
    return int(text), ""


def _message(message: object, number: int, path: Path) -> tuple[str, str]:
    """Return speaker and text; `Orchestrator (-> WebSurfer)` is the Orchestrator."""
    if not isinstance(message, Mapping):
        _wrong(path, f"history[{number}] is not a message")
    content = message.get("content")
    if not isinstance(content, str):
        _wrong(path, f"history[{number}].content is not text")
    name = message.get("name") or message.get("role")
    if not isinstance(name, str) or not name.strip():
        _wrong(path, f"history[{number}] has neither a name nor a role")
    return name.partition(" (")[0].strip() or name.strip(), content


def _wrong(path: Path, what: str) -> NoReturn:
    raise DataError(what, where=str(path), remedy=REMEDY)
