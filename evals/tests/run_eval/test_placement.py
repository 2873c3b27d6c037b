"""Several processes find what one does, and one that evaluates alone waits for nobody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import exaid_evals  # noqa: E402
from exaid_evals.run_eval import CausalLMAdapter, VisionClassificationAdapter, evaluate  # noqa: E402
from exaid_evals.run_eval.placement import Processes, Share  # noqa: E402
from small_torch import Echo, config_of, files_in, random_set, text_spec, vision_spec  # noqa: E402

# 101 images and 23 texts: neither number can be divided among two.
_SCRIPT = """
import json, sys
from pathlib import Path
import torch
import torch.distributed as dist
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset
from small_torch import Echo, config_of, random_set, text_spec, vision_spec
from exaid_evals.errors import ExaidError
from exaid_evals.run_eval import CausalLMAdapter, VisionClassificationAdapter, evaluate, resume

resume._SHARE = 0  # saves after every batch

class Stopping(Echo):
    left = 0

    def forward(self, inputs):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
        return super().forward(inputs)

def images():
    return TensorDataset(*random_set(101, 7))

def texts():
    generator = torch.Generator().manual_seed(0)
    targets = torch.randint(9, (23, 6), generator=generator)
    targets[torch.rand(23, 6, generator=generator) < 0.3] = -100
    return TensorDataset(torch.randn(23, 6, 9, generator=generator), targets)

def loader(dataset, kind):
    if kind == "plain":
        return DataLoader(dataset, batch_size=8)
    if kind == "accelerate":
        from accelerate import Accelerator
        return Accelerator(cpu=True).prepare(DataLoader(dataset, batch_size=8))
    return DataLoader(dataset, batch_size=8, sampler=DistributedSampler(dataset, shuffle=kind == "shuffled"))

def run(kind, out, left=0, **further):
    everything = {"intervals": True, "calibration": True, "per_class": True}
    found = {}
    for name, data, adapter, spec in (
        ("images", images(), VisionClassificationAdapter(), vision_spec(7)),
        ("texts", texts(), CausalLMAdapter(), text_spec()),
    ):
        settings = {k: v for k, v in everything.items() if name == "images" or k == "intervals"}
        if name == "images":
            settings["metrics"] = ["loss", "accuracy", "top3_accuracy", "f1_macro", "auroc", "ece", "brier"]
        config = config_of(loader(data, kind), output_dir=Path(out) / name, **settings, **further)
        model = Stopping()
        model.left = left
        if kind == "distributed":
            model = torch.nn.parallel.DistributedDataParallel(model)
        try:
            found[name] = evaluate(model, adapter, config, spec).flat()
        except KeyboardInterrupt:
            found[name] = None
    return found

def main(out):
    rank = dist.get_rank()
    told = {kind: run(kind, f"{out}/{kind}") for kind in ("distributed", "shuffled", "accelerate")}
    assert set(run("distributed", f"{out}/resumed", 2 - rank, resume=True).values()) == {None}
    told["resumed"] = run("distributed", f"{out}/resumed", resume=True)
    if rank == 0:  # alone: nobody else calls
        told["alone"] = run("plain", f"{out}/alone")
    broken = [(torch.zeros(2, 7), torch.tensor([0, 9 if rank else 1]))]
    try:
        config = config_of(broken, distributed=True)
        evaluate(Echo(), VisionClassificationAdapter(), config, vision_spec(7))
    except ExaidError as error:
        told["error"] = str(error)
    Path(f"{out}/told-{rank}.json").write_text(json.dumps(told))

if __name__ == "__main__":
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    main(sys.argv[1])
    dist.barrier()  # one that left while the other still evaluates alone was seen to abort, once
    dist.destroy_process_group()
"""


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """Return a folder, and what each of two processes under torchrun has found."""
    pytest.importorskip("accelerate")
    folder = tmp_path_factory.mktemp("distributed")
    (folder / "script.py").write_text(_SCRIPT)
    paths = [str(Path(__file__).parents[1]), str(Path(exaid_evals.__file__).parents[1])]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*command, str(folder / "script.py"), str(folder)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder, [json.loads((folder / f"told-{rank}.json").read_text()) for rank in (0, 1)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["distributed", "shuffled", "accelerate", "resumed"])
def test_two_processes_find_what_one_does(kind: str, reported: tuple[Path, list[dict[str, Any]]]) -> None:
    """Every metric and interval to 1e-9, in both processes, and the first writes the same bytes.

    Under torchrun, with DistributedSampler (in order and shuffled, around DistributedDataParallel) and with Accelerate:
    what a sampler repeats to fill the last batch counts once. So too where they were stopped, one in its first batch
    and one in its second, and went on.
    """
    folder, (first, second) = reported
    assert first[kind] == second[kind]
    for name, metrics in first["alone"].items():
        assert first[kind][name] == pytest.approx(metrics, rel=1e-9, abs=1e-9)
    for name in ("images", "texts"):
        ours, alone = folder / kind / name, folder / "alone" / name
        assert list(files_in(ours)) == list(files_in(alone))
        assert (ours / "val_predictions.csv").read_bytes() == (alone / "val_predictions.csv").read_bytes()


@pytest.mark.slow
def test_what_is_wrong_in_one_process_ends_all(reported: tuple[Path, list[dict[str, Any]]]) -> None:
    """The second has a label without a class: it says so, and the first does not wait for it."""
    _, (first, second) = reported
    assert "1 of 2 labels are outside the 7 classes" in second["error"]
    assert first["error"].startswith("process 1: failed (DataError: batch 1: 1 of 2 labels are outside")


class Pretended(Processes):
    """One of two processes, the other's answers known beforehand."""

    def __init__(self, rank: int, others: list[Any]) -> None:
        self.size, self.rank, self._others = 2, rank, others

    def gathered(self, value: Any) -> list[Any]:
        """Return both values."""
        other = self._others.pop(0)
        return [other, value] if self.rank else [value, other]


def test_an_example_that_two_hold_is_counted_by_the_first() -> None:
    """The second process drops what the first has, and each what it holds twice."""
    import numpy as np
    from torch.utils.data import DataLoader

    loader = DataLoader(list(range(3)), batch_size=2, sampler=[2, 0, 2])
    share = Share(loader, Pretended(1, [None, np.array([0, 1])]))
    assert [one if one is None else list(one) for one in share.take(0, 2)] == [[2, 0], [0]]
    assert [list(one or []) for one in share.take(2, 1)][1] == []


def test_a_loader_that_shuffles_cannot_be_divided() -> None:
    """Asked twice, it gives two orders: nobody could say which examples a process holds."""
    from torch.utils.data import DataLoader

    from exaid_evals.errors import ConfigError

    for generator in (None, torch.Generator()):
        loader = DataLoader(list(range(50)), batch_size=2, shuffle=True, generator=generator)
        with pytest.raises(ConfigError, match="the loader shuffles"):
            Share(loader, Pretended(0, [None]))


def test_states_that_are_put_together_are_the_whole() -> None:
    """Counts of two halves, in either order, give what one pass over the set does: all metrics, tables and columns."""
    from exaid_evals.run_eval.loop import _Loop
    from exaid_evals.run_eval.registry import metric_set_of

    logits, labels = random_set(60, 300)
    settings = {"metrics": ["loss", "accuracy", "auroc", "mcc", "kappa"], "intervals": True}
    batch = {"image": logits, "label": labels}
    spec, adapter = vision_spec(300), VisionClassificationAdapter()
    whole = evaluate(Echo(), adapter, config_of([batch], **settings), spec)
    merged = metric_set_of(spec, config_of([], **settings))
    for rows in (slice(25, 60), slice(25)):
        config = config_of([{key: value[rows] for key, value in batch.items()}], **settings)
        alone, cpu = Processes(together=False), torch.device("cpu")
        share = Share(config.loader, alone)
        loop = _Loop(Echo().eval(), adapter, config, spec, metric_set_of(spec, config), cpu, alone, share, None)
        loop.n_given = loop.n_examples = rows.start or 0  # where this part begins
        loop.run(config.loader)
        merged.absorb(loop.metric_set.state())  # type: ignore[attr-defined]
    assert merged.compute() == pytest.approx(whole.metrics, rel=1e-12)
    assert merged.details() == whole.details
    assert merged.intervals()["loss"] == pytest.approx(whole.intervals["loss"], rel=1e-12)


def test_a_process_group_is_needed_to_be_together() -> None:
    """Asked for without one it is an error, rather than one process's share for the whole."""
    from exaid_evals.errors import ConfigError

    with pytest.raises(ConfigError, match="there is no process group; start with torchrun"):
        evaluate(Echo(), CausalLMAdapter(), config_of([], distributed=True), text_spec())
