"""Read very many hostile texts with the lexicon: none may end in a traceback, or give a mention outside its text.

Run: ``PYTHONPATH=evals/src python evals/bench/bench_hostile_texts.py [number]``, 100,000 texts by default. They are
random, from a fixed seed: control and bidirectional characters, brackets, numbers, words of triggers and of phenotypes.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

from exaid_evals.concepts import AnnotatingExtractor, load_extractor, read_stop_entities

STOP_ENTITIES = Path(__file__).parents[1] / "configs" / "stop_entities.txt"
MARKS = list(" \t\n\r.,;:()[]{}/-–'’\"+=%<>@&|0123456789\u00a0\u200b\u202e\x00\x1bʹİßﬁé😀")
WORDS = """no not denies never without fever seizures short stature and or nor with of the (VSD) mother had IQ limbs ear
ears anomalies ventricular septal defect hypoplastic absent absence family history: resolved negative type II pre-term A
neither unlikely http://a.b who: n't -ve cleft lip/palate elevated CK A-1 of of of""".split()  # noqa: SIM905
BATCH = 1000


def text(rng: random.Random) -> str:
    """Return one text of up to 60 pieces."""
    kinds = (MARKS, WORDS, WORDS, [chr(rng.randrange(1, 0xD800))])
    glue = rng.choice(["", " ", " ", ", "])
    return glue.join(rng.choice(rng.choice(kinds)) for _ in range(rng.randrange(60)))


def main() -> None:
    """Read the texts; print how many, how fast and what was found."""
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    extractor = load_extractor("lexicon", {}, stop_entities=read_stop_entities(STOP_ENTITIES))
    if not isinstance(extractor, AnnotatingExtractor):
        raise SystemExit("the lexicon shows no mentions that it leaves out")
    rng, n, found, begin = random.Random(42), 0, 0, time.process_time()  # noqa: S311 - no secret
    while n < wanted:
        batch = [text(rng) for _ in range(min(BATCH, wanted - n))]
        for read, mentions in zip(batch, extractor.annotate(batch), strict=True):
            found += len(mentions)
            if any(not 0 <= one.start < one.end <= len(read) for one in mentions):
                raise SystemExit(f"a mention outside its text: {read!r}")
        n += len(batch)
    print(f"{n:,} texts, {found:,} mentions, {time.process_time() - begin:.0f} CPU s, no traceback")


if __name__ == "__main__":
    main()
