"""Texts as a task: classified, or in windows in which each token is predicted once, after as many as are asked for."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset, default_collate

from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.config.plugins import optional
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.files import open_regular
from exaid_evals.run_eval.base import Task
from exaid_evals.run_eval.images import read_text
from exaid_evals.run_eval.spec import IGNORE_INDEX, TaskSpec
from exaid_evals.runs.files.document import parsed

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
        self,
        texts: Mapping[str, str],
        encode: Encode,
        *,
        length: int,
        stride: int,
        prefix: int | None,
        pad: int,
        decode: Callable[[list[int]], str] | None = None,
    ) -> None:
        self._length, self._pad, self._texts, self._decode = length, pad, texts, decode
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

    def shown(self, name: str) -> str:
        """Return the text of a window's id, or where tokens cannot be made text again that which it is of."""
        of, _, start = name.rpartition("@")
        if self._decode is None:
            return self._texts[of]
        return self._decode(self._tokens[of][int(start) : int(start) + self._length + 1])

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
        DataError: there is no text, or one is not a string.
        ConfigError: length and stride do not fit.
    """
    found = {name: text for name, text, _ in _rows(texts, column, None, name)}
    own = getattr(tokenizer, "encode", None)
    encode: Encode = tokenizer if own is None else lambda text: list(own(text, add_special_tokens=False))
    first = (getattr(tokenizer, f"{key}_token_id", None) for key in ("bos", "eos"))
    items = TextWindows(
        found,
        encode,
        length=length,
        stride=stride or length,
        prefix=next((one for one in first if one is not None), None),
        pad=getattr(tokenizer, "pad_token_id", None) or 0,
        decode=getattr(tokenizer, "decode", None),
    )
    if not len(items):
        raise DataError("no text has a token to predict", where=name, remedy="give longer texts, or another tokenizer")
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


def _rows(texts: Iterable[Any], column: str, label: str | None, where: str) -> list[tuple[str, str, Any]]:
    """Return id, text and label of each row; the label is None where no column of labels is named.

    Raises:
        DataError: there is no row, one holds no text or label, or two have one id.
    """
    found: dict[str, tuple[str, str, Any]] = {}
    for number, row in enumerate(texts):
        of = row if isinstance(row, Mapping) else {column: row}
        text, name = of.get(column), str(of.get("id", number))
        if not isinstance(text, str):
            raise DataError(
                f"is a {type(text).__name__}, not a text",
                where=f"texts[{number}]",
                remedy=f"name the column of the texts; there are {', '.join(map(str, of))}",
            )
        if name in found or (label is not None and of.get(label) is None):
            raise DataError(
                f"has the id {name} of another row" if name in found else f"has no {label}",
                where=f"texts[{number}]",
                remedy="give each row an id of its own, or none any" if name in found else "label it, or leave it out",
            )
        found[name] = (name, text, None if label is None else of[label])
    if not found:
        raise DataError("there is no text", where=where, remedy="check the data set's split")
    return list(found.values())


class ClassifiedTexts(Dataset[dict[str, Any]]):
    """Items `{"id", "label", "input_ids", …}`, what the tokenizer of transformers makes of a text, cut to a length."""

    def __init__(self, rows: Sequence[tuple[str, str, int]], tokenizer: Any, length: int) -> None:
        self._rows, self._tokenizer, self._length = rows, tokenizer, length
        self._texts = {name: text for name, text, _ in rows}

    def __len__(self) -> int:
        return len(self._rows)

    def shown(self, name: str) -> str:
        """Return the text of an id."""
        return self._texts[name]

    def __getitem__(self, index: int) -> dict[str, Any]:
        name, text, label = self._rows[index]
        return {"id": name, "label": label, "tokens": self._tokenizer(text, truncation=True, max_length=self._length)}

    def collate(self, items: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return a batch, padded to its longest text."""
        batch = default_collate([{"id": one["id"], "label": one["label"]} for one in items])
        return {**batch, **self._tokenizer.pad([one["tokens"] for one in items], return_tensors="pt")}


def text_classification_task(
    texts: Iterable[Any],
    tokenizer: Any,
    *,
    label: str,
    classes: Sequence[str],
    length: int,
    column: str = "text",
    split: str = "val",
    name: str = "texts",
) -> Task:
    """Return a task of texts with a class each.

    Args:
        texts: rows of a data set with columns of texts and labels, and perhaps `id`.
        tokenizer: of transformers.
        label: column of the labels: names of classes, or their numbers.
        classes: names of the model's classes, in order.
        length: tokens to which a text is cut.
        column: of the texts.
        split: that they make up.
        name: of the task.

    Raises:
        DataError: a row holds no text, or a label that is not a class.
    """
    numbers = {str(number): number for number in range(len(classes))} | {one: at for at, one in enumerate(classes)}
    rows = []
    for row, text, of in _rows(texts, column, label, name):
        if str(of) not in numbers:
            raise DataError(
                f"{of!r} is not a class of the model",
                where=f"row {row}",
                remedy=f"its classes are {', '.join(classes)}",
            )
        rows.append((row, text, numbers[str(of)]))
    return Task(
        name=name,
        spec=TaskSpec(
            modality="text",
            task_type="text_classification",
            input_schema={"input_key": "input_ids", "length": length},
            output_schema={"num_classes": len(classes), "class_names": list(classes), "label_key": "label"},
            name=name,
        ),
        splits={split: ClassifiedTexts(rows, tokenizer, length)},
        data_sha256=sha256_structure(rows),
        adapter="transformers_classification",
        primary_metric="accuracy",
        lower_is_better=False,
        eval_defaults={"batch_size": 16, "split": split},
    )


_TABLES = frozenset({".csv", ".jsonl", ".parquet", ".tsv", ".txt"})


def holds_texts(path: Path) -> bool:
    """Return whether a path is a file of texts, a folder of .txt files, or a data set that datasets has saved."""
    if path.is_dir():
        held = {one.suffix for one in path.iterdir()}
        return _is_saved(path) or held == {".txt"}
    return path.suffix.lower() in _TABLES


def _is_saved(path: Path) -> bool:
    return any((path / name).is_file() for name in ("dataset_dict.json", "state.json"))


def read_texts(path: Path, split: str) -> list[Any]:
    """Return the texts of a path: rows of a table, or whole .txt files, each by its name.

    Raises:
        DataError: it cannot be read, or a saved data set has no such split.
        MissingDependencyError: what reads it is not installed.
    """
    kind = path.suffix.lower()
    if path.is_dir() and not _is_saved(path):
        return [{"id": one.name, "text": read_text(one)} for one in sorted(path.glob("*.txt"))]
    if kind == ".txt":
        return [{"id": path.name, "text": read_text(path)}]
    if kind in (".csv", ".tsv"):
        return _table(path, "\t" if kind == ".tsv" else ",")
    if kind == ".jsonl":
        return _json_lines(path)
    return _of_library(path, split)


def _table(path: Path, delimiter: str) -> list[Any]:
    text = read_text(path)
    before = csv.field_size_limit(max(len(text), 1))  # a cell is a whole text
    try:
        return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise DataError(
            f"is not a table ({error})", where=str(path), remedy="quote texts, and double quotes inside them"
        ) from error
    finally:
        csv.field_size_limit(before)


def _json_lines(path: Path) -> list[Any]:
    found = []
    for number, line in enumerate(read_text(path).split("\n"), 1):  # texts may hold other ends of lines as they are
        try:
            found += [parsed(line)] if line.strip() else []
        except (ValueError, RecursionError) as error:
            raise DataError(f"is not JSON ({error})", where=f"{path}:{number}", remedy="correct the line") from error
    return found


def _of_library(path: Path, split: str) -> list[Any]:
    """Read a Parquet file by pyarrow, or what datasets has saved."""
    if path.suffix.lower() == ".parquet":
        parquet = optional("pyarrow.parquet", "pyarrow", "reading Parquet", "pyarrow")
        try:
            with open_regular(path) as stream:
                rows: list[Any] = parquet.read_table(stream).to_pylist()
        except (OSError, ValueError) as error:
            raise DataError(f"cannot be read ({error})", where=str(path), remedy="name a Parquet file") from error
        return rows
    datasets = optional("datasets", "datasets", "reading a saved data set", "datasets")
    try:
        held = datasets.load_from_disk(str(path))
    except Exception as error:  # its readers of JSON and Arrow raise whatever damage leads them to
        raise DataError(
            f"is not a saved data set ({type(error).__name__}: {error})",
            where=str(path),
            remedy="write or copy it again",
        ) from error
    if isinstance(held, Mapping):
        if split not in held:
            raise DataError(f"has no split {split}", where=str(path), remedy=f"it has {', '.join(held)}")
        held = held[split]
    return list(held)


def bits_per(loss_sum: float, n: int) -> float:
    """Return a summed loss in nats as bits for each of n bytes; NaN of none."""
    return loss_sum / math.log(2) / n if n else math.nan
