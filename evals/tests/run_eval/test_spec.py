"""Specifications and configurations, without PyTorch."""

from __future__ import annotations

from pathlib import Path

import pytest

from exaid_evals.config.base import load_config
from exaid_evals.config.campaign import configs_dir
from exaid_evals.errors import ConfigError
from exaid_evals.run_eval import EvalConfig, TaskSpec
from exaid_evals.run_eval.spec import RunEvalConfig, TrainingConfig, as_task_spec


def test_a_spec_without_a_modality_is_still_a_spec() -> None:
    """Mappings and objects of older code have no `modality`, and perhaps keys of their own."""

    class Old:
        task_type = "image_classification"
        output_schema = {"num_classes": 3}  # noqa: RUF012 - as such code has it

    old = {"task_type": "image_classification", "output_schema": {"num_classes": 3}, "owner": "somebody"}
    expected = TaskSpec(None, "image_classification", {}, {"num_classes": 3})
    assert as_task_spec(old) == as_task_spec(Old()) == expected
    assert as_task_spec(expected) is expected


def test_every_impossible_value_is_named_at_once() -> None:
    """A user corrects a configuration once, not once per mistake."""
    with pytest.raises(ConfigError) as raised:
        EvalConfig(batch_size=0, max_batches=-1, seed=True, mixed_precision="fp8")  # type: ignore[arg-type]
    assert [part in str(raised.value) for part in ("batch_size", "max_batches", "seed", "'fp8'", "bf16")] == [True] * 5


@pytest.mark.parametrize("value", [0, -3, 2.5, "10", True])
def test_a_number_of_classes_is_a_whole_number(value: object) -> None:
    """Anything else is refused with the key that holds it."""
    with pytest.raises(ConfigError, match=r"output_schema\.num_classes"):
        TaskSpec("vision", "", {}, {"num_classes": value}).num_classes  # noqa: B018 - reading it is the test


def test_class_names_are_as_many_as_classes() -> None:
    """Declared names are taken, missing ones are numbers, and another number of them is an error."""
    assert TaskSpec(output_schema={"class_names": ["cat", "dog"]}).class_names(2) == ["cat", "dog"]
    assert TaskSpec().class_names(3) == ["0", "1", "2"]
    with pytest.raises(ConfigError, match="2 class_names for 3 classes"):
        TaskSpec(output_schema={"class_names": ["cat", "dog"]}).class_names(3)


@pytest.mark.parametrize("path", sorted((configs_dir() / "run_eval").glob("*.json")), ids=lambda path: path.stem)
def test_the_configurations_that_ship_are_valid(path: Path) -> None:
    """Each is read by the model of its verb."""
    load_config(TrainingConfig if path.stem.startswith("train_") else RunEvalConfig, path)


def test_a_configuration_names_unknown_settings_of_the_evaluation(tmp_path: Path) -> None:
    """A misspelt key of `eval` is found before anything is loaded, and so is an impossible value."""
    path = tmp_path / "x.json"
    path.write_text('{"task": "vision_tiny", "model": {"name": "small_cnn"}, "eval": {"batchsize": 3}}')
    with pytest.raises(ConfigError, match="batchsize cannot be set here; it takes batch_size"):
        load_config(RunEvalConfig, path)
    path.write_text('{"task": "vision_tiny", "model": {"name": "small_cnn"}, "eval": {"batch_size": 0}}')
    with pytest.raises(ConfigError, match="batch_size: must be a whole number of at least 1"):
        load_config(RunEvalConfig, path)
