"""Make `journal.log` and `study.db`: the same four trials, one of them pruned. Written with Optuna 4.

pip install optuna; python make.py
"""

from __future__ import annotations

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend


def objective(trial: optuna.Trial) -> float:
    """Return what the number of layers decides alone."""
    trial.suggest_float("lr", 1e-4, 1e-1, log=True)
    layers = trial.suggest_int("layers", 1, 3)
    trial.suggest_categorical("aug", [True, False])
    for step in range(3):
        trial.report(0.1 * step + layers / 10, step)
    trial.set_user_attr("macro_f1", 0.4 + layers / 100)
    if trial.number == 2:
        raise optuna.TrialPruned
    return layers / 10 + 0.3


for storage, name in ((JournalStorage(JournalFileBackend("journal.log")), "j"), ("sqlite:///study.db", "d")):
    sampler = optuna.samplers.RandomSampler(seed=1)
    study = optuna.create_study(study_name=name, storage=storage, direction="maximize", sampler=sampler)
    study.set_metric_names(["kappa"])
    study.optimize(objective, n_trials=4)
