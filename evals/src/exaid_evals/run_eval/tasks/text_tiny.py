"""`text_tiny`: the descriptions of data sets that scikit-learn ships, 14 documents of English prose, as bytes.

Whole documents are divided, so that no text is cut in two. They share some headings and phrases of form: a line of
validation or test text that stands in the training text too is taken out of it.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.run_eval.base import Task
from exaid_evals.run_eval.spec import IGNORE_INDEX, TaskSpec

SPLIT_SEED = 42
N_DOCUMENTS = {"val": 3, "test": 2}
"""All others are for training."""
LENGTH = 128
"""Bytes that a window predicts."""


class Windows(Dataset[dict[str, Any]]):
    """Items `{"id", "input_ids" [129], "labels" [129]}`: consecutive windows, in which each byte is predicted once.

    A window begins with the last byte of the one before, so that only a document's first byte is never predicted.
    The last window of a document is padded; labels of padding are ignored.
    """

    def __init__(self, documents: dict[str, bytes]) -> None:
        self._items: list[dict[str, Any]] = []
        for name, content in documents.items():
            for start in range(0, len(content) - 1, LENGTH):
                part = content[start : start + LENGTH + 1]
                padding = LENGTH + 1 - len(part)
                self._items.append(
                    {
                        "id": f"{name}@{start}",
                        "input_ids": torch.tensor([*part, *[0] * padding]),
                        "labels": torch.tensor([*part, *[IGNORE_INDEX] * padding]),
                    }
                )

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self._items[index]


def build() -> Task:
    """Read the documents and divide them with a fixed seed."""
    documents = divided(_documents())
    return Task(
        name="text_tiny",
        spec=TaskSpec(
            modality="text",
            task_type="causal_language_modeling",
            input_schema={"input_key": "input_ids", "length": LENGTH},
            output_schema={"vocab_size": 256, "ignore_index": IGNORE_INDEX, "label_key": "labels"},
            name="text_tiny",
        ),
        splits={
            split: Windows({name: text.encode() for name, text in part.items()}) for split, part in documents.items()
        },
        data_sha256=sha256_structure(documents),
        adapter="causal_lm",
        primary_metric="perplexity",
        lower_is_better=True,
        eval_defaults={"batch_size": 16},
    )


def _documents() -> dict[str, str]:
    folder = files("sklearn.datasets.descr")
    texts = {entry.name: entry.read_text(encoding="utf-8") for entry in folder.iterdir() if entry.name.endswith(".rst")}
    return dict(sorted(texts.items()))


def divided(documents: dict[str, str]) -> dict[str, dict[str, str]]:
    """Return the documents of each split, `train` first, without lines that stand in the training text."""
    names = [list(documents)[index] for index in np.random.default_rng(SPLIT_SEED).permutation(len(documents))]
    parts: dict[str, list[str]] = {}
    for split, n in N_DOCUMENTS.items():
        parts[split], names = sorted(names[:n]), names[n:]
    found = {"train": {name: documents[name] for name in sorted(names)}}
    known = {line.strip() for text in found["train"].values() for line in text.splitlines()} - {""}
    for split, own in parts.items():
        found[split] = {name: _without(documents[name], known) for name in own}
    return found


def _without(text: str, lines: set[str]) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if line.strip() not in lines)
