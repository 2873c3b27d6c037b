"""The names under which training scripts write the usual metrics."""

from __future__ import annotations

import re
from functools import lru_cache

from exaid_evals.runs.metric_names import role_of_column

ACCURACY = "accuracy"
BALANCED = "balanced_accuracy_adjusted"
KAPPA = "kappa"
MACRO_F1 = "macro_f1"
AUC = "auc_ovr"

STANDARD = (ACCURACY, BALANCED, KAPPA, MACRO_F1, AUC)
"""What every training run is asked for; what a file lacks of them is computed from the predictions."""

PER_CLASS = ("precision", "recall", "f1")

_NAMES = """
accuracy | Accuracy | acc top1 top_1 top_1_accuracy top1_accuracy
balanced_accuracy_adjusted | Bal. acc. (adj.) | balanced_acc_adjusted balanced_acc_adj balanced_accuracy_adj bal_acc_adj
balanced_accuracy_adjusted | Bal. acc. (adj.) | adjusted_balanced_accuracy bacc_adjusted bacc_adj
balanced_accuracy | Balanced acc. | balanced_acc bal_acc bacc
kappa | Kappa | cohen_kappa cohens_kappa quadratic_kappa kappa_quadratic cohen_kappa_quadratic
kappa | Kappa | quadratic_weighted_kappa weighted_kappa qwk
macro_f1 | Macro F1 | f1_macro macro_f1_score f1_score_macro macro_avg_f1 macro_avg_f1_score
macro_precision | Macro precision | precision_macro macro_avg_precision
macro_recall | Macro recall | recall_macro macro_avg_recall
weighted_f1 | Weighted F1 | f1_weighted weighted_avg_f1 weighted_avg_f1_score
weighted_precision | Weighted precision | precision_weighted weighted_avg_precision
weighted_recall | Weighted recall | recall_weighted weighted_avg_recall
auc_ovr | AUC (OvR) | roc_auc_ovr auc_roc_ovr roc_auc_ovr_macro auc_roc roc_auc auc auroc macro_auc
precision | Precision | prec ppv
recall | Recall | sensitivity tpr
f1 | F1 | f1_score f_score fscore
loss | Loss |
support | support | n count
auc_roc | AUC (ROC) |
average_precision | Avg. precision |
specificity | Specificity |
perplexity | Perplexity |
bits_per_byte | Bits per byte |
expected_calibration_error | ECE |
mean_absolute_error | MAE |
mean_squared_error | MSE |
root_mean_squared_error | RMSE |
word_error_rate | WER |
character_error_rate | CER |
"""
"""Standard name, what a table calls it, how scripts write it besides; some on two lines."""
_ROWS = [[part.strip() for part in line.split("|")] for line in _NAMES.strip().splitlines()]
_DISPLAYED = {name: shown for name, shown, _ in _ROWS}
_STANDARD_OF = {alias: name for name, _, aliases in _ROWS for alias in aliases.split()}
_SETTINGS_AND_COUNTS = """
    epoch epochs step steps global_step iteration iterations seed lr learning_rate batch_size weight_decay momentum
    dropout fold trial run_id trial_id job_id rank world_size patience params parameters total_params support count n
    samples total_samples image_size img_size input_size timestamp"""
_NO_METRICS = frozenset(_SETTINGS_AND_COUNTS.split())
_PREFIX = re.compile(r"^(val|valid|validation|eval)_")
_SHARES = (*PER_CLASS, *(name for name in _DISPLAYED if name.startswith(("macro_", "weighted_"))), "balanced_accuracy")


def is_share(name: str) -> bool:
    """Return whether a metric, by its standard name, lies between -1 and 1.

    >>> is_share("macro_recall"), is_share("top5_accuracy"), is_share("loss")
    (True, True, False)
    """
    return name in STANDARD or name in _SHARES or name.endswith("_accuracy")


def display_name(name: str) -> str:
    """Return what a table calls a metric; any other name is left as it is.

    >>> display_name("balanced_accuracy_adjusted"), display_name("mAP50-95")
    ('Bal. acc. (adj.)', 'mAP50-95')
    """
    return _DISPLAYED.get(name, name)


@lru_cache(maxsize=4096)
def is_no_metric(written: str) -> bool:
    """Return whether a number beside metrics is a setting or a count by its name: scripts write all into one file.

    >>> [is_no_metric(name) for name in ("epoch", "best_epoch", "lr", "n_samples", "val/batch_size", "seed")]
    [True, True, True, True, True, True]
    >>> [is_no_metric(name) for name in ("loss", "num_correct", "n_items", "support", "accuracy", "time")]
    [False, True, True, True, False, False]
    >>> is_no_metric("train_loss_epoch"), is_no_metric("best_loss_epoch")
    (False, True)
    """
    simple = re.sub(r"[^a-z0-9]+", "_", written.strip().lower()).strip("_")
    bare = _PREFIX.sub("", simple)
    if bare.endswith("_epoch") and "best" not in bare and role_of_column(bare) == "metric":
        return False  # a loss over an epoch
    return (
        bare in _NO_METRICS or bare.startswith(("n_", "num_", "seed_")) or bare.endswith(("_seed", "_epoch", "_epochs"))
    )


@lru_cache(maxsize=4096)
def standard_name(written: str) -> str:
    """Return the standard name of a metric, or the written one, simplified, where none is known.

    >>> standard_name("val/Acc"), standard_name("QWK"), standard_name("f1-score"), standard_name("val_loss")
    ('accuracy', 'kappa', 'f1', 'loss')
    >>> standard_name("Dice (mean)")
    'dice_mean'
    """
    simple = re.sub(r"[^a-z0-9]+", "_", written.strip().lower()).strip("_")
    bare = _PREFIX.sub("", simple)
    return _STANDARD_OF.get(bare) or bare or written.strip()
