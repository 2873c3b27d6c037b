"""Logs of multi-agent runs that failed, each with the step at which it went wrong, as conversations.

The layout of Who-and-When (AG2; S. Zhang et al. 2025): a JSON file a run, alone or in folders by origin, with
`history` (role, content and perhaps name: AutoGen's and Magentic-One's messages), `mistake_agent` and `mistake_step`,
which counts the history from 0. No message has a time, so none is made up.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, NoReturn

from exaid_evals.artifacts.hashing import content_chunks, sha256_structure
from exaid_evals.artifacts.ids import case_id_of
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import DataError
from exaid_evals.metrics.records import CaseMetrics, Estimate, VariantMetrics, read_variant_and_cases
from exaid_evals.replication.conclusions import Ordering, orderings
from exaid_evals.replication.page import tested
from exaid_evals.report.document import Block, Document, Grid, Marked, Section, to_markdown
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
        DataError: a file is not a log, or two hold the same conversation; names file and field.
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
    except (ValueError, RecursionError) as error:
        _wrong(path, f"not valid JSON ({error})")
    if not isinstance(log, dict) or not isinstance(log.get("history"), list) or not log["history"]:
        _wrong(path, "history is not a list of messages")
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


MEASURE = "told_by_step"
MEASURE_IT = "run `compute-metrics --extractor words --measures decisive_step` on it"
Measured = tuple[VariantMetrics, list[CaseMetrics]]

_INTRODUCTION = """\
Not only clinicians read along with agents. Here several agents work on a question, fail, and somebody has marked the
step at which they went wrong (Who-and-When, AG2; figures only are quoted). Whoever follows them through a middleware
wants to hear of that step: does an update report it, how soon, and after how much reading?

Nothing here is medical. Concepts are words (`--extractor words`), and of the decisive step those count that nobody had
said before it. `--extractor module:attribute` names an extractor of your own."""

_COMMANDS = """\
    exaid-evals import-campaign DIR --data-dir X
    exaid-evals run-variants --stub --stub-concepts words --data-dir X
    exaid-evals compute-metrics --extractor words --measures decisive_step --data-dir X
    exaid-evals replicate DIR --campaign X --page FILE"""

_READING = """\
*Reported* is the share of the step's new words that some update repeats after they were said; *within* a budget, of
what is read from the beginning of the step on. *Half of it after* is the Kaplan–Meier median of the time until they
are reported, and the CTU until half of them is read (4 characters each); both are means over the logs in which it
comes to that, whose number stands behind. In brackets: 95 % bootstrap intervals over logs."""


def read_measured(campaign: Campaign, runs: Sequence[FailedRun]) -> dict[str, Measured]:
    """Return variant → its measures and those of its cases.

    Raises:
        DataError: nothing was measured there, or not on these logs, or not this.
    """
    files = sorted(campaign.metrics.glob("*.metrics.jsonl"))
    found = {
        path.name.removesuffix(".metrics.jsonl"): path for path in files if not path.name.startswith("comparisons")
    }
    measured = {variant: read_variant_and_cases(path) for variant, path in found.items()}
    if not measured:
        raise DataError("holds no measures", where=str(campaign.root), remedy=MEASURE_IT)
    case_ids = {run.case_id for run in runs}
    for variant, (means, cases) in measured.items():
        if {case.case_id for case in cases} != case_ids:
            raise DataError(
                f"{variant} is of other cases than these logs", where=str(campaign.metrics), remedy=MEASURE_IT
            )
        if MEASURE not in means.measures:
            raise DataError(f"{variant} has no {MEASURE}", where=str(found[variant]), remedy=MEASURE_IT)
    return measured


def failures_page(folder: Path, runs: Sequence[FailedRun], measured: dict[str, Measured]) -> str:
    """Return the whole page."""
    title = "Is the decisive error reported? An example outside medicine"
    return to_markdown(Document(title, list(_parts(folder, runs, measured))))


def step_orderings(measured: dict[str, Measured]) -> list[Ordering]:
    """Test each ordering of two variants by the share that they report."""
    means = {variant: of_variant.measures[MEASURE].mean for variant, (of_variant, _) in measured.items()}
    per_case = {
        variant: {case.case_id: case.measures.get(MEASURE) for case in cases}
        for variant, (_, cases) in measured.items()
    }
    return orderings(MEASURE, means, per_case)


def _parts(folder: Path, runs: Sequence[FailedRun], measured: dict[str, Measured]) -> Iterator[Block]:
    yield Marked(_INTRODUCTION)
    yield Marked(_COMMANDS)
    times = (
        "Means over logs. No log says when anything was said, so that times are those of an assumed speed. The step is "
        "counted from 0; where another speaks in it than the agent who is named responsible, the step counts."
    )
    yield Section("The logs", [origins(folder, runs), times])
    yield Section("What is reported of the decisive step", list(_reported(measured)))
    tests = (
        "Paired over logs: mean difference with its 95 % bootstrap interval, Wilcoxon's signed-rank p adjusted by "
        "Holm, and the logs with which a paired t test finds such a difference with 80 % power."
    )
    heading = ("more is reported by", "difference", "95 % interval", "p (Holm)", "logs needed", "holds")
    rows = [(f"{one.higher} than {one.lower}", *tested(one, "{:.3f}".format)) for one in step_orderings(measured)]
    yield Section("Which differences hold", [tests, Grid([heading, *rows])])


def _reported(measured: dict[str, Measured]) -> Iterator[Block]:
    yield Marked(_READING)
    budgets = sorted(
        int(name.rpartition("_")[2]) for name in next(iter(measured.values()))[0].measures if f"{MEASURE}_at_" in name
    )
    within = (f"within {budget:,} CTU" for budget in budgets)
    heading = ("variant", "reported", *within, "half of it after (s)", "after CTU")
    yield Grid([heading, *(_row(variant, means, budgets) for variant, (means, _) in measured.items())])
    some = next(iter(measured.values()))[0]
    yield Marked(f"`{some.signature}`")
    if some.stub:
        yield Marked(
            "The middleware's model is the stub here, which copies sentences with new words: the numbers show how "
            "gate, trigger and budget work on such logs, and nothing of a real model. A live one goes the same way, by "
            "`run-variants --llm openai`."
        )


def origins(folder: Path, runs: Sequence[FailedRun]) -> Grid:
    """Return a row for each folder of logs: how many, their means over logs, and where their decisive steps are."""
    rows: list[tuple[str, ...]] = [
        ("origin", "logs", "messages", "characters", "decisive step, of all", "said by another")
    ]
    origins = Counter(run.path.parent.relative_to(folder).as_posix() for run in runs)
    for origin in sorted(origins):
        of_origin = [run for run in runs if run.path.parent.relative_to(folder).as_posix() == origin]
        lengths = [sum(len(text) for _, _, text in run.messages) for run in of_origin]
        n_messages = [len(run.messages) + run.n_empty for run in of_origin]
        known = [(run.step, n) for run, n in zip(of_origin, n_messages, strict=True) if run.step is not None]
        places = [step / max(n - 1, 1) for step, n in known]
        others = sum(run.speaker is not None and run.speaker != run.agent for run in of_origin)
        rows.append(
            (
                origin if origin != "." else "–",
                f"{len(of_origin)}",
                f"{sum(n_messages) / len(of_origin):.1f}",
                f"{sum(lengths) / len(of_origin):,.0f}",
                f"{median(step for step, _ in known):g} (median), {sum(places) / len(places):.0%} of the way"
                if known
                else "–",
                f"{others}",
            )
        )
    return Grid(rows)


def _row(variant: str, means: VariantMetrics, budgets: Sequence[int]) -> tuple[str, ...]:
    shares = (MEASURE, *(f"{MEASURE}_at_{budget}" for budget in budgets))
    return (
        variant,
        *(_cell(means.measures[name], 1, 3) for name in shares),
        _cell(means.measures[f"{MEASURE}_delay_ms"], 1e-3, 1, counted=True),
        _cell(means.measures[f"{MEASURE}_ctu"], 1, 0, counted=True),
    )


def _cell(estimate: Estimate, scale: float, decimals: int, *, counted: bool = False) -> str:
    if estimate.mean is None:
        return "–"
    texts = [
        "–" if value is None else f"{value * scale:,.{decimals}f}"
        for value in (estimate.mean, estimate.ci95_low, estimate.ci95_high)
    ]
    n = f", {estimate.n}" if counted else ""
    return f"{texts[0]} [{texts[1]}, {texts[2]}]{n}"
