"""The tasks that ship: real data, divided with a fixed seed and without leakage."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from exaid_evals.run_eval import CausalLMAdapter, build_task, shipped  # noqa: E402
from exaid_evals.run_eval.shipped import bigram, nearest_centroid  # noqa: E402


def test_vision_tiny_is_scikit_learns_digits_upscaled() -> None:
    """1,797 images in three splits of equal class shares, at 32 × 32, between 0 and 1."""
    task = build_task("vision_tiny")
    sizes = {name: len(split) for name, split in task.splits.items()}  # type: ignore[arg-type]
    assert sum(sizes.values()) == 1797
    for name, share in shipped.SHARES.items():
        assert sizes[name] == pytest.approx(share * 1797, abs=10)
        counts = torch.bincount(task.splits[name].labels, minlength=10)  # type: ignore[attr-defined]
        assert counts.max() - counts.min() <= 10 * share
    item = task.splits["val"][0]
    assert item["image"].shape == (1, 32, 32)
    assert 0 <= float(item["image"].min()) < float(item["image"].max()) <= 1


def test_no_image_is_in_two_splits() -> None:
    """Neither by number nor by its pixels."""
    task = build_task("vision_tiny")
    for of in (lambda item: item["id"], lambda item: item["image"].numpy().tobytes()):
        seen = [{of(split[index]) for index in range(len(split))} for split in task.splits.values()]  # type: ignore[arg-type]
        assert sum(map(len, seen)) == len(set.union(*seen)) == 1797


def test_no_line_of_held_out_text_is_in_the_training_text() -> None:
    """Documents are divided whole, and lines of form that they share are taken out of the held-out ones."""
    parts = shipped.divided(shipped._documents())
    assert {name: len(part) for name, part in parts.items()} == {"train": 9, "val": 3, "test": 2}
    names = [name for part in parts.values() for name in part]
    assert len(set(names)) == len(names) == 14
    train = {line.strip() for text in parts["train"].values() for line in text.splitlines()} - {""}
    for split in ("val", "test"):
        lines = {line.strip() for text in parts[split].values() for line in text.splitlines()} - {""}
        assert lines
        assert lines & train == set()


def test_every_byte_is_predicted_once() -> None:
    """All but a document's first; windows neither repeat nor lose any, and padding is ignored."""
    content = bytes(range(256)) + b"and a short end"
    windows = shipped.Windows({"a": content, "b": b"xyz", "c": b"x", "d": b""})
    adapter, spec = CausalLMAdapter(), build_task("text_tiny").spec
    predicted: dict[str, bytes] = {}
    for index in range(len(windows)):
        item = {key: value[None] for key, value in windows[index].items() if key != "id"}
        targets = adapter.labels(item, spec)[0]
        name = windows[index]["id"].partition("@")[0]
        predicted[name] = predicted.get(name, b"") + bytes(targets[targets != spec.ignore_index].tolist())
    assert predicted == {"a": content[1:], "b": b"yz"}


def test_the_division_does_not_change() -> None:
    """Numbers of other days are of the same data: the content and its division have this hash.

    It is of scikit-learn 1.9, whose documents these are; another release may have edited them.
    """
    import sklearn

    if sklearn.__version__ != "1.9.1":
        pytest.skip(f"scikit-learn {sklearn.__version__} is not the one of the lock file")
    assert build_task("vision_tiny").data_sha256.startswith("sha256:a4dbc2e35b44")
    assert build_task("text_tiny").data_sha256.startswith("sha256:a8145bbb50a7")


def test_the_baselines_are_what_they_say() -> None:
    """Oracles: scikit-learn's NearestCentroid, and counts of pairs by hand."""
    import numpy as np
    from sklearn.neighbors import NearestCentroid

    task = build_task("vision_tiny")
    train, val = task.splits["train"], task.splits["val"]
    oracle = NearestCentroid().fit(train.images.flatten(1).numpy(), train.labels.numpy())  # type: ignore[attr-defined]
    with torch.no_grad():
        guesses = nearest_centroid(task)(val.images).argmax(1).numpy()  # type: ignore[attr-defined]
    assert np.mean(guesses == oracle.predict(val.images.flatten(1).numpy())) == 1.0  # type: ignore[attr-defined]

    text = build_task("text_tiny")
    content = "".join(shipped.divided(shipped._documents())["train"].values()).encode()
    after_q = [content[index + 1] for index in range(len(content) - 1) if content[index] == ord("q")]
    model = bigram(text, smoothing=0.5)
    probability = float(model(torch.tensor([[ord("q")]]))[0, 0, ord("u")].exp())
    assert probability == pytest.approx((after_q.count(ord("u")) + 0.5) / (len(after_q) + 0.5 * 256), abs=1e-6)
