"""Samples of two models on two tasks, as lm-evaluation-harness writes them: what docs/comparing_logs.md shows.

Run: python evals/bench/simulated_logs.py --out FOLDER
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

_DATE = "2026-01-05T09-00-00.000000"
_TASKS = {"reading": (240, 0.55, 0.69), "sums": (120, 0.70, 0.70)}
"""Task → items, and how many of them either model solves."""
_OF_A_PASSAGE = 4


def main() -> None:
    """Write a folder for each model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    out: Path = parser.parse_args().out
    rng = np.random.default_rng(11)
    for task, (n, *shares) in _TASKS.items():
        # Questions on one passage are alike, and what one model solves the other often does too.
        ease = np.repeat(rng.normal(0, 0.8, n // _OF_A_PASSAGE), _OF_A_PASSAGE) + rng.normal(0, 0.6, n)
        for model, share in zip(("base", "tuned"), shares, strict=True):
            solved = ease + rng.normal(0, 0.6, n) > np.quantile(ease, 1 - share)
            _write(out / model, task, solved.tolist())
    print(f"{len(_TASKS)} tasks of 2 models")


def _write(folder: Path, task: str, solved: list[bool]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        {
            "doc_id": number,
            "doc": {"question": f"Question {number} of {task}?", "passage": f"{task}-{number // _OF_A_PASSAGE}"},
            "target": "yes",
            "filtered_resps": ["yes" if right else "no"],
            "filter": "none",
            "metrics": ["acc"],
            "acc": float(right),
        }
        for number, right in enumerate(solved)
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / f"samples_{task}_{_DATE}.jsonl").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
