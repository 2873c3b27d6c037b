"""An evaluation that was killed goes on, and writes what one that was not would have written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from exaid_evals.errors import ConfigError, DataError  # noqa: E402
from exaid_evals.run_eval import CausalLMAdapter, VisionClassificationAdapter, resume, run_eval  # noqa: E402
from small_torch import Echo, batched, config_of, files_in, random_set, text_spec, vision_spec  # noqa: E402

_SCRIPT = """
import os, signal, sys, torch
from pathlib import Path
from exaid_evals.run_eval import EvalConfig, TaskSpec, VisionClassificationAdapter, run_eval
class Noisy(torch.nn.Module):
    calls = 0
    def forward(self, inputs):
        self.calls += 1
        if self.calls == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        return inputs + torch.rand_like(inputs)
generator = torch.Generator().manual_seed(0)
logits, labels = torch.randn(50, 4, generator=generator), torch.randint(4, (50,), generator=generator)
config = EvalConfig(loader=list(zip(logits.split(7), labels.split(7))), progress=False, output_dir=Path(sys.argv[1]),
                    resume=True, calibration=True, intervals=True, selective=True, parquet=True)
model = Noisy()
run_eval(model, VisionClassificationAdapter(), config, TaskSpec("vision"))
print(model.calls)
"""


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder."""
    return {name: (folder / name).read_bytes() for name in files_in(folder)}


def test_a_process_that_is_killed_goes_on_to_the_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """SIGKILL in the fifth batch; the model draws, so that its random state goes on too."""

    def calls(folder: str) -> int:
        monkeypatch.setattr(sys, "argv", ["-c", str(tmp_path / folder), "0"])
        exec(_SCRIPT, {})  # noqa: S102 - it stands above
        return int(capsys.readouterr().out)

    assert calls("whole") == 8
    command = [sys.executable, "-c", _SCRIPT, str(tmp_path / "killed"), "5"]
    assert subprocess.run(command, check=False).returncode == -9
    assert sorted(contents(tmp_path / "killed")) == [".val_partial/predictions.csv", ".val_partial/state.npz"]
    assert calls("killed") < 8
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


class Stopping(Echo):
    """Stops the process's own way in a batch, once."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at, self.calls = at, 0

    def forward(self, inputs):  # type: ignore[no-untyped-def]
        """Return the inputs."""
        self.calls += 1
        if self.calls == self.at:
            raise KeyboardInterrupt
        return super().forward(inputs)


@pytest.mark.parametrize("kind", ["images", "many classes", "text"])
@pytest.mark.parametrize("at", [1, 2, 4])
def test_it_goes_on_from_every_batch(kind: str, at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the set and wherever it stopped, the files are the same; each batch is counted once."""
    monkeypatch.setattr(resume, "_SHARE", 0)  # saves after every batch
    if kind == "text":
        generator = torch.Generator().manual_seed(1)
        logits, labels = torch.randn(9, 5, 7, generator=generator), torch.randint(7, (9, 5), generator=generator)
        spec, adapter, settings = text_spec(), CausalLMAdapter(), {"intervals": True}
    else:
        n_classes = 300 if kind == "many classes" else 4
        logits, labels = random_set(9, n_classes)
        spec, adapter = vision_spec(n_classes), VisionClassificationAdapter()
        settings = {"metrics": ["loss", "accuracy", "auroc", "aurc"], "per_class": True}
    loader = batched(logits, labels, [3, 1, 3, 2])

    def evaluate(folder: str, model: Stopping) -> None:
        run_eval(model, adapter, config_of(loader, output_dir=tmp_path / folder, resume=True, **settings), spec)

    evaluate("whole", Stopping(0))
    with pytest.raises(KeyboardInterrupt):
        evaluate("killed", Stopping(at))
    last = Stopping(0)
    evaluate("killed", last)
    assert last.calls == 4 - (at - 1)
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_another_model_or_configuration_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was counted for other weights or settings, or beside rows that are gone, is left out."""
    monkeypatch.setattr(resume, "_SHARE", 0)
    loader = batched(*random_set(9, 4), [3, 3, 3])

    def calls(model: Stopping, **settings: object) -> int:
        config = config_of(loader, output_dir=tmp_path, resume=True, **settings)
        try:
            run_eval(model, VisionClassificationAdapter(), config, vision_spec(4))
        except KeyboardInterrupt:
            return -1
        return model.calls

    other = Stopping(0)
    torch.nn.init.constant_(other.scale, 2.0)
    for model, settings in ((other, {}), (Stopping(0), {"seed": 7})):
        assert calls(Stopping(3)) == -1
        assert calls(model, **settings) == 3
    assert calls(Stopping(3)) == -1
    (tmp_path / ".val_partial" / "predictions.csv").unlink()
    assert calls(Stopping(0)) == 3
    for damaged in (b"PK\x03\x04 no archive", b"", b"\x93NUMPY"):
        assert calls(Stopping(3)) == -1
        (tmp_path / ".val_partial" / "state.npz").write_bytes(damaged)
        assert calls(Stopping(0)) == 3


def test_a_loader_that_has_changed_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other labels in the batches that were counted, and fewer batches than were counted."""
    monkeypatch.setattr(resume, "_SHARE", 0)
    logits, labels = random_set(9, 4)
    loader = batched(logits, labels, [3, 3, 3])

    def evaluate(batches: list[object], model: Stopping) -> None:
        config = config_of(batches, output_dir=tmp_path, resume=True)
        run_eval(model, VisionClassificationAdapter(), config, vision_spec(4))

    with pytest.raises(KeyboardInterrupt):
        evaluate(loader, Stopping(3))  # type: ignore[arg-type]
    with pytest.raises(DataError, match="other labels than before it was interrupted"):
        evaluate(batched(logits, (labels + 1) % 4, [3, 3, 3]), Stopping(0))  # type: ignore[arg-type]
    with pytest.raises(DataError, match="gave 1 batches, and 2 before"):
        evaluate(loader[:1], Stopping(0))  # type: ignore[arg-type]


def test_what_cannot_be_resumed_is_said() -> None:
    """Without a folder there is nothing to go on from."""
    config = config_of([random_set(4, 4)], resume=True)
    with pytest.raises(ConfigError, match="resume: cannot be: there is no output_dir"):
        run_eval(Echo(), VisionClassificationAdapter(), config, vision_spec(4))


def test_parquet_holds_what_the_csv_file_does(tmp_path: Path) -> None:
    """Ids and labels without the apostrophe that keeps a spreadsheet from computing them; scores as numbers."""
    from pyarrow import parquet

    logits, labels = random_set(3, 2)
    batch = {"id": ["=1+1", "plain", "a,\n'b"], "image": logits, "label": labels}
    config = config_of([batch], output_dir=tmp_path, parquet=True)
    run_eval(Echo(), VisionClassificationAdapter(), config, vision_spec(2, class_names=["-x", "y"]))
    found = parquet.read_table(tmp_path / "val_predictions.parquet").to_pydict()
    assert found["id"] == ["=1+1", "plain", "a,\n'b"]
    assert found["true_label"] == [["-x", "y"][label] for label in labels.tolist()]
    assert found["score_y"] == pytest.approx(logits.double().softmax(1)[:, 1].tolist(), abs=1e-6)
