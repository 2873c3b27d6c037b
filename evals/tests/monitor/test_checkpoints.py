"""Checkpoints come back as they were, and nothing else does: no pickle, no other file, no damaged bytes."""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaid_evals.artifacts.hashing import sha256_bytes
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.monitor.recovery.checkpoints import CheckpointStore
from exaid_evals.monitor.recovery.state_file import Soundness, read_state, write_state

_plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
_states = st.recursive(
    _plain,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=4)
    ),
    max_leaves=20,
)


def packed(state: Any) -> bytes:
    """Return a state's bytes."""
    stream = io.BytesIO()
    write_state(stream, state)
    return stream.getvalue()


@given(_states)
def test_plain_states_come_back(state: Any) -> None:
    """Values, types, kinds of sequences, and keys that are numbers."""
    back = read_state(packed(state), "state")
    assert back == state
    assert repr(back) == repr(state)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.array(3.5, dtype=np.float16),
        np.zeros((0, 4), dtype=bool),
        np.array([1 + 2j]),
        np.array([math.nan, -math.inf]),
        np.array(["ab", "ç"]),
    ],
    ids=lambda array: f"{array.dtype}-{array.shape}",
)
def test_arrays_come_back(array: Any) -> None:
    """Every plain type and shape."""
    back = read_state(packed({"a": [array]}), "state")["a"][0]
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)


def test_numbers_that_json_lacks_come_back() -> None:
    """NaN and infinities, and numbers of NumPy."""
    back = read_state(packed(OrderedDict(a=math.inf, b=math.nan, c=np.float32(0.1))), "state")
    assert back["a"] == math.inf
    assert math.isnan(back["b"])
    assert back["c"] == np.float32(0.1)


def test_the_bytes_are_reproducible() -> None:
    """The same state gives the same bytes."""
    state = {"w": np.arange(5.0), "n": 1}
    assert packed(state) == packed(state)
    assert all(
        info.date_time == (1980, 1, 1, 0, 0, 0) for info in zipfile.ZipFile(io.BytesIO(packed(state))).infolist()
    )


@pytest.mark.parametrize(
    "state", [{"a": {1, 2}}, {"a": b"x"}, {"a": object()}, {"a": np.array([object()])}, {(1, 2): 3}, {"a": 1j}]
)
def test_what_cannot_be_kept_is_refused_by_name(state: Any) -> None:
    """The message says where it stands."""
    with pytest.raises(ConfigError, match="state"):
        packed(state)


def test_cycles_are_refused() -> None:
    """A state that holds itself ends."""
    state: dict[str, Any] = {}
    state["self"] = state
    with pytest.raises(ConfigError, match="nested too deeply"):
        packed(state)


class _Exploit:
    def __reduce__(self) -> tuple[Any, Any]:
        return os.mkdir, ("exploited",)


def _object_npz() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, a0=np.array([_Exploit()], dtype=object), tree=np.frombuffer(b'["array","a0"]', dtype=np.uint8))
    return stream.getvalue()


def _bomb(shape: str) -> bytes:
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    member = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(8)
    return _zip({"a0.npy": member, "tree.npy": b""})


def _zip(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def _tree(text: str) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, tree=np.frombuffer(text.encode(), dtype=np.uint8))
    return stream.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        pickle.dumps(_Exploit()),
        _object_npz(),
        _bomb("(1000000000000,)"),
        _bomb("(-1,)"),
        _zip({"a0.npy": bytes(10_000_000), "tree.npy": b""}, zipfile.ZIP_DEFLATED),
        _zip({"archive/data.pkl": pickle.dumps(_Exploit())}),
        _tree('["array","a9"]'),
        _tree('["tensor","tree","os.system"]'),
        _tree('["eval","1"]'),
        _tree("[" * 100_000),
        b"",
        b"PK\x03\x04",
        packed({"w": np.arange(1000.0)})[:-200],
    ],
    ids=[
        *("pickle", "objects", "bomb", "negative", "deflated", "torch"),
        *("array", "dtype", "tag", "deep", "empty", "zip", "cut"),
    ],
)  # fmt: skip
def test_hostile_bytes_are_refused(data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They end in an error of ours, and nothing that they hold is run."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError):
        read_state(data, "file")
    assert not list(tmp_path.iterdir())


def filled(folder: Path) -> CheckpointStore:
    """Return a store of three checkpoints, the best of which is the last."""
    store = CheckpointStore(folder, 3, larger_is_worse=False)
    for step, value in ((1, 0.5), (2, 0.7), (3, 0.9)):
        store.save({"w": np.full(4, float(step))}, step, "val_accuracy", value)
    return store


def test_the_best_comes_first(tmp_path: Path) -> None:
    """By the metric's direction; with equal values the later one."""
    assert [one.step for one in filled(tmp_path / "a").ranked] == [3, 2, 1]
    losses = CheckpointStore(tmp_path / "b", 2, larger_is_worse=True)
    for step, value in ((1, 0.5), (2, 0.1), (3, 0.1), (4, 0.3)):
        losses.save({}, step, "loss", value)
    assert [one.step for one in losses.ranked] == [3, 2]
    assert len(list((tmp_path / "b").iterdir())) == 4


@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "link"])
def test_a_damaged_checkpoint_gives_way_to_the_next_best(damage: str, tmp_path: Path) -> None:
    """Its hash is not that of the manifest, or it is not a file of this folder."""
    store = filled(tmp_path)
    path = tmp_path / "checkpoint-000003.npz"
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif damage == "cut":
        path.write_bytes(data[:-10])
    else:
        path.rename(tmp_path / "elsewhere")
        if damage == "link":  # the content is right, and the place is not
            path.symlink_to(tmp_path / "elsewhere")
    found = store.best()
    assert found is not None
    assert (found[0].step, found[1]["w"].tolist()) == (2, [2.0] * 4)
    assert len(store.refused) == 1
    assert "checkpoint-000003.npz" in store.refused[0]


def test_no_checkpoint_is_left() -> None:
    """Where none can be believed there is none, rather than a wrong one."""
    assert CheckpointStore(Path("nowhere"), 1, larger_is_worse=True).best() is None


def test_a_hostile_folder_names_no_other_file(tmp_path: Path) -> None:
    """Manifests with paths, of other kinds, too large or linked are refused; pickles beside them are never opened."""
    folder = tmp_path / "checkpoints"
    filled(folder)
    good = json.loads((folder / "checkpoint-000003.json").read_text())
    secret = pickle.dumps(_Exploit())
    (tmp_path / "outside.npz").write_bytes(secret)
    manifests = {
        "checkpoint-000004.json": {**good, "file": "../outside.npz", "sha256": sha256_bytes(secret)},
        "checkpoint-000005.json": {**good, "value": "nan"},
        "checkpoint-000006.json": {**good, "schema_version": "9.0.0"},
        "checkpoint-000007.json": [good],
        "checkpoint-000008.json": {**good, "record_type": "action"},
    }
    for name, manifest in manifests.items():
        (folder / name).write_text(json.dumps(manifest))
    (folder / "checkpoint-000009.json").symlink_to(tmp_path / "outside.npz")
    (folder / "checkpoint-000010.json").write_text("[" * 200_000)
    os.mkfifo(folder / "checkpoint-000011.json")
    (folder / "checkpoint-../../outside.json").parent.mkdir(parents=True, exist_ok=True)
    (folder / "checkpoint-000012.npz").write_bytes(secret)
    (folder / "model.pt").write_bytes(secret)
    store = CheckpointStore(folder, 3, larger_is_worse=False, resume=True)
    assert [one.number for one in store.ranked] == [3, 2, 1]
    assert len(store.refused) == 8
    best = store.best()
    assert best is not None
    assert best[0].step == 3
    # What comes new gets a number that nobody has taken.
    assert store.save({}, 20, "val_accuracy", 0.95).number == 13


def test_a_checkpoint_with_the_right_hash_of_a_pickle_is_refused(tmp_path: Path) -> None:
    """Who can write the manifest can make hashes agree: the content is refused all the same."""
    filled(tmp_path)
    data = _object_npz()
    (tmp_path / "checkpoint-000003.npz").write_bytes(data)
    path = tmp_path / "checkpoint-000003.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "sha256": sha256_bytes(data)}))
    store = CheckpointStore(tmp_path, 3, larger_is_worse=False, resume=True)
    found = store.best()
    assert found is not None
    assert found[0].step == 2


def test_an_interrupted_checkpoint_is_none(tmp_path: Path) -> None:
    """The manifest is written last, and what a killed writer left is removed."""
    filled(tmp_path)
    (tmp_path / "checkpoint-000003.json").unlink()
    (tmp_path / ".checkpoint-000004.npz.0123abcd.tmp").write_bytes(b"half")
    store = CheckpointStore(tmp_path, 3, larger_is_worse=False, resume=True)
    assert [one.step for one in store.ranked] == [2, 1]
    assert not list(tmp_path.glob(".*"))


def test_finite() -> None:
    """Only floating-point numbers are asked."""
    assert Soundness({}).holds({"a": [np.array([1, 2]), np.array(["x"])], "b": (1.0, None)})
    assert not Soundness({}).holds({"a": [np.array([1.0, math.nan])]})
    assert not Soundness({}).holds([math.inf])


@pytest.mark.parametrize(
    "header",
    [
        b"\x93NUMPY\x01\x00\x12\x00{'descr': '''abc  ",
        b"\x93NUMPY\x01\x00\x10\x00{'descr': ((((((",
        b"\x93NUMPY\x01\x00"
        + (70).to_bytes(2, "little")
        + b"{'descr': '<f8', 'fortran_order': False, 'shape': (0, 10"
        + b"0" * 14
        + b")}  ",
    ],
)
def test_hostile_headers_are_damage_like_any_other(header: bytes) -> None:
    """Whatever NumPy, tokenize or zipfile raises of them."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        packed.writestr("a0.npy", header)
    with pytest.raises(DataError, match="not a state of a model"):
        read_state(stream.getvalue(), "x")


def test_changed_bytes_never_raise_anything_else() -> None:
    """A thousand states with one to three bytes changed: read, or refused."""
    rng = np.random.default_rng(0)
    stream = io.BytesIO()
    write_state(stream, {"model": {"w": np.arange(6.0).reshape(2, 3), "x": [1, (2.5, None)]}})
    for _ in range(1000):
        data = bytearray(stream.getvalue())
        for _ in range(rng.integers(1, 4)):
            data[rng.integers(len(data))] = rng.integers(256)
        with contextlib.suppress(DataError):
            read_state(bytes(data), "x")


def test_numpys_scalars_keep_their_type() -> None:
    """A learning rate of np.float32 is one afterwards, and no array."""
    stream = io.BytesIO()
    write_state(stream, {"lr": np.float32(0.1), "n": np.int64(3)})
    state = read_state(stream.getvalue(), "x")
    assert (type(state["lr"]), type(state["n"])) == (np.float32, np.int64)
    assert state == {"lr": np.float32(0.1), "n": 3}
