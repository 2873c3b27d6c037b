"""The one table of metric names: canonical name, direction, name to display, aliases.

`metrics/mAP50(B)`, `train_loss_step`, `rollout/ep_rew_mean` and `Loss/train` are names that nobody can list; their
words can be. The last words of a name that the table knows decide, for in English the noun stands last: `dice_loss` is
a loss, `brier_score` is the entry of that name and no score.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeVar

Direction = Literal["higher", "lower"]
Role = Literal["metric", "contested", "schedule", "counter", "system", "unknown"]
"""`contested` is a term that its method does not minimise (adversarial, policy): its course is not a verdict."""

Split = Literal["train", "validation"]
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class MetricName:
    """One metric.

    Attributes:
        name: canonical, in words joined by underscores.
        direction: in which it improves; None where the name does not settle that.
        display: for tables and figures.
        aliases: other ways to write it, words joined by underscores, in lower case.
        role: what such a column is to an analysis.
    """

    name: str
    direction: Direction | None
    display: str
    aliases: tuple[str, ...] = ()
    role: Role = "metric"


def _rows(text: str, direction: Direction | None, role: Role = "metric") -> list[MetricName]:
    """Return the entries of lines `canonical | display | aliases`."""
    found = []
    for line in text.strip().splitlines():
        name, display, *aliases = (part.strip() for part in line.split("|"))
        found.append(MetricName(name, direction, display, tuple(" ".join(aliases).split()), role))
    return found


METRICS: tuple[MetricName, ...] = (
    *_rows(
        """
        loss | loss | losses objective
        error | error | err errors errs error_rate err_rate merror percent_incorrect
        cross_entropy | cross-entropy | crossentropy xent xentropy ce bce cross_entropy_loss log_loss logloss mlogloss
        negative_log_likelihood | negative log-likelihood | nll neg_log_likelihood neg_log_lik neg_loglikelihood
        perplexity | perplexity | ppl pplx
        bits_per_byte | bits per byte | bpb bpc bpd bits_per_char bits_per_character bits_per_dim
        mean_absolute_error | MAE | mae
        mean_squared_error | MSE | mse
        root_mean_squared_error | RMSE | rmse rmsle
        mean_absolute_percentage_error | MAPE | mape smape
        expected_calibration_error | ECE | ece mce
        brier_score | Brier score | brier
        hinge | hinge loss | hinge_score
        kl_divergence | KL divergence | kldiv
        word_error_rate | WER | wer
        character_error_rate | CER | cer ter translation_edit_rate char_error_rate
        edit_distance | edit distance | levenshtein levenshtein_distance hausdorff_distance frechet_distance
        hausdorff | Hausdorff distance | hd95 assd asd
        false_positive_rate | false positive rate | fpr
        false_negative_rate | false negative rate | fnr
        false_discovery_rate | false discovery rate | fdr
        equal_error_rate | equal error rate | eer
        frechet_inception_distance | FID | fid kid fvd
        lpips | LPIPS
        pixel_error | error | epe mpjpe nme crps deviance chamfer chamfer_distance
        regret | regret
        inertia | inertia | distortion wcss sse within_cluster_variance
        cost | cost | costs
        redundancy | redundancy
        unsupported | unsupported
        compression | compression
        hallucination_rate | hallucination rate
        """,
        "lower",
    ),
    *_rows(
        """
        latency | latency
        duration | duration | durations
        time | time | runtime walltime seconds execution_time
        time_to | time to reach | time_to_accuracy time_to_target_accuracy
        milliseconds | ms | ms
        """,
        "lower",
        "system",
    ),
    *_rows(
        """
        accuracy | accuracy | acc top1 top5 accuracies acc_norm exact_match em percent_correct las uas
        precision | precision | prec ppv ents_p
        recall | recall | rec recalls sensitivity tpr true_positive_rate hit_rate hit hits ents_r
        specificity | specificity | tnr true_negative_rate npv
        f1 | F1 | f1score f1_score fscore f_score fbeta fbeta_score f2 f_measure fmeasure hmean h_mean
        entity_f1 | entity F1 | ents_f cats_macro_f cats_micro_f sents_f
        auc | AUC | auroc roc roc_auc auc_roc auprc aupr auc_pr auc_ovr prauc
        average_precision | average precision | ap map mean_average_precision ar average_recall map50 ap50
        iou | IoU | miou mean_iou jaccard jaccard_index giou
        dice | Dice | dsc
        kappa | kappa | qwk cohen_kappa cohens_kappa
        mcc | MCC | matthews_correlation matthews_corrcoef
        r2 | R² | r2_score r_squared explained_variance explained_var
        ndcg | NDCG | mrr
        bleu | BLEU | sacrebleu
        rouge | ROUGE | rougel rougelsum rouge_l rouge_lsum
        meteor | METEOR | chrf chrfpp cider spice
        bertscore | BERTScore | bert_score bleurt comet
        psnr | PSNR | snr sdr si_sdr sisdr
        ssim | SSIM | ms_ssim msssim vif
        pesq | PESQ | stoi mos
        correlation | correlation | spearman pearson spearmanr pearsonr corr plcc srcc
        similarity | similarity | cosine_similarity
        likelihood | log-likelihood | log_likelihood loglikelihood elbo
        pass_at_1 | pass@1 | pass_at_k pass_k pass_1 pass_4 pass_5 pass_8 pass_10 pass_100 pass_rate solved solve_rate
        mota | MOTA | idf1 hota pck pckh oks
        coverage | coverage | ctu_saved
        score | score | scores
        reward | reward | rewards rew rews return returns ep_ret
        success_rate | success rate | success win win_rate winrate elo
        """,
        "higher",
    ),
    *_rows(
        """
        throughput | throughput | tokens_per_second samples_per_second steps_per_second fps it_per_s
        """,
        "higher",
        "system",
    ),
    *_rows(
        """
        generator_loss | generator loss | g_loss gen_loss loss_g loss_gen generator_error err_g errg g_error lossg gloss
        discriminator_loss | discriminator loss | d_loss disc_loss loss_d loss_disc err_d errd lossd dloss
        value_loss | value loss | vf_loss critic_loss value_function_loss qf_loss q_loss loss_value loss_critic loss_qf
        temporal_difference | TD error | td_error td_loss
        adversarial_loss | adversarial loss | adv_loss loss_adv gan_loss loss_gan
        policy_loss | policy loss | policy_gradient_loss pg_loss actor_loss loss_policy loss_actor loss_pi pi_loss
        entropy_loss | entropy loss | loss_entropy ent_loss
        entropy_coefficient_loss | entropy coefficient loss | ent_coef_loss alpha_loss
        kl_loss | KL term | kl kld loss_kl kld_loss kl_div_loss
        gradient_norm | gradient norm | grad_norm gradnorm gnorm
        approximate_kl | approximate KL | approx_kl
        entropy | entropy
        discriminator_score | discriminator score | d_real d_fake d_x d_g_z
        """,
        None,
        "contested",
    ),
    *_rows(
        """
        loss_scale | loss scale | grad_scale amp_scale loss_scaler scaler_scale
        dropout_rate | dropout | dropout drop_rate
        learning_rate | learning rate | lr lrs learningrate
        weight_decay | weight decay | momentum beta1 beta2
        exploration_rate | exploration rate | epsilon temperature
        """,
        None,
        "schedule",
    ),
)


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_COUNTERS = _set(
    "step steps epoch epochs iter iters iteration iterations batch batches samples tokens timesteps updates episodes "
    "count num total items index id ids seed rank examples images hours progress"
)
_SYSTEM = _set("memory mem gpu cpu rss ram util utilization utilisation power temp eta dur timestamp disk network")

_TABLE: Mapping[tuple[str, ...], MetricName] = {
    tuple(written.split("_")): entry for entry in METRICS for written in (entry.name, *entry.aliases)
}
_LONGEST = max(len(words) for words in _TABLE)
_WORDS = frozenset(words[0] for words in _TABLE if len(words) == 1)
_NEGATING = (*((word,) for word in _set("neg negative negated minus inv inverse inverted")), ("one", "minus"))
_SIGN = re.compile(r"\s*(?:[-\N{MINUS SIGN}\N{EN DASH}]|1\s*[-/\N{MINUS SIGN}\N{EN DASH}])\s*(?=[a-zA-Z])")
_SPREADS = _set("std stdv stdev stddev stderr")
_OF_SOMETHING = _SPREADS | _set("sd var variance norm scale scaler weight weights threshold thr target clip")
"""Words after a metric that make another quantity of it: `reward_std` is not a reward."""
_PREFERRED = _set("chosen rejected")
_SUMMED = _set("cumulative cumulated cum cumul total accumulated")
_TRAINING = _set("train training tr trn")
_TAKEN_OVER = _set("step epoch batch total avg average mean running")
"""Words that say over what a value is taken, and not of what."""
_VALIDATION = _set("val va valid validate validation eval evaluation test dev holdout")
_EVALUATED = _set("average_precision bleu rouge meteor word_error_rate character_error_rate frechet_inception_distance")
"""Metrics that nobody computes while learning: they are an evaluation's, whatever their names say."""
_EVALUATORS = ("metrics/", "accuracy/top", "single-label/", "multi-label/", "coco/", "pascal_voc/")
"""With which the names begin that the evaluators of Ultralytics and OpenMMLab give."""
_PHASES = _set("task tasks phase stage fold cycle curriculum difficulty augment augmentation aug experience session")
_PASSED_OVER = (
    _TRAINING
    | _VALIDATION
    | _set("best final mean avg average overall max min median total step epoch batch running smoothed ema last")
)
"""Words that say how or on what a metric was taken, and not which it is."""


def direction_of(metric: str, known: Mapping[str, Direction] | None = None) -> Direction | None:
    """Return how a metric improves; None where its name does not tell.

    Args:
        metric: its name, as logged.
        known: metric → direction, as the user or the source says; goes before the name.

    >>> direction_of("val/balanced_accuracy"), direction_of("Loss/train"), direction_of("std_acc"), direction_of("lr")
    ('higher', 'lower', None, None)
    """
    if known and metric in known:
        return known[metric]
    return direction_of_name(metric)


@lru_cache(maxsize=4096)
def direction_of_name(metric: str) -> Direction | None:
    """Return `higher` or `lower` by the name alone; None where it does not say.

    >>> [direction_of_name(name) for name in ("neg_mean_squared_error", "-loss", "1-acc", "time_to_accuracy")]
    ['higher', 'higher', 'lower', 'lower']
    >>> [direction_of_name(name) for name in ("metrics/mAP50(B)", "rollout/ep_rew_mean", "val_bpb", "entropy_loss")]
    ['higher', 'higher', 'lower', None]
    """
    plain = metric.split(",")[0].strip()
    sign = _SIGN.match(plain)
    if sign is not None:
        return _turned(direction_of_name(plain[sign.end() :]))
    for words in _parts(plain):
        found = _match(words)
        if found is None:
            continue
        entry, start, end = found
        after = words[end:]
        spread = any(word in _SPREADS for word in words[:start])  # `std_accuracy` is no accuracy either
        if spread or any(word in _OF_SOMETHING or (word,) in _NEGATING for word in after):
            return None
        ahead = tuple(word for word in words[:start] if word not in _PASSED_OVER)
        if entry.name == "regret" and any(word in _SUMMED for word in words[:start]):
            return None  # a sum over all steps so far grows by what it is; one of rewards is that of an episode
        if entry.name == "reward" and any(word in _PREFERRED for word in words_of(metric)):
            return None  # of a preference only the margin counts: both terms fall as it grows
        for turning in _NEGATING:
            for at in range(len(ahead)):
                if ahead[at : at + len(turning)] == turning:
                    # `neg_val_loss` improves upwards; `negative_sampling_loss` is a loss of something else.
                    rest = ahead[at + len(turning) :]
                    clear = not rest and entry.name != "likelihood"
                    return _turned(entry.direction) if clear else None
        return entry.direction
    return None


@lru_cache(maxsize=4096)
def metric_named(name: str) -> MetricName | None:
    """Return the table's entry for a logged name; None where it has none.

    >>> metric_named("val/top1_acc").name, metric_named("bbox_mAP").display, metric_named("alpha")
    ('accuracy', 'average precision', None)
    """
    for words in _parts(name.split(",")[0].strip()):
        found = _match(words)
        if found is not None:
            return found[0]
    return None


@lru_cache(maxsize=4096)
def role_of_column(name: str) -> Role:
    """Return what a column of a history is to an analysis.

    >>> [role_of_column(name) for name in ("train_loss", "lr-AdamW", "global_step", "gpu_mem", "d_loss", "zest")]
    ['metric', 'schedule', 'counter', 'system', 'contested', 'unknown']
    """
    entry = metric_named(name)
    if entry is not None:
        return entry.role
    roles: list[Role] = [
        "counter" if word in _COUNTERS else "system" for word in words_of(name) if word in _COUNTERS | _SYSTEM
    ]
    return roles[-1] if roles else "unknown"


@lru_cache(maxsize=4096)
def names_phase(name: str) -> bool:
    """Return whether a column says which part of a training a row belongs to, such as a task or a fold.

    >>> [name for name in ("task_id", "curriculum/level", "fold", "task_loss", "augment/noise") if names_phase(name)]
    ['task_id', 'curriculum/level', 'fold', 'augment/noise']
    """
    return role_of_column(name) in ("counter", "unknown") and any(word in _PHASES for word in words_of(name))


def split_of(name: str) -> Split | None:
    """Return on which part of the data a metric was taken, as far as its name says.

    >>> split_of("val/loss"), split_of("trainAcc"), split_of("evaluator")
    ('validation', 'train', None)
    """
    words = words_of(name)
    if any(word in _VALIDATION for word in words):
        return "validation"
    return "train" if any(word in _TRAINING for word in words) else None


def is_validation(metric: str) -> bool:
    """Return whether a metric's name says that it was taken on data that the model does not learn from.

    >>> [is_validation(name) for name in ("val/loss", "metrics/recall(B)", "accuracy/top1", "train/mAP", "loss")]
    [True, True, True, False, False]
    """
    split, entry = split_of(metric), metric_named(metric)
    evaluated = metric.startswith(_EVALUATORS) or (entry is not None and entry.name in _EVALUATED)
    return split == "validation" or (split is None and evaluated)


def is_ambiguous(metric: str, known: Iterable[str]) -> bool:
    """Return whether it is open on what a metric was taken: its name does not say it, and those beside it say theirs.

    >>> is_ambiguous("accuracy", ["train_loss", "valid_loss"]), is_ambiguous("acc", ["train_loss", "val_acc"])
    (True, False)
    """
    if split_of(metric) is not None or is_validation(metric) or role_of_column(metric) != "metric":
        return False
    names = [name for name in known if role_of_column(name) == "metric"]
    evaluated = [name for name in names if split_of(name) == "validation"]
    beside = any(counterpart(name, {metric: None}) for name in evaluated)
    return bool(evaluated) and not beside and any(split_of(name) == "train" for name in names)


def counterpart(metric: str, known: Mapping[str, _T]) -> str | None:
    """Return the training metric that stands beside a validation metric: `val/loss` → `train/loss`, or `loss`.

    >>> counterpart("val/loss", {"lr": 0, "loss": 0}), counterpart("eval_accuracy", {"train_acc": 0})
    ('loss', None)
    >>> counterpart("val_loss", {"train_loss_step": 0})
    'train_loss_step'
    """
    bare = [word for word in words_of(metric) if word not in _VALIDATION | _TAKEN_OVER]
    others = [(name, words_of(name)) for name in known if name != metric and split_of(name) != "validation"]
    same = [name for name, words in others if [word for word in words if word not in _TRAINING | _TAKEN_OVER] == bare]
    return min(same, key=lambda name: (split_of(name) != "train", name), default=None)


@lru_cache(maxsize=4096)
def words_of(name: str) -> tuple[str, ...]:
    """Return the words of a name, in lower case, however it joins them.

    >>> words_of("Train Loss"), words_of("Loss/train"), words_of("valAcc"), words_of("val_RMSE@1")
    (('train', 'loss'), ('loss', 'train'), ('val', 'acc'), ('val', 'rmse', '1'))
    """
    found: list[str] = []
    for chunk in re.findall(r"[A-Za-z0-9]+", name):
        whole = _known(chunk.lower())
        found += [whole] if whole else re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", chunk).lower())
    return tuple(found)


def _known(word: str) -> str | None:
    """Return a word of the table as it is, numbers at its end included: `mAP50`, `rouge1`, `acc5`."""
    return word if word in _WORDS or word.rstrip("0123456789") in _WORDS else None


def _parts(name: str) -> Sequence[tuple[str, ...]]:
    """Return the words of the name's last part, then of earlier ones: TensorBoard's users write `Loss/train`."""
    parts = [words for part in reversed(re.split(r"[./:|]", name)) if (words := words_of(part))]
    return [*parts, *([words_of(name)] if len(parts) > 1 else [])]


def _match(words: tuple[str, ...]) -> tuple[MetricName, int, int] | None:
    """Return the entry of the last words that the table knows, the longest phrase first, and where it stands."""
    bare = tuple(word if word in _WORDS else word.rstrip("0123456789") or word for word in words)
    for end in range(len(bare), 0, -1):
        for start in range(max(0, end - _LONGEST), end):
            entry = _TABLE.get(bare[start:end])
            if entry is not None:
                return entry, start, end
    return None


def _turned(way: Direction | None) -> Direction | None:
    return None if way is None else "lower" if way == "higher" else "higher"
