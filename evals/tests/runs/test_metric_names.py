"""The table of metric names: what a logged name is, by its words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaid_evals.runs.metric_names import (
    METRICS,
    counterpart,
    direction_of,
    direction_of_name,
    metric_named,
    role_of_column,
    split_of,
    words_of,
)

_HIGHER = (
    "hmean metrics/mAP50(B) metrics/mAP50-95(B) rollout/ep_rew_mean f1_score top1_acc acc1 bbox_mAP psnr val_ssim bleu "
    "eval_rougeL valAcc accuracy_top1 mIoU dice_coef sparse_categorical_accuracy MacroF1 train/explained_variance"
)
_LOWER = (
    "train_loss_step loss_cls val_bpb wer perplexity Loss/train valLoss binary_crossentropy loss_rpn_cls iou_loss "
    "brier_score val_error_rate train/box_loss epoch_loss"
)
_NEITHER = "entropy_loss lr learning_rate global_step epoch grad_norm loss_scale d_loss policy_gradient_loss reward_std"


def test_directions_follow_from_the_words_of_a_name() -> None:
    """Names of trackers, frameworks and tasks that nobody can list: the last words that the table knows decide."""
    assert {name: direction_of_name(name) for name in _HIGHER.split()} == dict.fromkeys(_HIGHER.split(), "higher")
    assert {name: direction_of_name(name) for name in _LOWER.split()} == dict.fromkeys(_LOWER.split(), "lower")
    assert {name: direction_of_name(name) for name in _NEITHER.split()} == dict.fromkeys(_NEITHER.split())


def test_the_user_goes_before_the_name() -> None:
    """`--better NAME=higher` counts whatever the table says."""
    assert direction_of("val_loss", {"val_loss": "higher"}) == "higher"


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("lr-AdamW/pg1", "schedule"),
        ("global_step", "counter"),
        ("gpu_mem", "system"),
        ("loss_D", "contested"),
        ("pass_id", "counter"),
    ],
)
def test_columns_that_are_no_metrics_are_known(name: str, role: str) -> None:
    """Rates, counters and the machine are not metrics; an adversarial loss is one whose course is not a verdict."""
    assert role_of_column(name) == role


def test_no_way_to_write_a_metric_stands_for_two() -> None:
    """Each canonical name and alias belongs to one entry, which it finds."""
    written = [(one, entry) for entry in METRICS for one in (entry.name, *entry.aliases)]
    assert len({one for one, _ in written}) == len(written)
    assert [one for one, entry in written if metric_named(one) is not entry] == []


@given(st.text(max_size=40))
def test_any_text_is_a_name(name: str) -> None:
    """Hostile names have words, a role and at most one direction."""
    assert all(word == word.lower() for word in words_of(name))
    assert direction_of_name(name) in ("higher", "lower", None)
    assert role_of_column(name) in ("metric", "contested", "schedule", "counter", "system", "unknown")


def test_splits_and_counterparts() -> None:
    """The training metric beside a validation metric is found however both are written."""
    assert (split_of("val/loss"), split_of("trainAcc"), split_of("evaluator")) == ("validation", "train", None)
    assert counterpart("val/loss", {"val/loss": 0, "lr": 0, "loss": 0}) == "loss"
    assert counterpart("eval_loss", {"loss": 0, "train_loss": 0}) == "train_loss"
    assert counterpart("valAcc", {"trainAcc": 0, "acc": 0}) == "trainAcc"
