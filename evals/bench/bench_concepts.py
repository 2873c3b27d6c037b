"""Time the lexicon: start-up from the cache, and throughput on texts made of rare diseases' phenotypes.

Run: ``PYTHONPATH=evals/src python evals/bench/bench_concepts.py [case file.json] [--against OTHER/evals/src]``. With
MAC's case file the texts are real presentations. With the sources of another checkout both are measured in turns.
Prints medians of CPU time; nothing here is a test, because other work on the machine moves the numbers.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

from exaid_evals.concepts import load_extractor, read_stop_entities

STOP_ENTITIES = Path(__file__).parents[1] / "configs" / "stop_entities.txt"
START = (
    "from pathlib import Path; from exaid_evals.concepts import load_extractor, read_stop_entities;"
    f"load_extractor('lexicon', {{}}, stop_entities=read_stop_entities(Path({str(STOP_ENTITIES)!r})))"
)
ROUNDS = 5
SHORT, N_SHORT = 100, 1500


def texts(file: Path | None) -> list[str]:
    """Real presentations where a case file is named, else sentences that list the phenotypes of 300 diseases."""
    if file:
        cases = json.loads(file.read_text(encoding="utf-8"))["Cases"]
        return [case["Follow-up Presentation"].replace("\\n", "\n") for case in cases]
    from exaid_evals.ontologies.hpo import rare_diseases

    frame = "The patient was seen on day {} with {}. There was no {}, and the examination was otherwise unremarkable. "
    return [
        "".join(
            frame.format(day, term.name.lower(), disease.phenotypes[day - 1].name.lower())
            for day, term in enumerate(disease.phenotypes)
        )
        for disease in rare_diseases()[:2000:7]
    ]


def seconds(command: list[str]) -> float:
    """Wall time of a command."""
    begin = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - begin


def measured(batch: list[str]) -> list[float]:
    """MB a CPU second on texts never seen and on texts that were, µs a short text alone and among others, mentions."""
    extractor = load_extractor("lexicon", {}, stop_entities=read_stop_entities(STOP_ENTITIES))
    megabytes = sum(len(text.encode()) for text in batch) / 1e6
    speeds, found = [], 0
    for _ in range(2):
        begin = time.process_time()
        found = sum(map(len, extractor.mentions(batch)))
        speeds.append(megabytes / max(time.process_time() - begin, 1e-9))
    rng = random.Random(1)  # noqa: S311 - no secret
    begun = [(text, rng.randrange(len(text))) for text in rng.choices([text for text in batch if text], k=2 * N_SHORT)]
    cut = [text[at : at + SHORT] for text, at in begun]
    begin = time.process_time()
    for text in cut[:N_SHORT]:
        extractor.mentions([text])
    alone = time.process_time() - begin
    extractor.mentions(cut[N_SHORT:])
    together = time.process_time() - begin - alone
    return [*speeds, alone / N_SHORT * 1e6, together / N_SHORT * 1e6, found]


def in_turns(sources: list[Path], batch: list[str]) -> list[list[list[float]]]:
    """Measure checkouts one after the other, again and again, each time in a new process."""
    found: list[list[list[float]]] = [[] for _ in sources]
    for _ in range(ROUNDS):
        for source, results in zip(sources, found, strict=True):
            ran = subprocess.run(
                [sys.executable, __file__, "--measure"],
                input=json.dumps(batch),
                env=os.environ | {"PYTHONPATH": str(source)},
                check=True,
                capture_output=True,
                text=True,
            )
            results.append(json.loads(ran.stdout))
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--against", type=Path)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.measure:
        print(json.dumps(measured(json.load(sys.stdin))))
        return
    own = Path(__file__).parents[1] / "src"
    extractor = load_extractor("lexicon", {}, stop_entities=read_stop_entities(STOP_ENTITIES))  # fills the cache
    bare = statistics.median(seconds([sys.executable, "-c", "pass"]) for _ in range(ROUNDS))
    start = statistics.median(seconds([sys.executable, "-c", START]) for _ in range(ROUNDS))
    batch = texts(chosen.file)
    print(f"start-up from cache      {start - bare:6.2f} s over a bare interpreter ({bare:.2f} s)")
    sources = [own, *([chosen.against.resolve()] if chosen.against else [])]
    rows = [
        [statistics.median(column) for column in zip(*results, strict=True)] for results in in_turns(sources, batch)
    ]
    for source, (new, known, alone, together, mentions) in zip(sources, rows, strict=True):
        print(
            f"{source}: {new:.2f} MB/s on new texts, {known:.0f} on known ones, {mentions:.0f} mentions; "
            f"{alone:.0f} µs a text of {SHORT} characters, {together:.0f} µs among others"
        )
    if len(rows) > 1:
        ours, theirs = rows
        print(
            f"new texts {ours[0] / theirs[0]:.2f} times as fast, short ones {theirs[2] / ours[2]:.2f} times, ", end=""
        )
        print(f"among others {theirs[3] / ours[3]:.2f} times; per core")
    print(f"{sum(len(text.encode()) for text in batch) / 1e6:.2f} MB, {len(batch)} texts, {extractor.id}")


if __name__ == "__main__":
    main()
