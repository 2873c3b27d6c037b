"""Faults that trainings of other designs had shown, each as a small course made from formulas."""

from __future__ import annotations

import numpy as np
import pytest

from exaid_evals.analysis.stage import Analysis, analyse
from exaid_evals.runs.metric_names import direction_of_name, is_validation
from exaid_evals.runs.rows import history_of

N, AT = 600, 400
SEVERE = ("high", "critical")


def reported(rows: list[dict[str, float]]) -> Analysis:
    """Return the analysis of rows."""
    return analyse(history_of("run", "jsonl", rows))


def learning(course: np.ndarray, *, evaluated_by: np.ndarray | None = None, seed: int = 0) -> list[dict[str, float]]:
    """Return rows of a loss, with that of the validation at every tenth step."""
    rng = np.random.default_rng(seed)
    beside = course if evaluated_by is None else evaluated_by
    rows = [{"step": at, "train_loss": value + rng.normal(0, 0.02)} for at, value in enumerate(course)]
    for at in range(0, len(course), 10):
        rows[at]["val_loss"] = beside[at] + 0.1 + rng.normal(0, 0.005)
    return rows


def severe(analysis: Analysis) -> bool:
    """Return whether an incident is high or critical."""
    return any(one.severity in SEVERE for one in analysis.incidents)


def test_weights_of_an_old_checkpoint_learn_the_same_again() -> None:
    """A course that falls back, and goes the way it had gone, is the system's; a short cut back is of no such cause."""
    steps = np.arange(N)
    again = reported(learning(2 * np.exp(-np.where(steps < AT, steps, steps - AT + 60) / 80) + 0.2))
    assert severe(again)
    assert again.diagnosis is not None
    assert again.diagnosis.named == "system"
    assert "took the same course again" in again.diagnosis.first.evidence[0].text
    quick = reported(learning(2 * np.exp(-steps / 80) + 0.2 + np.where(steps < AT, 0, np.exp(-(steps - AT) / 15))))
    assert quick.diagnosis is None or quick.diagnosis.named != "system"


def test_weights_that_learn_again_within_two_evaluations_are_lost_weights() -> None:
    """A long training relearns in a fraction of itself: its own values show the way, evaluations that they fell."""
    n, at = 1400, 900
    steps = np.arange(n)
    rng = np.random.default_rng(1)
    course = 2.2 * np.exp(-np.where(steps < at, steps, steps - at + 8) / 25) + 0.01
    noise = rng.normal(0, 1, n) * (0.004 + 0.1 * course)
    rows = [{"step": step, "train_loss": abs(value)} for step, value in enumerate(course + noise)]
    for step in range(49, n, 50):
        rows[step]["val_loss"] = course[step] + 0.06 + rng.normal(0, 0.002)
    again = reported(rows)
    assert severe(again)
    assert again.diagnosis is not None
    assert again.diagnosis.named == "system"


def test_a_rate_that_goes_on_above_its_peak_excuses_nothing() -> None:
    """A cosine that ran past its end raises the loss for good, and not as a warm restart does."""
    steps, end, n = np.arange(900), 400, 900
    rng = np.random.default_rng(2)

    def rows(top: float) -> list[dict[str, float]]:
        past = top * (1 - np.cos(np.pi * (steps - end) / end)) / 2
        rate = np.where(steps < end, 0.05 * (1 + np.cos(np.pi * steps / end)) / 2, past)
        loss = 2.3 * np.exp(-steps / 60) + 0.05 + 2.2 * (np.maximum.accumulate(rate) > 0.2)
        found = [{"step": at, "lr": rate[at], "loss": value} for at, value in enumerate(loss + rng.normal(0, 0.01, n))]
        return [row | ({"eval_loss": row["loss"] + 0.05} if row["step"] % 30 == 29 else {}) for row in found]

    assert severe(reported(rows(1.0)))
    assert not severe(reported(rows(0.05)))


def test_a_classifier_that_is_thrown_about_guesses_however_noisy_its_batches() -> None:
    """Accuracies of small batches lie far around 1/k; none of their means leaves it."""
    rng = np.random.default_rng(3)
    rows = [
        {
            "step": at,
            "loss": 2.65 + rng.normal(0, 0.2),
            "acc": rng.binomial(32, 0.1) / 32,
            "val_acc": rng.normal(0.1, 0.01),
        }
        for at in range(140)
    ]
    assert severe(reported(rows))


def test_cycles_and_collapsed_policies_are_no_old_checkpoints() -> None:
    """What was better before it came again is a cycle; a reward climbs anew in the same way."""
    steps = np.arange(N)
    cycle = reported(learning(0.2 + np.exp(-(steps % 150) / 40) + np.exp(-steps / 100)))
    assert cycle.diagnosis is None or cycle.diagnosis.named != "system"
    climbed = 100 * (1 - np.exp(-np.where(steps < AT, steps, steps - AT) / 60))
    rewards = reported([{"step": at, "reward": value + at % 3} for at, value in enumerate(climbed)])
    assert rewards.diagnosis is not None
    assert rewards.diagnosis.named == "unknown"


def test_a_long_time_without_rows_is_a_pause() -> None:
    """A gap in the time stamps is an event; many of them are a habit."""
    rows = [{"step": at, "loss": 1.0 / (at + 1), "_timestamp": 2.0 * at + 3000 * (at >= 50)} for at in range(100)]
    assert history_of("run", "jsonl", rows).events == ((50.0, "pause: nothing was logged for 3002 s, mostly 2 s"),)
    habit = [row | {"_timestamp": row["step"] * 2.0 + 3000 * (row["step"] // 20)} for row in rows]
    assert history_of("run", "jsonl", habit).events == ()


def test_harder_training_data_harm_no_model() -> None:
    """A training loss that leaps while the validation stays is noted; where the validation follows it is severe."""
    steps = np.arange(N)
    good = np.exp(-steps / 60) + 0.1
    harder = good + 0.4 * (steps >= AT)
    assert not severe(reported(learning(harder, evaluated_by=good)))
    assert severe(reported(learning(harder)))


@pytest.mark.parametrize(("accuracy", "expected"), [(0.96, False), (0.1, True)])
def test_what_had_learnt_before_need_not_learn(accuracy: float, expected: bool) -> None:
    """A still loss beside a good accuracy is no model that does not learn."""
    rng = np.random.default_rng(0)
    rows = [
        {"step": at, "loss": 1.7 + rng.normal(0, 0.002), "val_acc": accuracy + rng.normal(0, 0.002)} for at in range(60)
    ]
    assert severe(reported(rows)) is expected


def test_a_training_that_improves_at_once_says_nothing_about_the_evaluation() -> None:
    """Where the training loss fell by half as the validation got worse, the evaluation is not named."""
    steps = np.arange(N)
    good = np.exp(-steps / 60) + 0.4
    found = reported(learning(np.where(steps < AT, good, 0.55 * good), evaluated_by=good + 0.3 * (steps >= AT)))
    assert found.diagnosis is not None
    assert found.diagnosis.named != "evaluation"


@pytest.mark.parametrize("norm", ["l2_norm/grad/global", "gnorm", "Grad Norm", "grad_2.0_norm_total", "grad_norm"])
def test_a_gradient_norm_is_known_however_it_is_called(norm: str) -> None:
    """A norm that leaps just before the loss does is the optimisation's."""
    steps = np.arange(N)
    rows = learning(np.exp(-steps / 60) + 0.1 + 2.0 * (steps >= AT))
    rng = np.random.default_rng(1)
    for at, row in enumerate(rows):
        row[norm] = (900.0 if at in (AT - 1, AT) else 1.0) + rng.uniform(0, 0.2)
    found = reported(rows)
    assert found.diagnosis is not None
    assert found.diagnosis.named == "optimisation"


def test_sums_over_all_steps_and_short_names() -> None:
    """A summed regret grows by what it is, a summed reward is an episode's; `va_loss` is of the validation."""
    assert [direction_of_name(name) for name in ("cumulative_regret", "regret", "Environment/Cumulative Reward")] == [
        None,
        "lower",
        "higher",
    ]
    assert [is_validation(name) for name in ("va_loss", "trn_loss", "variance_loss")] == [True, False, False]


def test_a_rate_that_is_logged_twice_a_step_is_no_resumed_run() -> None:
    """A monitor of learning rates writes a row at each step, and another as an epoch ends."""
    rows = [
        row
        for at in range(40)
        for row in (
            {"step": at, "lr-SGD": 0.05},
            {"step": at, "lr-SGD": 0.05},
            {"step": at, "train_loss": 1 / (at + 1)},
        )
    ]
    assert reported(rows).history.irregularities == ()


def test_one_item_of_a_batch_is_no_reaction_of_the_training() -> None:
    """An accuracy of batches that stands at 1 loses an item now and then, which explains no fall of the evaluation."""
    rng = np.random.default_rng(4)
    rows = [
        {"step": at, "acc": 1 - rng.binomial(1, 0.1) / 32, "loss": 0.4 * np.exp(-at / 80) + rng.uniform(0.005, 0.015)}
        for at in range(700)
    ]
    for at in range(460, 468):
        rows[at]["acc"] = 31 / 32
    for at in range(24, 700, 25):
        rows[at]["val_acc"] = (0.97 if at < 520 else 0.41) + rng.normal(0, 0.002)
    found = reported(rows).diagnosis
    assert found is not None
    assert (found.named, found.onset.interval[0] >= 499) == ("evaluation", True)
