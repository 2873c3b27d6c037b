"""How well the lexicon reads simulated conversations whose content is known, and docs/extractor_validity.md from it.

Run: ``python evals/bench/extractor_validity.py`` writes the page; ``--check`` says instead whether it is what the code
gives, and needs a few minutes as well. MAC's cases are looked for in EXAID_MAC_DIR, third_party/mac and ../shared/mac;
without them the part about them is neither written nor checked.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from exaid_evals.artifacts.gold import NOT_STATING, STATING, MentionKind
from exaid_evals.cases import mac, synthetic
from exaid_evals.cases.base import Case, SourceContext
from exaid_evals.concepts import Extractor, load_extractor, read_stop_entities
from exaid_evals.concepts.lexicon import LexiconExtractor
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.mas_generation import DatasetConfig, MasGenerationConfig
from exaid_evals.metrics.extraction import Confusion, LabelledConversation, LabelledMessage
from exaid_evals.traces.model import Provenance, Trace
from exaid_evals.traces.stub.generator import StubSource

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "extractor_validity.md"
STOP_ENTITIES = ROOT / "evals" / "configs" / "stop_entities.txt"

DEVELOPMENT = (1, 2, 3, 1001, 1002, 1003)
"""Seeds whose conversations were looked at while the extractor was built."""
HELD_OUT = (2001, 2002, 2003)
"""Seeds that were first used when the extractor was done: of conversations, the choice of cases, synthetic cases."""
if not LexiconExtractor.development_seeds.issuperset(DEVELOPMENT) or LexiconExtractor.development_seeds & {*HELD_OUT}:
    raise SystemExit("the seeds here are not those that the lexicon extractor says were in view while it was built")
CASES_PER_SEED = 40
LEAST_RECALL, LEAST_PRECISION = 0.90, 0.95

_PROVENANCE = Provenance("mas-" + "0" * 16, "8" * 40, "stub-groupchat", stub=True)
_TITLES = {"synthetic": "Synthetic cases", "mac": "MAC's cases"}


@dataclass
class Tally:
    """Counts over conversations, by kind of mention where that matters."""

    whole: Confusion = field(default_factory=Confusion)
    n: Counter[MentionKind] = field(default_factory=Counter)
    recalled: Counter[MentionKind] = field(default_factory=Counter)
    left_alone: Counter[MentionKind] = field(default_factory=Counter)
    right: Counter[MentionKind] = field(default_factory=Counter)
    found_at: Counter[MentionKind] = field(default_factory=Counter)
    spurious: int = 0
    found: int = 0
    unjudged: int = 0
    messages: int = 0

    def add(self, conversation: LabelledConversation, n_messages: int) -> None:
        """Count one more conversation."""
        one = conversation.by_message
        self.whole = Confusion(self.whole.tp + one.tp, self.whole.fp + one.fp, self.whole.fn + one.fn)
        self.n.update(conversation.n_mentions)
        self.recalled.update(conversation.recalled)
        self.left_alone.update(conversation.left_alone)
        self.right.update({kind: right for kind, (right, _) in conversation.found_at.items()})
        self.found_at.update({kind: every for kind, (_, every) in conversation.found_at.items()})
        self.spurious += conversation.n_spurious
        self.found += conversation.n_found
        self.unjudged += conversation.n_unjudged
        self.messages += n_messages


def mac_folder() -> Path | None:
    """Return a folder that holds MAC's data set; None where there is none."""
    named = [Path(os.environ["EXAID_MAC_DIR"])] if os.environ.get("EXAID_MAC_DIR") else []
    places = (*named, ROOT / "third_party" / "mac", ROOT.parent / "shared" / "mac")
    return next((place for place in places if mac.data_file(place) is not None), None)


def every_case(source: str, seed: int, folder: Path | None) -> tuple[Case, ...]:
    """Return all cases of a source; synthetic ones are made anew from the seed."""
    if source == synthetic.SOURCE:
        cases = synthetic.make_cases(seed)
    else:
        # MAC's loader reads its folder alone; no campaign is read or written.
        cases = mac.load(SourceContext(DatasetConfig(), Campaign(ROOT), folder, may_write=False))
    return tuple(replace(case, source=source) for case in cases)


def conversations(source: str, seed: int, n: int, folder: Path | None) -> Iterator[Trace]:
    """Yield simulated conversations about `n` cases of a source, chosen by the seed."""
    cases = every_case(source, seed, folder)
    stub = StubSource(MasGenerationConfig.model_validate({"seed": seed}), _PROVENANCE, cases)
    for case in random.Random(seed).sample(cases, n):  # noqa: S311 - no secret
        yield stub.generate(case)


def tally(extractor: Extractor, traces: Iterator[Trace]) -> Tally:
    """Read conversations with an extractor and count what it got right."""
    counts = Tally()
    for trace in traces:
        found = extractor.mentions([message.content for message in trace.messages])
        messages = [
            LabelledMessage(message.gold_mentions or (), mentions)
            for message, mentions in zip(trace.messages, found, strict=True)
        ]
        counts.add(LabelledConversation(messages), len(messages))
    return counts


def measured(
    extractor: Extractor, source: str, seeds: Sequence[int], folder: Path | None, n: int = CASES_PER_SEED
) -> Tally:
    """Return the counts over `n` cases for each of some seeds."""
    return tally(extractor, (trace for seed in seeds for trace in conversations(source, seed, n, folder)))


def lexicon() -> Extractor:
    """Load the default extractor with the project's stop list."""
    return load_extractor("lexicon", {}, stop_entities=read_stop_entities(STOP_ENTITIES))


def section(source: str, development: Tally, held_out: Tally) -> str:
    """Return the page's part about one source of cases."""
    lines = [
        f"### {_TITLES[source]}",
        "",
        "| seeds | cases | messages | precision | recall | F1 | unjudged |",
        "|---|---|---|---|---|---|---|",
    ]
    for title, seeds, counts in (("development", DEVELOPMENT, development), ("**held out**", HELD_OUT, held_out)):
        whole = counts.whole
        share = counts.unjudged / counts.found
        lines.append(
            f"| {title} {', '.join(map(str, seeds))} | {CASES_PER_SEED * len(seeds)} | {counts.messages:,} | "
            f"{_share(whole.precision)} | {_share(whole.recall)} | {_share(whole.f1)} | {share:.1%} |"
        )
    lines += [
        "",
        "Held out, by kind of mention:",
        "",
        "| kind | n | precision | recall | F1 | specificity |",
        "|---|---|---|---|---|---|",
        *(_kind_row(held_out, kind) for kind in (*STATING, *NOT_STATING)),
        "",
        f"Found where nothing is mentioned: {held_out.spurious} of {held_out.found:,}.",
        "",
    ]
    return "\n".join(lines)


def _kind_row(counts: Tally, kind: MentionKind) -> str:
    name, n = kind.value.replace("_", " "), counts.n[kind]
    if kind in NOT_STATING:
        return f"| {name} | {n:,} | – | – | – | {_share(counts.left_alone[kind] / n if n else None)} |"
    recall = counts.recalled[kind] / n if n else None
    precision = counts.right[kind] / counts.found_at[kind] if counts.found_at[kind] else None
    both = (precision or 0) + (recall or 0)
    f1 = 2 * (precision or 0) * (recall or 0) / both if both else None
    return f"| {name} | {n:,} | {_share(precision)} | {_share(recall)} | {_share(f1)} | – |"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _marks(source: str) -> tuple[str, str]:
    return f"<!-- {source}: made by evals/bench/extractor_validity.py -->\n", f"<!-- end of {source} -->"


def updated(page: str, make: Callable[[str], str], sources: Sequence[str]) -> str:
    """Return the page with the parts about some sources made anew.

    Raises:
        ValueError: the page has no place for one of them.
    """
    for source in sources:
        begin, end = _marks(source)
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        if not pattern.search(page):
            raise ValueError(f"{PAGE} has no part marked {begin.strip()}")
        text = f"{begin}{make(source)}{end}"
        page = pattern.sub(lambda _, text=text: text, page)
    return page


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the page; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the page differs")
    check = parser.parse_args(arguments).check
    folder = mac_folder()
    sources = ["synthetic", *(["mac"] if folder else [])]
    extractor = lexicon()
    page = PAGE.read_text(encoding="utf-8")

    def made(source: str) -> str:
        return section(source, *(measured(extractor, source, seeds, folder) for seeds in (DEVELOPMENT, HELD_OUT)))

    new = updated(page, made, sources)
    if check:
        if new != page:
            print(f"{PAGE} differs from what the code gives; update: python evals/bench/extractor_validity.py")
            return 1
        print(f"{PAGE} is what the code gives ({', '.join(sources)})")
        return 0
    PAGE.write_text(new, encoding="utf-8")
    print(f"wrote {PAGE} ({', '.join(sources)})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
