"""Which way a metric improves: as its run says, or as its name is used everywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from exaid_evals.errors import ConfigError
from exaid_evals.export.base import ExportedRun

HIGHER = "higher"
LOWER = "lower"

_LOWER_NAMES = """
    loss error err error_rate mae mse rmse mape nll perplexity ppl ece mce brier brier_score hinge cross_entropy kl
    kl_divergence wer cer ter edit_distance fpr fnr fdr false_positive_rate false_negative_rate latency duration time
    runtime seconds cost redundancy unsupported compression hallucination_rate total_duration load_duration
    prompt_eval_duration eval_duration execution_time avg_execution_time median_execution_time bits_per_byte
    byte_perplexity word_perplexity fid hausdorff neg_log_likelihood negative_log_likelihood log_loss max_error
    mean_squared_error root_mean_squared_error mean_absolute_error median_absolute_error mean_squared_log_error
    root_mean_squared_log_error mean_absolute_percentage_error"""
_HIGHER_NAMES = """
    accuracy acc acc_norm balanced_accuracy balanced_accuracy_adjusted kappa mcc macro_f1 micro_f1 weighted_f1 f1
    precision recall sensitivity specificity macro_precision macro_recall weighted_precision weighted_recall auc auc_ovr
    auc_roc auroc roc_auc auc_pr average_precision map mean_average_precision iou miou dice jaccard r2
    explained_variance ndcg mrr hit_rate exact_match em bleu rouge rouge1 rouge2 rougel rougelsum meteor chrf bertscore
    spearman pearson pass_at_1 prediction_accuracy coverage coverage_auc ctu_saved tpr tnr ppv npv true_positive_rate
    true_negative_rate success_rate throughput tokens_per_second score reward win_rate"""
_LOWER = frozenset(_LOWER_NAMES.split())
_HIGHER = frozenset(_HIGHER_NAMES.split())
_SPLITS = "val|valid|validation|test|eval|train|training"
_NEGATING = r"neg|negative|negated|minus|one_minus|inv|inverse|inverted"
_SIGN = re.compile(r"\s*(?:[-\N{MINUS SIGN}\N{EN DASH}]|1\s*[-/\N{MINUS SIGN}\N{EN DASH}])\s*(?=[a-zA-Z])")


def direction_of(metric: str, runs: Iterable[ExportedRun] = ()) -> str | None:
    """Return `higher` or `lower`; None where neither the runs nor the name say.

    >>> direction_of("val_loss"), direction_of("V3.coverage"), direction_of("top5_accuracy"), direction_of("alpha")
    ('lower', 'higher', 'higher', None)
    >>> direction_of("Train Loss"), direction_of("Loss/train"), direction_of("valAcc"), direction_of("acc,none")
    ('lower', 'lower', 'higher', 'higher')

    Raises:
        ConfigError: some runs say this and some that.
    """
    runs = list(runs)
    said = {
        way
        for way, named in ((LOWER, "lower_is_better"), (HIGHER, "higher_is_better"))
        if any(metric in getattr(run, named) for run in runs)
    }
    if len(said) > 1:
        raise ConfigError(
            f"some runs say that {metric} improves upwards, and some downwards",
            where="--primary-metric",
            remedy="say which with --better higher or --better lower",
        )
    if said:
        return said.pop()
    return direction_of_name(metric)


@lru_cache(maxsize=4096)
def direction_of_name(metric: str) -> str | None:
    """Return `higher` or `lower` by the name alone; None where it does not say.

    >>> [direction_of_name(name) for name in ("neg_mean_squared_error", "-loss", "1-acc", "time_to_accuracy")]
    ['higher', 'higher', 'lower', 'lower']
    """
    # The name as a whole first, then its parts: TensorBoard's users write `Loss/train`, Keras' `valAccuracy`.
    plain = metric.split(",")[0].strip()
    sign = _SIGN.match(plain)
    if sign is not None:
        return _turned(direction_of_name(plain[sign.end() :]))
    spaced = _apart(plain)
    for name in (plain, spaced, *reversed(re.split(r"[./:|]", spaced))):
        way = _of_name(name)
        if way is not None:
            return way
    return None


@lru_cache(maxsize=4096)
def words_of(name: str) -> tuple[str, ...]:
    """Return the words of a name, in lower case, however it joins them.

    >>> words_of("Train Loss"), words_of("Loss/train"), words_of("valAcc"), words_of("val_RMSE@1")
    (('train', 'loss'), ('loss', 'train'), ('val', 'acc'), ('val', 'rmse', '1'))
    """
    return tuple(re.findall(r"[a-z0-9]+", _apart(name).lower()))


def _apart(name: str) -> str:
    """Return a name with an underscore where a capital begins a word within it."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)


def _of_name(name: str) -> str | None:
    # `val/loss`, `hellaswag.acc_norm`: the name is the last part, without the split it was taken on.
    name = re.split(r"[./:|]", name.lower())[-1]
    name = re.sub(r"[^a-z0-9]+", "_", name).strip("_")
    name = re.sub(rf"^({_SPLITS}|best|final|mean|avg|overall)_(?!(absolute|squared|poisson)_)", "", name)
    name = re.sub(rf"_({_SPLITS})$", "", name)
    for known, way in ((_LOWER, LOWER), (_HIGHER, HIGHER)):
        if name in known:
            return way
    negated = re.search(rf"(?:^|_)(?:{_NEGATING})_(.+)", name)
    if negated is not None:
        # `neg_loss` improves upwards; `negative_sampling_loss` is a loss of something else, and says nothing here.
        rest = re.sub(rf"^({_SPLITS})_", "", negated[1])
        return HIGHER if rest in _LOWER else LOWER if rest in _HIGHER else None
    if name.startswith("time_to_"):
        return LOWER
    for suffixes, way in (
        (("_loss", "_error", "_ms", "_duration"), LOWER),
        (("_accuracy", "_f1", "_auc", "_dice", "_iou", "_kappa"), HIGHER),
    ):
        if name.endswith(suffixes):
            return way
    return None


def _turned(way: str | None) -> str | None:
    return None if way is None else LOWER if way == HIGHER else HIGHER
