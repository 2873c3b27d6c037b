"""Where the true class stands among the logits; ties go to the class of the lower index, every time."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from exaid_evals.errors import ConfigError, DataError


def label_ranks(logits: Tensor, labels: Tensor) -> Tensor:
    """Return how many classes stand before the true one, shape (N,); 0 means that it is the first.

    A class stands before another if its logit is greater, or equal and its index lower. `torch.topk` and `argmax`
    leave open which of equal logits they take.

    Args:
        logits: shape (N, C).
        labels: shape (N,), within 0 … C − 1.
    """
    own = logits.gather(1, labels[:, None])
    # Written as floats, which are added up several times as fast as truth values, and exactly up to 2²⁴ classes.
    marks = torch.empty(logits.shape, dtype=torch.float32, device=logits.device)
    ranks = torch.gt(logits, own, out=marks).sum(dim=1).long()
    if float(torch.eq(logits, own, out=marks).sum()) > len(labels):  # ties are rare
        lower = torch.arange(logits.shape[1], device=logits.device) < labels[:, None]
        ranks += ((logits == own) & lower).sum(dim=1)
    return ranks


def first_classes(logits: Tensor) -> Tensor:
    """Return the class of the greatest logit, of equal ones the lowest index, shape (N,)."""
    if logits.device.type == "cpu" and logits.dtype in (torch.float32, torch.float64) and logits.numel():
        # NumPy says that it takes the first of equal ones; PyTorch leaves it open.
        return torch.from_numpy(logits.detach().numpy().argmax(axis=1))
    greatest, found = logits.max(dim=1)
    equal = logits == greatest[:, None]
    tied = equal.sum(dim=1) > 1
    if bool(tied.any()):
        # The first stands behind as many places as none of them has been seen.
        found[tied] = (equal[tied].cumsum(dim=1) == 0).sum(dim=1)
    return found


def compute_topk_accuracy(logits: Tensor, labels: Tensor, k: int = 5) -> float:
    """Return the share of examples whose true class is among the k classes of the greatest logits.

    Of equal logits the class of the lower index comes first. A k above the number of classes counts as that number.

    Args:
        logits: shape (N, C), N ≥ 1; scores or probabilities do as well.
        labels: shape (N,), whole numbers within 0 … C − 1.
        k: at least 1.

    Raises:
        ConfigError: k is not a whole number of at least 1.
        DataError: shapes, labels or logits are not as above.

    >>> logits = torch.tensor([[.1, .8, .05, .05], [.6, .2, .1, .1], [.1, .1, .7, .1]])
    >>> [round(compute_topk_accuracy(logits, torch.tensor([1, 2, 2]), k), 3) for k in (1, 2, 3)]
    [0.667, 0.667, 1.0]
    """
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise ConfigError(f"k must be a whole number of at least 1 (got {k!r})", remedy="take 1, 3 or 5, say")
    logits = checked_logits(logits, None, "logits")
    labels = checked_labels(labels, logits, "labels")
    if not len(labels):
        raise DataError("there is no example", where="logits", remedy="give at least one row")
    return float((label_ranks(logits, labels) < k).double().mean())


def checked_logits(logits: Tensor, num_classes: int | None, where: str) -> Tensor:
    """Return logits of shape (N, C), detached.

    Raises:
        DataError: another rank or number of classes, or NaN or +inf among them; −inf is how models mask classes.
    """
    _require_tensor(logits, "logits", where)
    if logits.dim() != 2:
        raise DataError(
            f"logits have the shape {tuple(logits.shape)}, not (N, C)",
            where=where,
            remedy="have the adapter's forward return one row of class scores per example",
        )
    if not logits.shape[1] or (num_classes is not None and logits.shape[1] != num_classes):
        raise DataError(
            f"the model has {logits.shape[1]} outputs, the task {num_classes or 'at least 1'} classes",
            where=where,
            remedy="correct output_schema.num_classes, or the model's last layer",
        )
    return checked_numbers(logits, where)


def _require_tensor(value: object, what: str, where: str) -> None:
    if not isinstance(value, Tensor):
        kind = type(value).__name__
        raise DataError(f"{what} are a {kind}, not a tensor", where=where, remedy="give tensors (torch.as_tensor)")


def checked_numbers(logits: Tensor, where: str) -> Tensor:
    """Return logits of any rank, detached, in floating point.

    Raises:
        DataError: NaN or +inf among them.
    """
    logits = logits.detach()
    if not logits.is_floating_point():
        return logits.double()
    if not logits.numel():
        return logits
    if not float(logits.max()) < math.inf:  # one pass without rows; NaN is the greatest of all
        checked_greatest(logits.reshape(len(logits), -1).amax(dim=1), where)
    return logits


def checked_greatest(greatest: Tensor, where: str) -> None:
    """Check the greatest logit of each example, shape (N,): NaN is the greatest of all.

    Raises:
        DataError: one is NaN or +inf.
    """
    rows = torch.isnan(greatest) | torch.isposinf(greatest)
    if bool(rows.any()):
        raise DataError(
            f"{int(rows.sum())} of {len(rows)} examples have logits that are NaN or infinite, the first in row "
            f"{int(rows.nonzero()[0, 0])}",
            where=where,
            remedy="look at the weights and inputs; under mixed precision try bf16, or none",
        )


def checked_labels(labels: Tensor, logits: Tensor, where: str) -> Tensor:
    """Return labels of shape (N,) as int64.

    Raises:
        DataError: another shape, no whole numbers, or a label without a class.
    """
    _require_tensor(labels, "labels", where)
    if labels.shape != logits.shape[:1]:
        raise DataError(
            f"labels have the shape {tuple(labels.shape)} for logits of {tuple(logits.shape)}",
            where=where,
            remedy="give one class number per example (of one-hot rows labels.argmax(dim=1), of a column labels[:, 0])",
        )
    return checked_classes(labels, logits.shape[1], where)


def checked_classes(
    labels: Tensor, n_classes: int, where: str, remedy: str = "number classes from 0, and leave out what has none"
) -> Tensor:
    """Return class numbers as int64.

    Args:
        labels: of any shape.
        n_classes: how many classes there are.
        where: the batch, for messages.
        remedy: what to do about a label outside of them.

    Raises:
        DataError: one of them is not a class.
    """
    if labels.is_floating_point() or labels.is_complex() or labels.dtype is torch.bool:
        raise DataError(f"labels are {labels.dtype}, not whole numbers", where=where, remedy="give class numbers")
    labels = labels.detach().long()
    least, greatest = (int(one) for one in labels.aminmax()) if labels.numel() else (0, 0)
    if least < 0 or greatest >= n_classes:
        outside = (labels < 0) | (labels >= n_classes)
        raise DataError(
            f"{int(outside.sum())} of {labels.numel()} labels are outside the {n_classes} classes 0 … {n_classes - 1}, "
            f"such as {int(labels[outside][0])}",
            where=where,
            remedy=remedy,
        )
    return labels
