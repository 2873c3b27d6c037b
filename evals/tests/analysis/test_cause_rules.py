"""Rules of the diagnosis, each on a history in which nothing but the rule decides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from exaid_evals.analysis.stage import Analysis, analyse
from exaid_evals.runs.rows import history_of

Columns = dict[str, NDArray[np.float64]]


def reported(columns: Columns, batches: list[dict[str, Any]] | None = None) -> Analysis:
    """Return the analysis of columns over steps 0, 1, 2 and so on, NaN where nothing was logged."""
    n = max(map(len, columns.values()))
    rows: list[dict[str, Any]] = [
        {"step": at} | {name: float(one[at]) for name, one in columns.items() if one[at] == one[at]} for at in range(n)
    ]
    return analyse(history_of("run", "jsonl", [*rows, *(batches or [])]))


def named(analysis: Analysis) -> str | None:
    """Return the family that is named, if anything is to be explained."""
    return None if analysis.diagnosis is None else analysis.diagnosis.named


def falling(n: int, to: float, sigma: float, seed: int = 0, pace: float = 6.0) -> NDArray[np.float64]:
    """Return a loss that falls from 2 above its end."""
    return to + 2 * np.exp(-np.arange(n) * pace / n) + np.random.default_rng(seed).normal(0, sigma, n)


@pytest.mark.parametrize(("train_moves", "family"), [(False, "evaluation"), (True, "unknown")])
def test_an_evaluation_that_changed_is_named_after_five_epochs(train_moves: bool, family: str) -> None:
    """The training's own loss goes on falling, where a model that was harmed would have lost as much there."""
    train, validation = falling(15, 0.2, 0.005), falling(15, 0.3, 0.005, 1)
    validation[5:] += 3
    train[5:] += 3 * train_moves
    assert named(reported({"train_loss": train, "val_loss": validation})) == family


def test_single_noisy_batches_do_not_hide_that_the_training_stayed() -> None:
    """A few bad batches after the onset are not a model that was harmed, if the batches as a whole are as before."""
    train, validation = falling(600, 0.2, 0.05), np.full(600, np.nan)
    validation[19::20] = falling(30, 0.3, 0.01, 1)
    validation[400:] += 2
    train[401:405] += 0.2
    assert named(reported({"train_loss": train, "val_loss": validation})) == "evaluation"


@pytest.mark.parametrize(("lead", "family"), [(0, "unknown"), (1, "optimisation")])
def test_a_gradient_is_a_cause_only_where_it_goes_before_the_loss(lead: int, family: str) -> None:
    """Weights that were overwritten raise loss and norm at once; an exploding gradient is there a step before."""
    loss = falling(400, 0.2, 0.01)
    norm = np.random.default_rng(1).uniform(0.5, 1, 400)
    loss[300:] += 10
    norm[300 - lead : 310] *= 30
    assert named(reported({"train_loss": loss, "grad_norm": norm, "lr": np.full(400, 0.1)})) == family


def test_where_all_inputs_moved_no_item_stands_out_and_that_speaks_for_nothing() -> None:
    """Inputs that are no longer normalised harm every batch; the norm of the gradient rises with them."""
    rng, bad = np.random.default_rng(2), np.arange(400) >= 300
    loss, validation = falling(400, 0.3, 0.03) + 0.9 * bad, np.full(400, np.nan)
    validation[9::10] = (falling(400, 0.4, 0.02, 1) + 0.9 * bad)[9::10]
    norm = rng.uniform(0.5, 1, 400) * np.where(bad, 20, 1)
    batches = [
        {
            "batch_idx": at,
            "step": at,
            "phase": "train",
            "items": [f"{item}.png" for item in rng.choice(500, 8, replace=False)],
            "metrics": {"loss": float(loss[at])},
            "profile": {"mean": float(rng.normal(4 * bad[at], 0.1))},
        }
        for at in range(400)
    ]
    assert named(reported({"train_loss": loss, "val_loss": validation, "grad_norm": norm}, batches)) == "data"


def test_what_was_never_learnt_is_not_lost() -> None:
    """An accuracy that wanders about that of guessing has no drop, beside a loss that never left ln 4."""
    rng = np.random.default_rng(3)
    accuracy = np.full(160, np.nan)
    accuracy[9::10] = [0.25, 0.25, 0.2975, 0.2975, 0.2975, 0.2975, 0.2975, *[0.2375] * 9]
    analysis = reported({"loss": np.log(4) + rng.normal(0, 0.004, 160), "eval_accuracy": accuracy})
    assert analysis.diagnosis is None
    assert [one.lead.kind for one in analysis.incidents if one.severity == "high"] == ["no_progress"]


@pytest.mark.parametrize(("won", "expected"), [(True, ["loss_D"]), (False, [])])
def test_an_adversary_that_has_won_for_good_is_reported(won: bool, expected: list[str]) -> None:
    """The discriminator's loss falls to a tenth and the generator's rises sixfold, and neither comes back."""
    rng, after = np.random.default_rng(4), np.arange(600) >= 350
    back = after & (won | (np.arange(600) < 420))
    pair = {
        "loss_D": np.where(back, 0.1, 1.38) * np.exp(rng.normal(0, 0.05, 600)),
        "loss_G": np.where(back, 5.0, 0.7) * np.exp(rng.normal(0, 0.05, 600)),
    }
    assert [one.lead.metric for one in reported(pair).incidents if one.severity == "high"] == expected


@pytest.mark.parametrize(("constant", "family"), [(False, "evaluation"), (True, "unknown")])
def test_a_constant_metric_is_no_evidence(constant: bool, family: str) -> None:
    """A training loss that is 0 from first to last, as a placeholder is, says nothing of the model."""
    train, validation = falling(60, 0.2, 0.005) * (not constant), falling(60, 0.3, 0.005, 1)
    validation[30:] += 3
    assert named(reported({"train_loss": train, "val_loss": validation})) == family


@pytest.mark.parametrize(("lost", "family"), [(True, "system"), (False, None)])
def test_a_resumed_run_is_reported_if_it_lost_what_it_had_learnt(lost: bool, family: str | None) -> None:
    """The steps go back by a third of the run: an old checkpoint has the loss of then, the last one goes on."""
    loss = falling(300, 0.2, 0.01)
    again = loss[100:] if lost else loss[200] + np.random.default_rng(2).normal(0, 0.01, 200)
    rows = [{"step": at, "loss": float(value)} for at, value in enumerate(loss[:201])]
    rows += [{"step": at, "loss": float(value)} for at, value in enumerate(again, start=100)]
    assert named(analyse(history_of("run", "jsonl", rows))) == family


@pytest.mark.parametrize(("to", "family"), [(1e-3, "data"), (1e-4, "unknown")])
def test_training_data_that_became_easier_are_distinguished_from_a_changed_evaluation(to: float, family: str) -> None:
    """A training loss that falls at once where the validation gets worse speaks of other data, unless the rate fell."""
    train, validation = falling(600, 0.2, 0.02), np.full(600, np.nan)
    validation[19::20] = falling(30, 0.3, 0.01, 1)
    validation[400:] += 2
    train[385:] *= 0.1
    rate = np.where(np.arange(600) < 385, 1e-3, to)
    assert named(reported({"train_loss": train, "val_loss": validation, "lr": rate})) == family


@pytest.mark.parametrize(("reached", "family"), [(2.0, "unknown"), (50.0, "optimisation")])
def test_a_loss_that_is_back_where_it_began_speaks_of_no_step_too_large(reached: float, family: str) -> None:
    """Wrong labels make a small loss forty times what it was, and bring it to where guessing stands."""
    loss, validation = falling(400, 0.05, 0.005), np.full(400, np.nan)
    validation[19::20] = falling(20, 0.1, 0.005, 1)
    loss[300:] += reached
    validation[300:] += reached
    assert named(reported({"loss": loss, "val_loss": validation})) == family


def test_a_validation_loss_that_creeps_up_is_no_changed_evaluation() -> None:
    """Of boosted trees each curve is smooth: its rise is far above its noise at every step, and overfitting."""
    at = np.arange(120)
    train, validation = 0.8 * np.exp(-at / 4), 1.5 + 1.4 * (1 - np.exp(-((at - 6) ** 2) / 3000)) * (at > 6)
    found = reported({"train-mlogloss": train, "eval-mlogloss": validation + 0.06 * np.exp(-at / 3)})
    assert named(found) is None
    assert found.incidents[0].lead.kind == "overfitting_gap"
