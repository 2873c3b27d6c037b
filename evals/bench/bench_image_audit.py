"""How well the audit of images finds planted faults, and what an image costs.

Run: ``python evals/bench/bench_image_audit.py`` judges both halves of the planted images and writes the table into
docs/image_audit.md; ``--check`` says instead whether the table there is what the code gives; ``--half development``
looks at the half on which thresholds were chosen, and writes nothing. ``--unseen FOLDER`` judges pictures and
typefaces of a folder that no rule was made on, and writes their table; ``--check`` leaves it out, for the folder is
not the project's. ``--speed N`` measures N images of 512 × 512
and writes into the page what one costs, in processor seconds, since the machine may be shared; ``--check`` leaves
that out, for it is another's on another machine.
"""

from __future__ import annotations

import argparse
import io
import resource
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.stats import binomtest

from exaid_evals.analysis.images.audit import audit_folder
from exaid_evals.analysis.images.checks import judge
from exaid_evals.analysis.images.files import AuditSettings
from exaid_evals.analysis.images.measure import Measurer, measure_bytes

sys.path.insert(0, str(Path(__file__).resolve().parent))
from corrupted_images import (
    DEVELOPMENT,
    FACES,
    FAULTS,
    HELD_OUT,
    PHOTOS,
    UNSEEN,
    document,
    photo,
    planted_images,
    use_unseen,
)

PAGE = Path(__file__).resolve().parents[2] / "docs" / "image_audit.md"
BEGIN, END = "<!-- image audit: begin (bench_image_audit.py writes this) -->", "<!-- image audit: end -->"
SPEED_BEGIN, SPEED_END = "<!-- image audit speed: begin -->", "<!-- image audit speed: end -->"
UNSEEN_BEGIN, UNSEEN_END = "<!-- image audit unseen: begin -->", "<!-- image audit unseen: end -->"
HALVES = {"development": DEVELOPMENT, "held-out": HELD_OUT}
N_EACH, N_SOUND, N_ANGLES = 60, 240, 300
LEAST, MOST_DEGREES = 0.95, 2.0
MOST_SECONDS, N_SPEED = 120.0, 10_000


@dataclass(frozen=True)
class Result:
    """Of one half.

    Attributes:
        counts: fault → (found, missed, found where it was not planted).
        wrong: lines about what was missed or found wrongly.
        sources: picture or typeface → (images, those of which just what was planted was found).
        errors: of angles, in degrees; infinite where the page was not taken for a document.
    """

    counts: dict[str, tuple[int, int, int]]
    wrong: list[str]
    sources: dict[str, tuple[int, int]]
    errors: np.ndarray

    def rates(self, fault: str) -> tuple[float, float]:
        """Return recall and precision."""
        found, missed, extra = self.counts[fault]
        return found / (found + missed), found / max(found + extra, 1)


def evaluate(half: int) -> Result:
    """Judge a half."""
    planted = planted_images(half, N_EACH, N_SOUND)
    facts = [measure_bytes(image.name, image.data) for image in planted]
    checks = [{finding.check for finding in findings} for findings in judge(facts, AuditSettings())]
    counts, wrong = {}, []
    for fault in FAULTS:
        hit = [fault in found for found in checks]
        true = [image.fault == fault for image in planted]
        counts[fault] = (
            sum(a and b for a, b in zip(hit, true, strict=True)),
            sum(b and not a for a, b in zip(hit, true, strict=True)),
            sum(a and not b for a, b in zip(hit, true, strict=True)),
        )
        wrong += [
            f"{fault}: {'missed' if b else 'found'} in {image.name} of {image.source}"
            for a, b, image in zip(hit, true, planted, strict=True)
            if a != b
        ]
    wanted = [{image.fault} - {None} for image in planted]
    total = Counter(image.source for image in planted)
    right = Counter(
        image.source for image, found, true in zip(planted, checks, wanted, strict=True) if found & set(FAULTS) == true
    )
    sources = {source: (total[source], right[source]) for source in sorted(total)}
    return Result(counts, wrong, sources, np.array([_angle_error(half, number) for number in range(N_ANGLES)]))


def _angle_error(half: int, number: int) -> float:
    rng = np.random.default_rng([half, 1, number])
    page, _ = document(rng, half)
    angle = float(rng.uniform(-45, 45))
    paper = tuple(int(value) for value in np.median(np.asarray(page).reshape(-1, 3), axis=0))
    held = io.BytesIO()
    page.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=paper).save(held, "JPEG", quality=85)
    measured = measure_bytes("page.jpg", held.getvalue()).measure("rotation")
    if measured is None:
        return float("inf")
    apart = abs(measured - angle)
    return min(
        apart, 90 - apart
    )  # 44.9° and -44.9° are neighbours: tilt is distinguished from the nearest quarter turn


def table(results: dict[str, Result]) -> str:
    """Return the table of the page, in Markdown."""
    lines = [
        *_rate_lines(results),
        "",
        "| source | half | images | wholly right | rate | 95 % interval |",
        "| :-- | :-- | --: | --: | --: | :-: |",
    ]
    lines += [line for half, result in results.items() for line in _source_lines(half, result)]
    return "\n".join(lines)


def _rate_lines(results: dict[str, Result]) -> list[str]:
    heads = " | ".join(f"{half}: recall | {half}: precision" for half in results)
    lines = [f"| planted | {heads} |", "| :-- | " + " | ".join("--: | --:" for _ in results) + " |"]
    for fault in FAULTS:
        cells = " | ".join(f"{rate:.3f}" for result in results.values() for rate in result.rates(fault))
        lines.append(f"| {fault.replace('_', ' ')} | {cells} |")
    totals = []
    for result in results.values():
        found, missed, extra = (sum(one[place] for one in result.counts.values()) for place in range(3))
        totals += [f"**{found / (found + missed):.3f}**", f"**{found / (found + extra):.3f}**"]
    lines.append(f"| **all** | {' | '.join(totals)} |")
    lines += [
        "",
        "| angle of documents, −45° to 45° | within 2° | median error | largest |",
        "| :-- | --: | --: | --: |",
    ]
    for half, result in results.items():
        errors = result.errors
        known = errors[np.isfinite(errors)]
        within = f"{np.mean(errors <= MOST_DEGREES):.1%} of {len(errors)}"
        lines.append(f"| {half} | {within} | {np.median(known):.2f}° | {known.max():.2f}° |")
    return lines


def _source_lines(half: str, result: Result) -> list[str]:
    lines = []
    for source, (count, right) in result.sources.items():
        interval = binomtest(right, count).proportion_ci(method="exact")  # Clopper and Pearson 1934
        bounds = f"{interval.low:.3f} to {interval.high:.3f}"
        lines.append(f"| {source} | {half} | {count} | {right} | {right / count:.3f} | {bounds} |")
    return lines


def unseen(folder: Path, *, misses: bool) -> int:
    """Judge pictures and typefaces that no rule was made on, and write their table into the page."""
    use_unseen(folder)
    result = evaluate(UNSEEN)
    wrong = [f"{name} ({count - right} of {count})" for name, (count, right) in result.sources.items() if right < count]
    lines = [
        f"{len(PHOTOS[UNSEEN])} pictures and {len(FACES[UNSEEN])} typefaces, {N_EACH} images of each fault and "
        f"{N_SOUND} sound ones.",
        "",
        *_rate_lines({"unseen": result}),
        "",
        f"Not wholly right: {', '.join(wrong) or 'none'}.",
    ]
    made = "\n".join(lines)
    print(made)
    if misses:
        print("\n".join(result.wrong))
    PAGE.write_text(_filled(PAGE.read_text(encoding="utf-8"), UNSEEN_BEGIN, made, UNSEEN_END), encoding="utf-8")
    return int(min(result.rates("rotated")) < LEAST)


def speed(count: int, kept: Path | None) -> int:
    """Audit images of 512 × 512 with two processes, and tell what one costs; a folder keeps them for the next time."""
    with tempfile.TemporaryDirectory() as folder:
        root = kept or Path(folder) / "images"
        root.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            if not (root / f"{number:05d}.jpg").exists():
                rng = np.random.default_rng([7, number])
                picture, _ = document(rng, DEVELOPMENT) if number % 5 == 0 else photo(rng, DEVELOPMENT)
                picture.resize((512, 512)).save(root / f"{number:05d}.jpg", quality=90)
        if len(list(root.iterdir())) != count:
            raise SystemExit(f"{root} holds other images than {count} of these")
        before, started = _cpu(), time.perf_counter()
        audit_folder(root, AuditSettings(), Path(folder) / "out", jobs=2)
        seconds, cpu = time.perf_counter() - started, _cpu() - before
    each = cpu / count
    reported = each * N_SPEED / 2
    line = (
        f"{count:,} JPEGs of 512 × 512 took {seconds:.0f} s with `--jobs 2`, and {each * 1e3:.1f} ms of processor\n"
        f"time each, starting the workers included: {reported:.0f} s for {N_SPEED:,} of them on two free cores."
    )
    print(line)
    PAGE.write_text(_filled(PAGE.read_text(encoding="utf-8"), SPEED_BEGIN, line, SPEED_END), encoding="utf-8")
    return int(reported >= MOST_SECONDS)


def _filled(page: str, begin: str, content: str, end: str) -> str:
    """Return a page with other content between two marks."""
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise SystemExit(f"{PAGE} has not the lines {begin} and {end}")
    return f"{before}{begin}\n\n{content}\n\n{end}{after}"


def _cpu() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main() -> int:
    """Evaluate, and write, check or print the table; or tell the speed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--half", choices=[*HALVES, "both"], default="both")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--misses", action="store_true")
    parser.add_argument("--unseen", type=Path, metavar="FOLDER")
    parser.add_argument("--speed", type=int, default=0, metavar="N")
    parser.add_argument("--images", type=Path, metavar="FOLDER", help="keeps the images of --speed")
    chosen = parser.parse_args()
    if chosen.speed:
        return speed(chosen.speed, chosen.images)
    Measurer(1, 1)  # one thread, as in a worker
    if chosen.unseen:
        return unseen(chosen.unseen, misses=chosen.misses)
    halves = HALVES if chosen.half == "both" else {chosen.half: HALVES[chosen.half]}
    results = {name: evaluate(half) for name, half in halves.items()}
    made = table(results)
    print(made)
    if chosen.misses:
        print("\n".join(line for result in results.values() for line in result.wrong))
    if chosen.half != "both":
        return 0
    text = PAGE.read_text(encoding="utf-8")
    fresh = _filled(text, BEGIN, made, END)
    if chosen.check:
        print("the page is current" if fresh == text else "the page is not what the code gives")
        return int(fresh != text)
    PAGE.write_text(fresh, encoding="utf-8")
    held = results["held-out"]
    too_low = any(min(held.rates(fault)) < LEAST for fault in FAULTS)
    return int(too_low or float(np.mean(held.errors <= MOST_DEGREES)) < LEAST)


if __name__ == "__main__":
    sys.exit(main())
