"""Time the lexicon: start-up from the cache, and throughput on texts made of rare diseases' phenotypes.

Run: ``PYTHONPATH=evals/src python evals/bench/bench_concepts.py [case file.json]``. With MAC's case file the texts are
real presentations. Prints medians; nothing here is a test, because other work on the machine moves the numbers.
"""

from __future__ import annotations

import json
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


def texts() -> list[str]:
    """Real presentations where a case file is named, else sentences that list the phenotypes of 300 diseases."""
    if len(sys.argv) > 1:
        cases = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["Cases"]
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


def main() -> None:
    """Print the table."""
    stop = read_stop_entities(STOP_ENTITIES)
    load_extractor("lexicon", {}, stop_entities=stop)  # fills the cache
    bare = statistics.median(seconds([sys.executable, "-c", "pass"]) for _ in range(ROUNDS))
    start = statistics.median(seconds([sys.executable, "-c", START]) for _ in range(ROUNDS))
    batch = texts()
    megabytes = sum(len(text.encode()) for text in batch) / 1e6
    cold, warm = [], []
    for _ in range(ROUNDS):
        extractor = load_extractor("lexicon", {}, stop_entities=stop)
        for times in (cold, warm):
            begin = time.perf_counter()
            found = extractor.mentions(batch)
            times.append(megabytes / (time.perf_counter() - begin))
    print(f"start-up from cache      {start - bare:6.2f} s over a bare interpreter ({bare:.2f} s)")
    print(f"throughput, first texts  {statistics.median(cold):6.2f} MB/s")
    print(f"throughput, later texts  {statistics.median(warm):6.2f} MB/s")
    print(f"{megabytes:.2f} MB, {len(batch)} texts, {sum(map(len, found))} mentions, {extractor.id}")


if __name__ == "__main__":
    main()
