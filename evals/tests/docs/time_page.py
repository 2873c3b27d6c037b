"""docs/time.md: how the order of variants depends on the speed at which text is taken to arrive.

`python evals/tests/docs/time_page.py` writes it. The first table is of stub conversations; the second, written where
`../shared/external/exaim` is present and kept as it stands where it is not, of the recorded streams there, as numbers.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from textwrap import fill

from numpy import percentile

if __name__ == "__main__":  # as a script; a test imports it with evals/tests on the path
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from exaid_evals.clients.base import LLMClient
from exaid_evals.concepts.base import CachedExtractor
from exaid_evals.concepts.registry import load_extractor
from exaid_evals.config.campaign import configs_dir
from exaid_evals.config.mas_generation import MasGenerationConfig
from exaid_evals.config.variant import StreamConfig, SummarizerConfig, load_variants
from exaid_evals.metrics.measures.timeliness import concept_delay_ms, concept_delay_rmst, time_to_first_update_ms
from exaid_evals.metrics.observe import observe_case
from exaid_evals.replay.eval_run import eval_run, run_case
from exaid_evals.replay.working import make_client
from exaid_evals.traces.model import Message, Provenance, Trace
from exaid_evals.traces.stub.generator import StubSource
from small_cases import load

ROOT = Path(__file__).resolve().parents[3]
EXTERNAL = ROOT.parent / "shared" / "external" / "exaim" / "traces"
TARGET = ROOT / "docs" / "time.md"
COMMAND = "python evals/tests/docs/time_page.py"
N_CASES = 4
SPEEDS = (40, 120, 345, 1000)
VARIANTS = ("V0", "V1")
_PROVENANCE = Provenance("mas-0123456789abcdef", "0" * 40, "recorded", stub=True)
_EPOCH = "2024-12-19T12:00:00Z"
_LEAST_MS = 500
"""Of a message: a shorter one says little of its speed."""
_AGENTS = ("doctor0", "doctor1", "doctor2", "supervisor")
_TEXT = """\
<!-- Made by `{command}`; do not edit. -->

# Time: recorded, or assumed

How long a clinician waits is measured on the clock of the conversation. Where a trace says when its text arrived,
replay uses that, and shifts none of it. Where it does not, text arrives one message after the other at
`stream.chars_per_second` of `configs/summarizer.yaml`, and every delay, first update and timer flush is that of an
assumption. This page shows how much of one: the same conversations, once with their recorded times and once without
them, at several assumed speeds, under V0 (the clinician reads every message) and V1 (an update every 500 CTU).

The model is the stub in all of it, so that V1's latency is the configured one, and concepts are those of the lexicon.
Of others are the conversations of the second half and the moments at which their text arrived; the first half is made
by this project alone, and says nothing of how people or models really type.

Where messages overlap, as those of agents that work side by side do, each is heard at its own times. The gates
`message` and `token_gate`, which hold one message at a time, hear each for itself; any other gets the words of both as
they come. A flush is one range of the text: where a gate lets parts of several messages go at once, each part is a
flush of the same moment, and one decision is made of them.

`Delay p50` is the median over the concepts that an update states of the time from their first mention to it;
`restricted mean` is over all concepts, up to 60 s, with those that are never reported. Both are means over cases;
`V0 sooner` counts the cases in which its `Delay p50` is the shorter one.

## Stub conversations

{n} conversations of the stub generator, which types at about 80 characters a second and pauses.

{stub}

## Recorded streams

{recorded}

## What follows

V0 waits for the end of a message, V1 for 500 CTU and for the model, so that another speed shifts the two differently.
In the stub conversations that changes by how much V0 is ahead, and not that it is; in the recorded ones it decides
which of them reports a concept sooner. So signatures carry `time:recorded`, `time:partly` or `time:assumed`, columns
and captions say it where it is not `recorded`, and `calibrate` refuses to choose limits of silence and waiting from
assumed time without `--allow-assumed-time`.
"""


def stub_traces() -> list[Trace]:
    """Return conversations of the stub generator; their streams are recorded on its own clock."""
    source = StubSource(MasGenerationConfig(), _PROVENANCE, load())
    return [source.generate(case) for case in load()[:N_CASES]]


def recorded_traces() -> list[Trace]:
    """Return recorded conversations; empty where they are not here."""
    return [_read(path) for path in sorted(EXTERNAL.glob("*.jsonl.gz"))] if EXTERNAL.is_dir() else []


def _read(path: Path) -> Trace:
    turns: dict[int, list[dict[str, object]]] = {}
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for record in map(json.loads, lines):
            if record["record_type"] == "stream_delta" and record["delta_text"]:
                turns.setdefault(record["turn_id"], []).append(record)
    messages = []
    for deltas in sorted(turns.values(), key=lambda deltas: int(str(deltas[0]["seq"]))):
        stream = tuple((int(str(one["t_rel_ms"])), len(str(one["delta_text"]))) for one in deltas)
        agent = str(deltas[0]["agent_id"])
        text = "".join(str(one["delta_text"]) for one in deltas)
        messages.append(Message(agent if agent in _AGENTS else "supervisor", text, stream[0][0], stream))
    case_id = f"case-{path.name.partition('.')[0].removeprefix('case-')}"
    return Trace(case_id, _EPOCH, tuple(messages), _PROVENANCE)


def without_times(trace: Trace) -> Trace:
    """Return a trace of which nobody recorded when its text arrived."""
    bare = tuple(replace(message, t_rel_ms=None, stream=(), end_t_rel_ms=None) for message in trace.messages)
    return replace(trace, messages=bare)


def rows(traces: Sequence[Trace]) -> Iterator[tuple[str, str, list[list[float]]]]:
    """Yield how time is known, the variant, and of each case first update, median delay and restricted mean in ms."""
    summarizer = SummarizerConfig()
    client = make_client(summarizer, frozenset())
    extractor = CachedExtractor(load_extractor("lexicon", {}, stop_entities=frozenset()))
    bare = [without_times(trace) for trace in traces]
    assumed = [(f"assumed, {one} a second", bare, one) for one in SPEEDS]
    for known, conversations, speed in [("recorded", traces, 120), *assumed]:
        at_speed = summarizer.model_copy(update={"stream": StreamConfig(chars_per_second=speed)})
        for variant in VARIANTS:
            yield known, variant, _measured(conversations, variant, at_speed, client, extractor)


def _measured(
    traces: Sequence[Trace], name: str, summarizer: SummarizerConfig, client: LLMClient, extractor: CachedExtractor
) -> list[list[float]]:
    [variant] = load_variants(configs_dir() / "variants", [name])
    found = []
    for trace in traces:
        log = run_case(eval_run(variant, summarizer, client, "sha256:" + "0" * 64), trace, "sha256:" + "0" * 64, client)
        (seen,) = observe_case(trace, [log], extractor)
        measured = (time_to_first_update_ms(seen), concept_delay_ms(seen, 0.5), concept_delay_rmst(seen, 60_000))
        found.append([value for value in measured if value is not None])
        assert len(found[-1]) == len(measured), f"{trace.case_id} under {name}: undefined"
    return found


def table(traces: Sequence[Trace]) -> str:
    """Return a table of all rows, and in how many cases V0 reports a concept sooner."""
    lines = [
        "| time | variant | first update (s) | Delay p50 (s) | restricted mean (s) | V0 sooner |",
        "|---|---|--:|--:|--:|--:|",
    ]
    found = list(rows(traces))
    for (known, first, of_first), (_, second, of_second) in zip(found[::2], found[1::2], strict=True):
        sooner = sum(one[1] < other[1] for one, other in zip(of_first, of_second, strict=True))
        for named, variant, cases, reported in (
            (known, first, of_first, f"{sooner} of {len(of_first)}"),
            ("", second, of_second, ""),
        ):
            shown = " | ".join(f"{fmean(column) / 1000:.1f}" for column in zip(*cases, strict=True))
            lines.append(f"| {named} | {variant} | {shown} | {reported} |")
    return "\n".join(lines)


def recorded_section(traces: Sequence[Trace]) -> str:
    """Return whose conversations they are, how fast they arrive, and their table."""
    speeds = [
        1000 * sum(length for _, length in message.stream) / lasted
        for trace in traces
        for message in trace.messages
        if (lasted := message.stream[-1][0] - message.stream[0][0]) >= _LEAST_MS
    ]
    low, middle, high = (f"{speed:.0f}" for speed in percentile(speeds, (5, 50, 95)))
    lasting = fmean(max(message.stream[-1][0] for message in trace.messages) / 1000 for trace in traces)
    reported = (
        f"{len(traces)} streamed conversations of gpt-4o-mini that others have published "
        f"(AbemKW/EXAIM-MedGemma-Impact, evals/data/traces). Their messages arrive at a median of {middle} characters "
        f"a second (p5 {low}, p95 {high}), and a conversation lasts {lasting:.0f} s in the mean."
    )
    return f"{fill(reported, 118)}\n\n{table(traces)}"


def render(*, recorded: str | None = None) -> str:
    """Return the page; `recorded` is the section of recorded streams where those are not here."""
    external = recorded_traces()
    of_streams = recorded_section(external) if external else recorded or "Not here when this page was made."
    return _TEXT.format(command=COMMAND, n=N_CASES, stub=table(stub_traces()), recorded=of_streams)


def kept_section(page: str) -> str | None:
    """Return the section of recorded streams of a page."""
    found = re.search(r"^## Recorded streams\n\n(.*?)\n\n## ", page, re.MULTILINE | re.DOTALL)
    return found[1] if found else None


def main() -> None:
    """Write the page."""
    before = TARGET.read_text(encoding="utf-8") if TARGET.is_file() else ""
    TARGET.write_text(render(recorded=kept_section(before)), encoding="utf-8")
    print(f"updated {TARGET.relative_to(ROOT)}")  # noqa: T201 - a script's report


if __name__ == "__main__":
    sys.exit(main())
