"""Which texts are compared by each measure that compares any: a table of docs/measures.md, held against the code."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

CONVERSATION = "T"
SEMANTICS = "s"
RENDERED = "f"
WINDOW = "W"
NOTE = "N"
TEXTS = {
    CONVERSATION: "what the messages say; of an update, what had been said whole when it was emitted (T_i)",
    SEMANTICS: "the rendered text of an update without `agent_contributions` (s_i)",
    RENDERED: "the room that the whole rendered text takes, `agent_contributions` included (f_i)",
    WINDOW: "the text of the update's own flushes (W_i)",
    NOTE: "the clinician's note of the case, its `reference`",
}
"""Symbol → the text."""


@dataclass(frozen=True, slots=True)
class Compares:
    """What measures of a name, or of all names that a pattern matches, compare.

    Attributes:
        pattern: as `fnmatch` reads it.
        texts: symbols of `TEXTS`.
        how: in words.
    """

    pattern: str
    texts: str
    how: str


COMPARED = (
    Compares("compression", "fT", "lengths"),
    Compares("ctu_saved", "fT", "lengths"),
    Compares("coverage", "sT", "concepts of s_i with those of T_i"),
    Compares("concepts_never_told", "sT", "concepts of s_i with those of T_i"),
    Compares("concepts_told", "sT", "concepts of s_i with those of T_i"),
    Compares("anticipated", "sT", "concepts of s_i with those of T_i and of T"),
    Compares("coverage_at_*", "sfT", "concepts of s_i that are read within the budget of f_1 f_2 …, with those of T_i"),
    Compares("coverage_auc", "sfT", "as `coverage_at_*`"),
    Compares("redundancy_text_*", "s", "words of s_i with those of s_{i+1}"),
    Compares("redundancy_*", "s", "concepts of s_i with those of s_{i+1}"),
    Compares("jaccard_mean", "s", "concepts of s_i with those of s_{i+1}"),
    Compares("restated", "s", "concepts of s_i with those of all s_j before it"),
    Compares("unsupported", "sT", "concepts of all s_i with those of T"),
    Compares("unsupported_per_update", "sT", "concepts of s_i with those of T"),
    Compares("window_unsupported", "sW", "concepts of s_i with those of W_i"),
    Compares("contract_unsupported", "sW", "concepts of s_i with those of W_i and of s_{i−1}"),
    Compares("concept_delay_*", "sT", "when s_i states a concept with when T first did"),
    Compares("lag_*_ctu*", "fT", "CTU of f_i with the CTU of T that had arrived"),
    Compares("lag_*", "sT", "concepts of s_i with those that had been said"),
    Compares("coverage_gold*", "", "copies in s_i with the gold labels of T; see there"),
    Compares("coverage_error", "sT", "`coverage` with `coverage_gold`"),
    Compares("reference_*", "sN", "words, values and concepts of all s_i together with those of N; see there"),
    Compares("told_by_step_ctu", "sfT", "as `told_by_step_at_*`"),
    Compares("told_by_step_at_*", "sfT", "as `coverage_at_*`, of the concepts first stated in the decisive step"),
    Compares(
        "told_by_step*", "sT", "concepts of s_i with those of T_i, of the concepts first stated in the decisive step"
    ),
    Compares("restated_by_meaning", "s", "statements of s_i with sentences of all s_j before it"),
    Compares("statements_*", "sT", "statements of s_i with T_i, and with what had arrived of the message under way"),
)
"""The first that matches counts."""


def compared_by(measure: str) -> Compares | None:
    """Return what a measure compares; None for one that compares no texts.

    >>> compared_by("coverage_at_500").texts, compared_by("redundancy_text_0.90").how, compared_by("llm_calls")
    ('sfT', 'words of s_i with those of s_{i+1}', None)
    """
    return next((one for one in COMPARED if fnmatchcase(measure, one.pattern)), None)
