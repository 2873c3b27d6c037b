"""How far the measures of summaries agree with people: docs/human_agreement.md.

Run: ``make external``, where ``../shared/external/human`` lies; its files are other people's and are only measured on.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import pearsonr, spearmanr

from exaid_evals.concepts import load_extractor, read_stop_entities
from exaid_evals.errors import MissingDependencyError
from exaid_evals.factuality.judge import Meaning
from exaid_evals.factuality.notes import Note, Similarity, measure_note
from exaid_evals.factuality.reference import Comparison
from exaid_evals.stats.agreement import Interval, bootstrap, correlation

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "external" / "human"
PAGE = ROOT / "docs" / "human_agreement.md"
RESAMPLES, SEED = 2000, 42
RECALLS = (
    "content_recall",
    "concept_recall",
    "term_recall",
    "value_recall",
    "rouge1_recall",
    "rouge2_recall",
    "rougeL_recall",
)
F1S = ("term_f1", "concept_f1", "content_f1", "rouge1_f1", "rouge2_f1", "rougeL_f1")
VERDICTS = ("not_found", "not_found_by_meaning", "contradicted", "unsupported")


def comparison() -> Comparison:
    """Return what compares, in its default configuration."""
    stop = read_stop_entities(ROOT / "evals" / "configs" / "stop_entities.txt")
    return Comparison(load_extractor("lexicon", {}, stop_entities=stop), stop)


def records(path: Path) -> list[dict[str, Any]]:
    """Return the records of a file of JSON Lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def embeddings() -> Similarity | None:
    """Return what tells similarity of meaning; None where the extra is not installed."""
    try:
        return Meaning()
    except MissingDependencyError as error:
        print(f"not by meaning: {error}", file=sys.stderr)
        return None


def measured_pairs(
    pairs: Sequence[Mapping[str, Any]], compare: Comparison, meaning: Similarity | None = None
) -> list[dict[str, float | None]]:
    """Return the measures of each note against its reference and dialogue, and the share of what is not supported."""
    found = []
    for pair in pairs:
        note = Note(None, pair["summary"], (pair["dialogue"],), pair["reference"])
        measures = dict(measure_note(note, compare, meaning).measures)
        supported = measures["supported"]
        found.append({**measures, "unsupported": None if supported is None else 1 - supported})
    return found


def agreement(
    measured: Sequence[Mapping[str, float | None]], name: str, human: Sequence[float], clusters: Sequence[str]
) -> Interval:
    """Return Spearman's correlation of a measure with people, over the pairs that define it, drawn by dialogue."""
    defined = [index for index, one in enumerate(measured) if one.get(name) is not None]
    ours = np.array([measured[index][name] for index in defined], dtype=float)
    theirs = np.array([human[index] for index in defined])
    numbers = {text: number for number, text in enumerate(dict.fromkeys(clusters))}
    drawn_together = np.array([numbers[clusters[index]] for index in defined])
    rng = np.random.default_rng(SEED)
    return bootstrap(correlation(ours, theirs), len(defined), rng, resamples=RESAMPLES, clusters=drawn_together)


def of_systems(encounters: Sequence[Mapping[str, Any]], compare: Comparison) -> dict[str, np.ndarray]:
    """Return measure → F1, shape (systems, encounters), 0 where it is undefined, systems by name."""
    names = sorted(encounters[0]["systems"])
    rows = [[compare.measures(one["systems"][name], one["note"]) for one in encounters] for name in names]
    return {f1: np.array([[one[f1] or 0.0 for one in row] for row in rows]) for f1 in F1S}


def systems_agreement(f1: np.ndarray, published: np.ndarray, *, ranks: bool) -> Interval:
    """Return the correlation of systems' means with what was published of them, over resamples of the encounters."""
    correlate = spearmanr if ranks else pearsonr
    means = bootstrap(
        lambda chosen: float(correlate(f1[:, chosen].mean(axis=1), published).statistic),
        f1.shape[1],
        np.random.default_rng(SEED),
        resamples=RESAMPLES,
    )
    return Interval(means.value, means.low, means.high, len(published))


def row(name: str, *cells: Interval | str) -> str:
    """Return a row of a table."""

    def shown(one: Interval | str) -> str:
        if isinstance(one, str):
            return one
        if one.value is None:
            return "–"
        return f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})" if one.low is not None else f"{one.value:.3f}"

    return f"| `{name}` | " + " | ".join(map(shown, cells)) + " |"


def page(
    pairs: Sequence[Mapping[str, Any]], encounters: Sequence[Mapping[str, Any]], published: Mapping[str, float]
) -> str:
    """Return the page."""
    compare = comparison()
    measured = measured_pairs(pairs, compare, embeddings())
    clusters = [pair["reference"] for pair in pairs]
    recall, hallucination, precision = (
        [pair["human"][name] for pair in pairs] for name in ("FactualRecall", "HallucinationRate", "FactualPrecision")
    )

    def against(human: Sequence[float]) -> Callable[[str], Interval]:
        return lambda name: agreement(measured, name, human, clusters)

    recalls = [row(name, one := against(recall)(name), f"{one.n} of {len(pairs)}") for name in RECALLS]
    faults = [
        row(
            name,
            one := against(hallucination)(name),
            against([1 - value for value in precision])(name),
            f"{one.n} of {len(pairs)}",
        )
        for name in VERDICTS
    ]
    by_system = of_systems(encounters, compare)
    medcon = np.array([published[name] for name in sorted(encounters[0]["systems"])])
    systems = [
        row(name, *(systems_agreement(by_system[name], medcon, ranks=ranks) for ranks in (False, True))) for name in F1S
    ]
    return TEMPLATE.format(
        pairs=len(pairs),
        dialogues=len(set(clusters)),
        faulty=sum(value > 0 for value in hallucination),
        recalls="\n".join(recalls),
        faults="\n".join(faults),
        n_systems=len(medcon),
        encounters=len(encounters),
        systems="\n".join(systems),
    )


TEMPLATE = """# How far the measures agree with people

Made by `make external`, where the data are; they are other people's, and only measured on. The measures were written
with these files in view, and word lists, the share of missing words and the cosine that count were set by hand while
looking at them: these are development figures. No weight is learned from the scores. Intervals (95 %) are of a
bootstrap.

## Summaries of consultations (MTS-Dialog)

{pairs} summaries of {dialogues} dialogues with a clinician's note each, in which people counted facts that are right,
missing, wrong and invented (A. Ben Abacha and others, ACL Findings 2023, CC BY 4.0). Spearman's correlation; dialogues
are drawn whole.

| measure against the reference | human factual recall | defined |
|---|---|---|
{recalls}

| share of statements | human hallucination rate | 1 − human factual precision | defined |
|---|---|---|---|
{faults}

`not_found` and `contradicted` are judged against dialogue and reference, `unsupported` is both. People found invented
facts in {faulty} of the {pairs} summaries, so that most ranks of the hallucination rate are ties. People count a fact
that differs (another age) as wrong, not as invented; so do the verdicts. `not_found_by_meaning` (`notes --meaning`,
extra `meaning`) takes a statement as found that comes near a sentence in other words. It agrees somewhat better with
people here, within the intervals; so it is offered beside `not_found`, and not in its place. For recall, embeddings
agree worse than words: counting near statements of the reference as recalled lowers the correlation by 0.03.

## Systems that write notes (ACI-Bench)

{n_systems} systems, each with its notes of the same {encounters} encounters, against the MEDCON that was published of
each (W. Yim and others, Scientific Data 2023, CC BY 4.0), which needs a licence for UMLS. Means over encounters;
encounters are drawn.

| F1 against the clinician's note | Pearson with published MEDCON | Spearman |
|---|---|---|
{systems}
"""


def main() -> int:
    """Write the page; return the exit status."""
    if not DATA.is_dir():
        print(f"nothing measured: {DATA} is absent")
        return 0
    published = json.loads((DATA / "aci_medcon_published.json").read_text("utf-8"))
    text = page(records(DATA / "mts_dev.jsonl"), records(DATA / "aci_test1.jsonl"), published)
    PAGE.write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
