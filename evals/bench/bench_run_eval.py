"""How much memory and time an evaluation takes as the set grows, beside a loop that keeps every logit."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

SOURCES = str(Path(__file__).resolve().parent.parent / "src")
N_IMAGES = (1_000, 10_000, 100_000)
N_CLASSES = 1000
BATCH = 100
TARGET_MB = 32
"""What 100,000 images may take beyond 1,000; their logits alone are 381 MB."""


def batches(n_images: int) -> Any:
    """Yield images that are their own logits, shape (100, 1000), and labels that are right about half of the time."""
    import torch

    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(BATCH, N_CLASSES, generator=generator)
    for number in range(n_images // BATCH):
        logits = noise.roll(number, dims=1).clone()
        labels = torch.randint(N_CLASSES, (BATCH,), generator=generator)
        logits[torch.arange(BATCH), labels] += 3.5
        yield logits, labels


def ours(n_images: int, *, everything: bool) -> dict[str, float]:
    """Evaluate as the package does."""
    import torch

    from exaid_evals.run_eval import EvalConfig, TaskSpec, VisionClassificationAdapter, run_eval

    settings = {"calibration": True, "intervals": True, "per_class": True} if everything else {}
    config = EvalConfig(loader=batches(n_images), progress=False, **settings)
    spec = TaskSpec("vision", "image_classification", {}, {"num_classes": N_CLASSES})
    return run_eval(torch.nn.Identity(), VisionClassificationAdapter(), config, spec)


def kept(n_images: int) -> dict[str, float]:
    """Keep all logits and compute at the end, as a hand-written loop does."""
    import torch

    logits, labels = (torch.cat(parts) for parts in zip(*batches(n_images), strict=True))
    order = logits.topk(5, dim=1).indices == labels[:, None]
    return {
        "loss": float(torch.nn.functional.cross_entropy(logits, labels)),
        "accuracy": float(order[:, 0].double().mean()),
        "top3_accuracy": float(order[:, :3].any(1).double().mean()),
        "top5_accuracy": float(order.any(1).double().mean()),
    }


KINDS = {
    "run_eval": lambda n: ours(n, everything=False),
    "run_eval, everything": lambda n: ours(n, everything=True),
    "loop that keeps logits": kept,
}


def child(kind: str, n_images: int) -> None:
    """Evaluate in a process of its own, and print its peak memory beyond that of a first small evaluation."""
    import resource

    import torch

    torch.set_num_threads(1)
    KINDS[kind](BATCH)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    metrics = KINDS[kind](n_images)
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"mb": (after - before) / 1024, "seconds": seconds, "metrics": metrics}))


def measured(kind: str, n_images: int) -> dict[str, Any]:
    """Run a child."""
    done = subprocess.run(
        [sys.executable, __file__, kind, str(n_images)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": SOURCES},
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def overheads() -> list[tuple[str, float, float]]:
    """Return workload, seconds as a share of a bare loop with torchmetrics, and the limit.

    One thread, one process, the ways in turn, and the least time of each: load from elsewhere hits all alike.
    """
    import torch
    from torchmetrics.classification import MulticlassAccuracy
    from torchmetrics.text import Perplexity

    from exaid_evals.run_eval import CausalLMAdapter, EvalConfig, TaskSpec, VisionClassificationAdapter, run_eval

    torch.set_num_threads(1)
    torch.manual_seed(0)
    cnn = torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 3, padding=1), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(4), torch.nn.Flatten(),
        torch.nn.Linear(256, 10),
    )  # fmt: skip
    images = [(torch.randn(64, 3, 32, 32), torch.randint(10, (64,))) for _ in range(20)]
    features = [(torch.randn(100, 512), torch.randint(1000, (100,))) for _ in range(40)]
    head = torch.nn.Linear(512, 1000)
    language = torch.nn.Sequential(torch.nn.Embedding(1000, 128), torch.nn.Linear(128, 1000))
    texts = [(torch.randint(1000, (8, 128)), torch.randint(1000, (8, 128))) for _ in range(10)]

    def bare(model: Any, data: Any, metrics: list[Any]) -> None:
        total, n = 0.0, 0
        with torch.no_grad():
            for inputs, labels in data:
                logits = model(inputs)
                rows = logits.flatten(0, -2)
                total += float(torch.nn.functional.cross_entropy(rows, labels.flatten(), reduction="sum"))
                n += labels.numel()
                if not metrics:
                    (logits.topk(5, dim=-1).indices == labels[..., None]).sum(dim=0).tolist()
                for metric in metrics:
                    metric.update(logits, labels)
        [metric.compute() for metric in metrics]

    def ours(model: Any, data: Any, adapter: Any, modality: str, settings: dict[str, bool]) -> None:
        run_eval(model, adapter, EvalConfig(loader=data, progress=False, **settings), TaskSpec(modality))

    def top_k(n_classes: int) -> list[Any]:
        return [MulticlassAccuracy(n_classes, average="micro", top_k=k) for k in (1, 3, 5)]

    vision, text = (VisionClassificationAdapter(), "vision"), (CausalLMAdapter(), "text")
    everything = {"calibration": True, "intervals": True, "per_class": True, "selective": True}
    found = []
    for name, model, data, kind, metrics, settings, limit in (
        ("images, 10 classes", cnn, images, vision, top_k(10), {}, 1.0),
        ("images, all options", cnn, images, vision, top_k(10), everything, 2.0),
        ("linear head, 1,000 classes", head, features, vision, top_k(1000), {}, 1.0),
        ("the same, of a bare loop", head, features, vision, [], {}, 2.0),
        ("text", language, texts, text, [Perplexity(ignore_index=-100)], {}, 1.1),
        ("text, intervals", language, texts, text, [Perplexity(ignore_index=-100)], {"intervals": True}, 2.0),
    ):
        times: list[list[float]] = [[], []]
        for _ in range(7):
            ways = (partial(ours, model, data, *kind, settings), partial(bare, model, data, metrics))
            for kept, work in zip(times, ways, strict=True):
                started = time.process_time()
                work()
                kept.append(time.process_time() - started)
        found.append((name, min(times[0]) / min(times[1]), limit))
    return found


def main() -> int:
    """Print the table; 1 where memory grows with the set or the two ways disagree."""
    if importlib.util.find_spec("torch") is None:
        print("run_eval: not measured, PyTorch is not installed (make torch-bench)")
        return 0
    if len(sys.argv) == 3:
        child(sys.argv[1], int(sys.argv[2]))
        return 0
    slow = 0
    if importlib.util.find_spec("torchmetrics") is not None:
        print(f"{'time, as a share of a loop with torchmetrics':<46}{'share':>8}{'limit':>8}")
        for name, share, limit in overheads():
            print(f"{name:<46}{share:>8.2f}{limit:>8.1f}")
            slow += share > limit * 1.15  # what repetitions differ by
    print(f"{N_CLASSES} classes, batches of {BATCH}, one thread; memory beyond that of the first batch")
    print(f"{'':<24}{'images':>9}{'MB':>9}{'s':>8}{'µs an image':>13}")
    results = {}
    for kind in KINDS:
        for n_images in N_IMAGES:
            found = results[kind, n_images] = measured(kind, n_images)
            per_image = 1e6 * found["seconds"] / n_images
            print(f"{kind:<24}{n_images:>9,}{found['mb']:>9.1f}{found['seconds']:>8.1f}{per_image:>13.0f}")
    first, *_, last = N_IMAGES
    grown = max(results[kind, last]["mb"] - results[kind, first]["mb"] for kind in list(KINDS)[:2])
    loop = results["loop that keeps logits", last]["metrics"]
    apart = max(abs(results["run_eval", last]["metrics"][name] - value) for name, value in loop.items())
    print(f"from {first:,} to {last:,} images: {grown:+.1f} MB (target below {TARGET_MB} MB)")
    print(f"greatest difference between the two ways: {apart:.1e}")
    return int(grown >= TARGET_MB or apart > 1e-5 or slow > 0)


if __name__ == "__main__":
    sys.exit(main())
