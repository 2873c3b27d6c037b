"""How well the lexicon extractor reads texts that people annotated, and the first part of docs/extractor_validity.md.

Run: ``make external``, where ``../shared/external/hpo`` lies; its files are other people's and are only measured on. A
line of a file is ``{"id", "text", "gold": [[start, end, "HP:…"]]}``. Counted are (document, id) pairs.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np

from exaid_evals.concepts import AnnotatingExtractor, Mention, load_extractor, read_stop_entities
from exaid_evals.ontologies.hpo import primary_id

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "external" / "hpo"
PAGE = ROOT / "docs" / "extractor_validity.md"
BEGIN, END = "<!-- external: made by make external -->\n", "<!-- end of external -->"
SETS = {
    "GSC+ (206 abstracts)": "gscplus_test.jsonl",
    "GSC-2024 (228 abstracts)": "gsc2024.jsonl",
    "ID-68, half (34 clinical notes)": "id68_dev.jsonl",
}
RESAMPLES, SEED = 2000, 42


def counts(extractor: AnnotatingExtractor, path: Path, *, affirmed: bool) -> np.ndarray:
    """Return (documents, 3): pairs right, found and annotated, of all mentions or of what `mentions` counts."""
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    texts = [record["text"] for record in records]
    found: list[tuple[Mention, ...]] = extractor.mentions(texts) if affirmed else extractor.annotate(texts)
    rows = []
    for record, mentions in zip(records, found, strict=True):
        gold = {primary_id(concept) for _, _, concept in record["gold"]}
        ids = {one.concept_id for one in mentions if one.concept_id.startswith("HP:")}
        rows.append((len(gold & ids), len(ids), len(gold)))
    return np.array(rows, dtype=float)


def scores(pairs: np.ndarray) -> tuple[float, float, float]:
    """Precision, recall and F1, micro."""
    right, found, gold = pairs.sum(axis=0)
    return right / found, right / gold, 2 * right / (found + gold)


def row(title: str, what: str, pairs: np.ndarray) -> str:
    """Return a row of the table, F1 with a 95 % percentile interval over documents."""
    rng = np.random.default_rng(SEED)
    resampled = [scores(pairs[rng.integers(0, len(pairs), len(pairs))])[2] for _ in range(RESAMPLES)]
    low, high = np.percentile(resampled, [2.5, 97.5])
    precision, recall, f1 = scores(pairs)
    return f"| {title} | {what} | {precision:.3f} | {recall:.3f} | {f1:.3f} ({low:.3f}–{high:.3f}) |"


def main() -> int:
    """Write the part; return the exit status."""
    if not DATA.is_dir():
        print(f"nothing measured: {DATA} is absent")
        return 0
    stop = read_stop_entities(ROOT / "evals" / "configs" / "stop_entities.txt")
    extractor = load_extractor("lexicon", {}, stop_entities=stop)
    if not isinstance(extractor, AnnotatingExtractor):
        raise SystemExit("the lexicon shows no mentions that it leaves out")
    lines = ["| texts | counted | precision | recall | F1 (95 %) |", "|---|---|---|---|---|"]
    for title, name in SETS.items():
        lines += [
            row(title, "every mention, as `concepts` shows them", counts(extractor, DATA / name, affirmed=False)),
            row(title, "affirmed, of the patient, not nested", counts(extractor, DATA / name, affirmed=True)),
        ]
    part = f"{BEGIN}{extractor.id}\n\n" + "\n".join(lines) + f"\n{END}"
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(re.sub(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: part, page, flags=re.DOTALL), "utf-8")
    print(part)
    return 0


if __name__ == "__main__":
    sys.exit(main())
