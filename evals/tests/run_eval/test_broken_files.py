"""Broken files of models, weights, labels, texts and predictions: read, or refused by name; and what is not a file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("onnx")

from torture import fuzz
from torture.model_readers import model_readers

READERS = model_readers()
PLACED = (os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero"), lambda path: path.symlink_to(path))
FOUND = {
    "half of a character in a text": ("texts: JSON Lines", b'{"text": "a \\ud800"}\n'),
    "no character in a path": ("images: labels", b"a\0.png,cat\n"),
    "a row without its cells": ("predictions", b"id,true_label,predicted_label\na,\n"),
    "a row of a page without its cells": ("page of an evaluation", b"id,true_label,predicted_label,score_cat\na,"),
    "a model with another setting": ("run of a training", b'{"task": "t", "model": {"name": "x", "other": 1}}'),
}


@pytest.mark.parametrize("name", READERS)
def test_a_reader_reads_or_refuses(name: str) -> None:
    """Whatever is done to a file: no other error, no long wait; the same for a pipe, a folder and a device."""
    reader = READERS[name]
    with fuzz.bed(reader) as folders:
        for target in range(len(reader.targets)):
            assert folders.tried(target, fuzz.plain(reader, target)) == "read"
    assert sum(fuzz.check(reader, 6, seed=5).values()) > 0
    with fuzz.bed(reader) as folders:
        for put in PLACED:
            for target in range(min(len(reader.targets), 3)):
                assert folders.given(target, put) in ("read", "refused")


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_stays_mended(name: str) -> None:
    """The smallest files that made a reader raise what nobody had foreseen."""
    reader, content = FOUND[name]
    with fuzz.bed(READERS[reader]) as folders:
        found = {folders.tried(target, content) for target in range(len(READERS[reader].targets))}
    assert found <= {"read", "refused"}
