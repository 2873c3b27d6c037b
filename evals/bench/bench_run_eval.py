"""How much memory and time an evaluation takes as the set grows, beside a loop that keeps every logit."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
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


def main() -> int:
    """Print the table; 1 where memory grows with the set or the two ways disagree."""
    if importlib.util.find_spec("torch") is None:
        print("run_eval: not measured, PyTorch is not installed (make torch-bench)")
        return 0
    if len(sys.argv) == 3:
        child(sys.argv[1], int(sys.argv[2]))
        return 0
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
    return int(grown >= TARGET_MB or apart > 1e-5)


if __name__ == "__main__":
    sys.exit(main())
