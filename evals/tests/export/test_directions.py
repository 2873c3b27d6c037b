"""Which way a metric improves, by its name."""

from __future__ import annotations

import pytest

from exaid_evals.runs.metric_names import direction_of_name


@pytest.mark.parametrize(
    "name",
    [
        "neg_mean_squared_error",
        "val_neg_mean_squared_error",
        "test/neg_log_loss",
        "negative_loss",
        "neg_val_loss",
        "mean_neg_mean_absolute_error",
        "-loss",
        "minus_error",
        "1-error",
        "1 - loss",
        "1/loss",
        "inv_loss",
        "inverse_rmse",
        "oneMinusError",
    ],
)
def test_a_loss_that_is_negated_improves_upwards(name: str) -> None:
    """scikit-learn's scorers, and what people write in front of a loss."""
    assert direction_of_name(name) == "higher"


@pytest.mark.parametrize("name", ["-accuracy", "1-acc", "neg_auc", "one_minus_f1", "val_neg_r2"])
def test_a_score_that_is_negated_improves_downwards(name: str) -> None:
    """A minus turns either way."""
    assert direction_of_name(name) == "lower"


@pytest.mark.parametrize(
    "name",
    ["time_to_accuracy", "time_to_target_accuracy", "neg_log_likelihood", "negative_log_likelihood", "val_nll",
     "mean_squared_error", "val_mean_absolute_error", "false_negative_rate", "hinge_loss"],
)  # fmt: skip
def test_what_is_no_negation_is_not_turned(name: str) -> None:
    """The likelihood that is called negative is a loss, a rate of false negatives too, and so is a time."""
    assert direction_of_name(name) == "lower"


@pytest.mark.parametrize("name", ["negative_sampling_loss", "neg_elbo", "inverse_temperature", "f1_negative", "neg_x"])
def test_what_a_negation_leaves_unclear_has_no_direction(name: str) -> None:
    """Nothing is ranked on a guess."""
    assert direction_of_name(name) is None
