"""Long texts as a task: windows in which every token is predicted once, with as much before it as is asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch.utils.data import Dataset

from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.run_eval.base import Task
from exaid_evals.run_eval.spec import IGNORE_INDEX, TaskSpec

Encode = Callable[[str], Sequence[int]]


def windows(n: int, length: int, stride: int) -> Iterator[tuple[int, int, int]]:
    """Yield the windows over n predictions: where each begins and ends, and the first that counts in it.

    Every prediction counts in exactly one window; all but those of the first window have at least `length − stride`
    tokens before them.

    Raises:
        ConfigError: the stride is not within 1 … length.
    """
    if not 1 <= stride <= length:
        raise ConfigError(f"a stride of {stride} for windows of {length}", where="stride", remedy="take 1 … length")
    counted = 0
    for start in range(0, n, stride):
        end = min(start + length, n)
        yield start, end, counted
        counted = end
        if end == n:
            return


class TextWindows(Dataset[dict[str, Any]]):
    """Items `{"id", "input_ids" [T], "targets" [T], "attention_mask" [T], "n_bytes", "n_words"}`.

    Bytes and words of a text (what white space parts) stand in its first window, and 0 in the others.
    """

    def __init__(
        self, texts: Mapping[str, str], encode: Encode, *, length: int, stride: int, prefix: int | None, pad: int
    ) -> None:
        self._length, self._pad = length, pad
        self._tokens: dict[str, list[int]] = {}
        self._sizes = {
            name: (len(text.encode("utf-8", "surrogatepass")), len(text.split())) for name, text in texts.items()
        }
        self._items: list[tuple[str, int, int, int]] = []
        for name, text in texts.items():
            self._tokens[name] = [*([] if prefix is None else [prefix]), *encode(text)]
            self._items += [(name, *window) for window in windows(len(self._tokens[name]) - 1, length, stride)]

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> dict[str, Any]:
        name, start, end, counted = self._items[index]
        tokens, padding = self._tokens[name], self._length - (end - start)
        targets = [IGNORE_INDEX] * (counted - start) + tokens[counted + 1 : end + 1]
        n_bytes, n_words = (0, 0) if start else self._sizes[name]
        return {
            "id": f"{name}@{start}",
            "input_ids": torch.tensor(tokens[start:end] + [self._pad] * padding),
            "targets": torch.tensor(targets + [IGNORE_INDEX] * padding),
            "attention_mask": torch.tensor([1] * (end - start) + [0] * padding),
            "n_bytes": n_bytes,
            "n_words": n_words,
        }


def text_task(
    texts: Iterable[Any],
    tokenizer: Any,
    *,
    length: int,
    stride: int | None = None,
    column: str = "text",
    split: str = "val",
    name: str = "texts",
) -> Task:
    """Return a task of texts and a tokenizer, such as transformers': perplexity by sliding windows.

    The first token of a text is predicted from the tokenizer's token that begins a text (`bos`, else `eos`), as
    lm-evaluation-harness does; without such a token it is not predicted.

    Args:
        texts: strings, or rows of a data set with a column of texts, and perhaps `id`.
        tokenizer: with `encode(text, add_special_tokens=False)`, or a function from text to token numbers.
        length: tokens that a model is given at a time.
        stride: by how many tokens windows are moved; None takes `length`, the quickest, where windows do not overlap.
        column: of the texts.
        split: that they make up.
        name: of the task.

    Raises:
        DataError: there is no text, or one is no string.
        ConfigError: length and stride do not fit.
    """
    found: dict[str, str] = {}
    for number, row in enumerate(texts):
        text = row.get(column) if isinstance(row, Mapping) else row
        if not isinstance(text, str):
            raise DataError(
                f"is a {type(text).__name__}, not a text",
                where=f"texts[{number}]",
                remedy="name the column of the texts",
            )
        found[str(row.get("id", number)) if isinstance(row, Mapping) else str(number)] = text
    if not found:
        raise DataError("there is no text", where=name, remedy="check the data set's split")
    own = getattr(tokenizer, "encode", None)
    encode: Encode = tokenizer if own is None else lambda text: list(own(text, add_special_tokens=False))
    prefix = next(
        (one for key in ("bos", "eos") if (one := getattr(tokenizer, f"{key}_token_id", None)) is not None), None
    )
    pad = getattr(tokenizer, "pad_token_id", None) or 0
    items = TextWindows(found, encode, length=length, stride=stride or length, prefix=prefix, pad=pad)
    if not len(items):
        raise DataError("no text has a token to predict", where=name, remedy="check the tokenizer")
    return Task(
        name=name,
        spec=TaskSpec(
            modality="text",
            task_type="causal_language_modeling",
            input_schema={"input_key": "input_ids", "length": length, "stride": stride or length},
            output_schema={"ignore_index": IGNORE_INDEX},
            name=name,
        ),
        splits={split: items},
        data_sha256=sha256_structure(found),
        adapter="transformers_causal_lm" if own is not None else "causal_lm",
        primary_metric="perplexity",
        lower_is_better=True,
        eval_defaults={"batch_size": 8, "split": split},
    )


def bits_per(loss_sum: float, n: int) -> float:
    """Return a summed loss in nats as bits for each of n bytes; NaN of none."""
    return loss_sum / math.log(2) / n if n else math.nan
