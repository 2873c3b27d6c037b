"""Histories that come out of dynamics: noisy gradient descent that is really integrated, step by step.

Where made_histories.py draws curves, here a loss is what a state of some dozen directions with a power-law spectrum
gives, a pair of adversaries really descends and ascends, a policy really climbs, and a fault changes the dynamics or
what is logged of them, under the names that trackers use. Written without a look at the detectors.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from descent import STYLES, Descent, train, train_epochs
from made_histories import Made, Rows
from numpy.random import Generator

# Clean courses -------------------------------------------------------------------------------------------------------


def language_model(rng: Generator) -> Made:
    """A spectrum with a long tail gives a power law; single batches throw the state off, and it returns."""
    hits = set(rng.integers(300, 2000, rng.integers(2, 7)).tolist())

    def hook(one: Descent, at: int, _row: dict[str, Any]) -> None:
        if at in hits:
            one.state[:4] += rng.normal(0, 1.5, 4)

    style = {"loss": "train/loss", "vloss": "val/loss", "acc": "val/top1_acc", "norm": "train/grad_norm", "lr": "lr"}
    return Made(
        "language model with spikes", train(rng, 3000, 250, hook, style, directions=120, floor=2.2, spread=0.02)
    )


def policy(rng: Generator) -> Made:
    """A policy climbs to a plateau; its returns have heavy tails, and dips last for some updates."""
    n, skill, mood = int(rng.integers(300, 900)), -3.0, 0.0
    scale, rows = float(rng.choice([1.0, 20.0, 800.0])), []
    for at in range(n):
        mood = 0.9 * mood + rng.normal(0, 0.12)
        skill += (0.06 * 400 / n) * (1 / (1 + math.exp(skill - 1.5))) + rng.normal(0, 0.03)
        level = 1 / (1 + math.exp(-(skill + mood)))
        reward = scale * (level + 0.05 * rng.standard_t(4) * math.sqrt(level * (1 - level) + 0.02))
        rows.append(
            {"step": 2048 * (at + 1), "rollout/ep_rew_mean": reward, "rollout/ep_len_mean": 20 + 180 * level,
             "train/value_loss": scale * math.exp(rng.normal(-2, 0.7)), "train/entropy_loss": -0.7 - 0.6 * (1 - level),
             "train/clip_fraction": abs(rng.normal(0.1, 0.04)),
             "train/explained_variance": 0.9 * level + rng.normal(0, 0.08)}
        )  # fmt: skip
    return Made("reward of reinforcement learning", rows)


def adversaries(rng: Generator) -> Made:
    """A generator and a discriminator that descend and ascend on one game with damping: they circle without end."""
    x, y, rows = rng.normal(0, 1), rng.normal(0, 1), []
    rate, damping = rng.uniform(0.03, 0.08), rng.uniform(0.0, 0.3)
    names = [("D_loss", "G_loss"), ("loss_d", "loss_g"), ("d_loss", "g_loss"), ("disc_loss", "gen_loss")][
        rng.integers(4)
    ]
    for at in range(int(rng.integers(600, 2000))):
        x, y = x - rate * (y + damping * x + rng.normal(0, 0.4)), y + rate * (x - damping * y + rng.normal(0, 0.4))
        x, y = float(np.clip(x, -3, 3)), float(np.clip(y, -3, 3))
        d = math.log1p(math.exp(-0.6 - 0.4 * x * y)) + math.log1p(math.exp(0.3 * y - 0.5))
        g = math.log1p(math.exp(0.8 * y - 0.2 * x)) + 0.3
        rows.append(
            {"step": at, names[0]: d * math.exp(rng.normal(0, 0.12)), names[1]: g * math.exp(rng.normal(0, 0.15))}
        )
    return Made("adversarial pair", rows)


def warm_restarts(rng: Generator) -> Made:
    """The noise that the state keeps grows with the rate, which each restart brings back; it is mostly logged."""
    cycle, growth = int(rng.integers(60, 160)), int(rng.choice([1, 2]))
    bounds = np.cumsum([cycle * growth**k for k in range(12)])

    def rate(at: int) -> float:
        number = int(np.searchsorted(bounds, at, side="right"))
        begin = 0 if number == 0 else int(bounds[number - 1])
        return 0.005 + 0.5 * (1 + math.cos(math.pi * (at - begin) / (cycle * growth**number)))

    return Made("warm restarts", train(rng, 800, 10, rate=rate, noise=0.35, rates=rng.random() < 0.7))


def warm_up(rng: Generator) -> Made:
    """A rate that grows from nothing: at first nothing is learnt, and at its height the loss rises a little."""
    n, up = int(rng.integers(400, 900)), int(rng.integers(60, 150))
    high = rng.uniform(0.8, 1.5)

    def rate(at: int) -> float:
        return float(high * (at + 1) / up if at < up else high * 0.997 ** (at - up))

    return Made("warm-up", train(rng, n, 25, rate=rate, noise=0.12))


def saw_tooth(rng: Generator) -> Made:
    """A running mean that begins anew with each epoch, of batches that the model has learnt by heart a little."""
    per, mean, count = int(rng.integers(40, 120)), 0.0, 0
    name = str(rng.choice(["train_loss_step", "loss", "train/loss"]))
    rows = train(rng, 10 * per, per, style={**STYLES[1], "loss": name}, spread=0.15, norms=False, rates=False)
    heart = rng.uniform(0.02, 0.12)
    for row in rows:
        count = 1 if row["step"] % per == 0 else count + 1
        mean += (row[name] * (1 + heart * (0.5 - (row["step"] % per) / per)) - mean) / count
        mean = row[name] if count == 1 else mean
        row[name] = mean
    return Made("saw-tooth of epochs", rows)


def few_epochs(rng: Generator) -> Made:
    """Five to twenty epochs of a descent, evaluated on a small set."""
    return Made(
        "five to twenty epochs", train_epochs(rng, int(rng.integers(5, 21)), 20, noise=0.1, gap=rng.uniform(0, 0.08))
    )


def long_run(rng: Generator) -> Made:
    """50,000 steps, logged every fifth, with tails that are heavier than a normal distribution's."""
    rows = train(rng, 50_000, 1000, log=5, noise=0.1, style=STYLES[1], norms=False)
    for row in rows:
        if "train_loss" in row:
            row["train_loss"] *= math.exp(0.04 * rng.standard_t(4))
    return Made("50,000 steps", rows)


def frequencies(rng: Generator) -> Made:
    """Losses a step, system metrics and throughput at their own times, evaluations seldom, a decay in steps."""
    n = 1500
    rows = train(
        rng, n, 60, log=3, noise=0.15, rate=lambda at: 0.4 * 0.2 ** (at >= 700) * 0.2 ** (at >= 1100), rates=True
    )
    for row in rows:
        if row["step"] % 7 == 0:
            row["system/gpu_util"] = float(min(100, 92 + rng.normal(0, 6)))
            row["samples_per_second"] = float(400 * math.exp(rng.normal(0, 0.15)))
        if row["step"] % 250 == 0:
            row["test/bleu"] = 34 * (1 - math.exp(-(row["step"] + 30) / 200)) + rng.normal(0, 0.5)
    return Made("metrics of different frequency", rows)


def fine_tuning(rng: Generator) -> Made:
    """A state that begins near its optimum, evaluated five to fifteen times."""
    n = int(rng.integers(150, 500))

    def hook(one: Descent, at: int, _row: dict[str, Any]) -> None:
        if at == 0:
            one.state *= 0.35

    return Made("fine-tuning", train(rng, n, n // int(rng.integers(5, 16)), hook, noise=0.2, spread=0.15))


def scaled(rng: Generator) -> Made:
    """Mixed precision: the first scales of the loss are too large, and some steps' norms are infinite and left out."""
    skipped = set(range(int(rng.integers(1, 6)))) | set(rng.integers(100, 700, 2).tolist())

    def hook(_one: Descent, at: int, row: dict[str, Any]) -> None:
        for name in row:
            if "norm" in name and at in skipped:
                row[name] = math.inf

    return Made("steps skipped by loss scaling", train(rng, 800, 40, hook, norms=True, noise=0.1))


def autoencoder(rng: Generator) -> Made:
    """A variational autoencoder whose KL term is warmed up: the KL rises from nothing, the reconstruction falls."""
    n, rows = int(rng.integers(300, 800)), []
    for at in range(n):
        beta = min(1.0, at / (0.4 * n))
        kl = 18 * (1 - math.exp(-at / 60)) * (1 - 0.3 * beta) * math.exp(rng.normal(0, 0.03))
        rec = (80 + 120 * math.exp(-at / 50) + 4 * beta) * math.exp(rng.normal(0, 0.02))
        rows.append({"step": at, "loss": rec + beta * kl, "recon_loss": rec, "kl_loss": kl, "beta": beta})
    return Made("annealed autoencoder", rows)


CLEAN: tuple[Callable[[Generator], Made], ...] = (
    language_model, policy, adversaries, warm_restarts, warm_up, saw_tooth, few_epochs, long_run, frequencies,
    fine_tuning, scaled, autoencoder,
)  # fmt: skip


# Faults --------------------------------------------------------------------------------------------------------------


def _onset(rng: Generator, n: int) -> int:
    return int(rng.integers(int(0.35 * n), int(0.85 * n)))


def nan_burst(rng: Generator) -> Made:
    """Gradients overflow: for some dozen steps loss and norm are NaN, and the state was thrown off."""
    n = 900
    at, length = _onset(rng, n), int(rng.integers(10, 120))

    def hook(one: Descent, step: int, row: dict[str, Any]) -> None:
        if at - 3 <= step < at:
            for name in row:
                if "norm" in name:
                    row[name] *= 30.0 ** (step - at + 4)
        if at <= step < at + length:
            row.update({name: math.nan for name in row if "loss" in name or "norm" in name})
        if step == at + length:
            one.state += rng.normal(0, 0.8, one.directions)

    return Made("burst of NaN", train(rng, n, 30, hook, norms=True), onset=at, family="optimisation")


def diverges(rng: Generator) -> Made:
    """From some step on the rate is above what the curvature allows: the loss grows without bound."""
    n = 700
    at, high = _onset(rng, n), rng.uniform(2.05, 2.4)
    rows = train(rng, n, 20, rate=lambda step: high if step >= at else 0.2, noise=0.1, norms=True, rates=True)
    for row in rows:
        row.update({name: math.inf for name, value in row.items() if isinstance(value, float) and abs(value) > 1e30})
    return Made("divergence", rows, onset=at, family="optimisation")


def too_high(rng: Generator) -> Made:
    """A scheduler multiplies the rate: the state bounces far above where it was, and stays there."""
    n = 900
    at, factor = _onset(rng, n), rng.uniform(1.7, 1.95)
    rows = train(rng, n, 30, rate=lambda step: factor if step >= at else 0.05, noise=1.0, rates=True)
    return Made("rate too high", rows, onset=at, family="optimisation")


def validation_drops(rng: Generator) -> Made:
    """One metric is worse from one evaluation on, while training and validation loss stay as they are."""
    n = 1200
    every = int(rng.choice([20, 40, 60]))
    at, lost = _onset(rng, n), rng.uniform(0.12, 0.4)

    def hook(_one: Descent, step: int, row: dict[str, Any]) -> None:
        for name in ("eval_accuracy", "val_acc", "val/f1_score", "bbox_mAP", "metrics/mAP50(B)"):
            if name in row and step >= at:
                row[name] *= 1 - lost

    return Made("validation metric falls", train(rng, n, every, hook), onset=at, family="evaluation")


def overfits(rng: Generator) -> Made:
    """Optima of training and validation lie apart in the flat directions, which are reached last; few evaluations."""
    rows = train_epochs(rng, int(rng.integers(5, 13)), 60, gap=rng.uniform(0.9, 1.4), floor=0.02, noise=0.01,
                   rate=lambda _at: 0.9, directions=60)  # fmt: skip
    return Made("overfitting, few evaluations", rows)


def never(rng: Generator) -> Made:
    """The rate is so small that nothing is learnt, or the gradient does not reach the weights."""
    k = int(rng.choice([2, 10, 50, 1000]))
    rows = train(rng, int(rng.choice([40, 200, 1000])), 5, rate=lambda _at: 1e-7, floor=0.0, rates=False, spread=0.02)
    first = next(value for name, value in rows[0].items() if "loss" in name)
    for row in rows:
        for name, value in row.items():
            if "loss" in name:
                row[name] = value / first * math.log(k)
            elif name != "step" and "norm" not in name:
                row[name] = rng.binomial(2000, 1 / k) / 2000
    return Made("never learns", rows)


def stuck(rng: Generator) -> Made:
    """Weights leap to some huge size in one step, and the loss stays at a huge value."""
    n = 800
    at, size = _onset(rng, n), 10.0 ** rng.uniform(8, 14)

    def hook(one: Descent, step: int, row: dict[str, Any]) -> None:
        if step == at:
            one.state[-1] += size
            row.update({name: value * size for name, value in row.items() if "norm" in name})

    return Made("stuck at a huge value", train(rng, n, 20, hook, norms=True), onset=at, family="optimisation")


def from_height(rng: Generator) -> Made:
    """The loss is above 10¹⁰ at first and falls for the whole run: inputs or weights were not scaled."""
    one = Descent(rng, lambda _at: 0.5, floor=0.5)
    one.state *= 10.0 ** rng.uniform(5, 7)
    rows = []
    for at in range(600):
        loss, norm = one.step(at)
        rows.append({"step": at, "loss": loss, "grad_norm": norm})
    return Made("falls from a huge value", rows)


def reward_collapse(rng: Generator) -> Made:
    """A policy that was learnt is lost at once, learnt again, and lost again, at irregular times."""
    made = policy(rng)
    n = len(made.rows)
    rewards = [row["rollout/ep_rew_mean"] for row in made.rows]
    low, begins = float(np.mean(rewards[:10])), sorted(rng.choice(np.arange(n // 2, n - 30), 3, replace=False).tolist())
    for at in begins:
        back = int(rng.integers(10, 50))
        for after, row in enumerate(made.rows[at : at + 2 * back]):
            kept = max(0.0, (after - back) / back)
            row["rollout/ep_rew_mean"] = low + kept * (row["rollout/ep_rew_mean"] - low)
    return Made("reward collapses", made.rows, onset=begins[0])


def spike_and_shift(rng: Generator) -> Made:
    """One value of a million or more is logged early; later the optimum moves, and a part of that stays for good."""
    n = 1000
    early, at = int(rng.integers(50, 300)), int(rng.integers(500, 800))

    def hook(one: Descent, step: int, row: dict[str, Any]) -> None:
        if step == early:
            row.update({name: 10.0 ** rng.uniform(6, 15) for name in row if "loss" in name})
        if step == at:
            one.floor += rng.uniform(0.5, 1.2)

    return Made("insane value, later a shift", train(rng, n, 25, hook), onset=at)


def _batches(rng: Generator, n: int, at: int, hurt: Callable[[list[str], int], float], loss: list[float]) -> Rows:
    pool = [f"{number:04d}.jpg" for number in range(500)]
    rows = []
    for step in range(n):
        items = [pool[one] for one in rng.choice(500, 8, replace=False)]
        worse = hurt(items, step) if step >= at else 0.0
        accuracy = float(np.clip(0.93 - 0.06 * worse + rng.normal(0, 0.03), 0, 1))
        loss[step] += 0.35 * worse
        rows.append(
            {"step": step, "batch_idx": step, "items": items, "metrics": {"loss": loss[step], "accuracy": accuracy}}
        )
    return rows


def _with_batches(rng: Generator, kind: str, hurt: Callable[[list[str], int], float], at: int, move: float) -> Made:
    def hook(one: Descent, step: int, _row: dict[str, Any]) -> None:
        if step == at:
            one.target, one.extra = move, 0.1

    rows = train(rng, 700, 20, hook, style=STYLES[1], noise=0.1, norms=False, rates=False)
    loss = [row["train_loss"] for row in rows]
    batches = _batches(rng, 700, at, hurt, loss)
    for row, value in zip(rows, loss, strict=True):
        row["train_loss"] = value
    for row in rows:
        if "val_acc" in row and row["step"] >= at:
            row["val_acc"] -= 0.15
            row["val_loss"] += 0.4
    return Made(kind, rows, batches, onset=at, family="data")


def label_noise(rng: Generator) -> Made:
    """From some step on a folder's labels are wrong: batches are worse by how many of its images they hold."""
    folder = {f"{number:04d}.jpg" for number in rng.choice(500, int(rng.integers(40, 150)), replace=False)}
    at = int(rng.integers(250, 500))
    return _with_batches(rng, "label noise", lambda items, _: sum(one in folder for one in items), at, 0.1)


def bad_batches(rng: Generator) -> Made:
    """From some step on the few batches that hold one of some broken images are far worse."""
    broken = {f"{number:04d}.jpg" for number in rng.choice(500, int(rng.integers(8, 25)), replace=False)}
    at = int(rng.integers(250, 500))
    return _with_batches(rng, "bad batches", lambda items, _: 4.0 * any(one in broken for one in items), at, 0.05)


def resumed_old(rng: Generator) -> Made:
    """The job is restarted from a checkpoint of long ago: its steps are counted again from there."""
    n = 1000
    at = _onset(rng, n)
    old = int(at * rng.uniform(0.3, 0.7))
    rows = train(rng, n, 25, peak=0.05)
    again = [{**row, "step": row["step"]} for row in rows if old <= row["step"]]
    for row in again:
        for name in row:
            if "loss" in name:
                row[name] *= math.exp(rng.normal(0, 0.03))
    return Made(
        "restarted from an old checkpoint",
        [row for row in rows if row["step"] < at] + again,
        onset=old,
        family="system",
    )


TROUBLED: tuple[Callable[[Generator], Made], ...] = (
    nan_burst, diverges, too_high, validation_drops, overfits, never, stuck, from_height, reward_collapse,
    spike_and_shift, label_noise, bad_batches, resumed_old,
)  # fmt: skip
