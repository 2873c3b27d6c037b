"""Which metrics a spec gets, and how others add theirs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from exaid_evals.config.plugins import Kind  # noqa: E402
from exaid_evals.errors import ConfigError  # noqa: E402
from exaid_evals.run_eval import (  # noqa: E402
    CausalLMAdapter,
    EvalConfig,
    TaskSpec,
    VisionClassificationAdapter,
    build_eval_config,
    build_task,
    metric_sets,
    registry,
    run_eval,
)
from exaid_evals.run_eval.metric_sets.text import TextMetrics  # noqa: E402
from exaid_evals.run_eval.metric_sets.vision import ClassificationMetrics  # noqa: E402
from small_torch import Echo, config_of, random_set  # noqa: E402


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (TaskSpec("vision", "causal_lm"), ClassificationMetrics),
        (TaskSpec("text", "image_classification"), TextMetrics),
        (TaskSpec(None, "image_classification"), ClassificationMetrics),
        (TaskSpec(None, "Vision-Classification"), ClassificationMetrics),
        (TaskSpec(None, "causal_language_modeling"), TextMetrics),
        (TaskSpec(None, "causal_lm"), TextMetrics),
        (TaskSpec(None, "summarization"), TextMetrics),
        (TaskSpec(), TextMetrics),
    ],
)
def test_the_modality_decides_then_the_task_type_then_text(spec: TaskSpec, expected: type) -> None:
    """A modality that is given wins; without one the words of the task type tell; without those it is text."""
    assert type(registry.metric_set_of(spec, EvalConfig())) is expected


@pytest.mark.parametrize("old", [{"task_type": "image_classification"}, SimpleNamespace(task_type="image_clf")])
def test_old_specs_keep_working(old: object) -> None:
    """A mapping or an object without `modality` is evaluated as what its task type says."""
    found = run_eval(Echo(), VisionClassificationAdapter(), config_of([random_set(8, 5)]), old)  # type: ignore[arg-type]
    assert "top5_accuracy" in found
    text = {"task_type": "generation"}
    batch = (torch.zeros(1, 2, 4), torch.tensor([[0, 1]]))
    assert run_eval(Echo(), CausalLMAdapter(), config_of([batch]), text)["perplexity"] == pytest.approx(4)  # type: ignore[arg-type]


def test_an_unknown_modality_lists_the_known_ones() -> None:
    """So that a typo is corrected without a look into the source."""
    with pytest.raises(
        ConfigError, match="no metric set for the modality 'audio'; known are binary, detection, multilabel"
    ):
        run_eval(Echo(), VisionClassificationAdapter(), config_of([]), TaskSpec("audio"))


def test_a_task_type_of_two_modalities_is_not_guessed() -> None:
    """`image_to_text` has words of both."""
    with pytest.raises(ConfigError, match="'image_to_text' may mean text or vision; set the modality"):
        registry.metric_set_of(TaskSpec(None, "image_to_text"), EvalConfig())


_OWN = """
WORDS = {"audio"}
def build(task_spec, config):
    return Count()
class Count:
    n = 0
    def check(self, logits, labels, where): pass
    def update(self, step): self.n += len(step.labels)
    def compute(self): return {"count": float(self.n)}
    def intervals(self): return {}
    def further(self): return {}
    def details(self): return {"n_examples": self.n}
    def columns(self): return ["id", "true_label", "predicted_label"]
    def rows(self, step): return []
"""


def test_adding_a_metric_set_is_adding_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in the folder is a modality: by its name, by the words of its task types, and among the known."""
    (tmp_path / "audio.py").write_text(_OWN)
    monkeypatch.setattr(metric_sets, "__path__", [*metric_sets.__path__, str(tmp_path)])
    # As the next start finds it: the folder is read once.
    found_at_start = Kind("metric set", registry.METRIC_SETS.group, registry.files_of(metric_sets))
    monkeypatch.setattr(registry, "METRIC_SETS", found_at_start)
    for spec in (TaskSpec("audio"), TaskSpec(None, "audio_classification")):
        found = run_eval(Echo(), VisionClassificationAdapter(), config_of([random_set(8, 5)]), spec)
        assert found == {"count": 8.0}
    with pytest.raises(ConfigError, match="known are audio, binary, detection"):
        registry.metric_set_of(TaskSpec("smell"), EvalConfig())


def test_a_metric_set_of_your_own_goes_by_module_and_attribute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package need not be registered to be used."""
    (tmp_path / "own_counts.py").write_text(_OWN)
    monkeypatch.syspath_prepend(tmp_path)
    spec = TaskSpec("own_counts:build")
    found = run_eval(Echo(), VisionClassificationAdapter(), config_of([random_set(8, 5)]), spec)
    assert found == {"count": 8.0}


def test_unknown_tasks_and_settings_are_said_with_those_there_are() -> None:
    """A task, and a field of the configuration."""
    with pytest.raises(ConfigError, match="did you mean `vision_tiny`"):
        build_eval_config("vision_tini")
    with pytest.raises(ConfigError, match="EvalConfig has no batchsize; its fields are task_name, batch_size"):
        build_eval_config("vision_tiny", batchsize=3)
    assert build_eval_config("mine", loader=[], batch_size=3).task_name == "mine"


def test_a_task_of_another_kind_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a task's function returns is checked before it is used."""
    (tmp_path / "own_task.py").write_text("def build(): return 3\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match="is a int"):
        build_task("own_task:build")
