"""What counts of a text: CTU, and the six fields of a summary with the two texts that are made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter

FIELDS = (
    "status_action",
    "key_findings",
    "differential_rationale",
    "uncertainty_confidence",
    "recommendation_next_step",
    "agent_contributions",
)
SEMANTIC_FIELDS = FIELDS[:5]
MAX_FIELD_CHARS = 300
_VALUES = itemgetter(*FIELDS)


def render(content: Mapping[str, str], fields: Sequence[str]) -> str:
    """Return fields as the clinician reads them: a line each, values alone, in the order of the schema.

    Labels are left out: the fields' order is fixed, and a display labels them, so their text is not a cost of a
        variant.
    """
    return "\n".join([content[field] for field in fields])


def field_problems(content: object) -> list[str]:
    """Return every way in which something is not the six fields; none where it is.

    >>> field_problems({"status_action": 3})[:2]
    ['status_action: no text', 'key_findings: missing']
    """
    if not isinstance(content, Mapping):
        return [f"a {type(content).__name__} where six fields must stand"]
    problems = [f"{field}: {problem}" for field in FIELDS if (problem := _problem(content, field))]
    return problems + [f"{str(field)[:40]}: no such field" for field in content if field not in FIELDS]


def text_problems(content: Mapping[str, str] | None, semantics_text: str, rendered_text: str) -> list[str]:
    """Return which of the two texts are not those of the fields; none where there are no fields."""
    if content is None:
        return []
    *values, contributions = _VALUES(content)
    semantics = "\n".join(values)
    if semantics == semantics_text and f"{semantics}\n{contributions}" == rendered_text:
        return []
    texts = {"semantics_text": (semantics_text, SEMANTIC_FIELDS), "rendered_text": (rendered_text, FIELDS)}
    wrong = [name for name, (text, fields) in texts.items() if text != render(content, fields)]
    return [f"{name} is not that of summary_content" for name in wrong]


def _problem(content: Mapping[object, object], field: str) -> str | None:
    if field not in content:
        return "missing"
    value = content[field]
    if not isinstance(value, str):
        return "no text"
    if not 1 <= len(value) <= MAX_FIELD_CHARS:
        return f"{len(value)} characters, where 1 to {MAX_FIELD_CHARS} are allowed"
    return None


CHARS_PER_CTU = 4
CTU_DEFINITION = "ceil(len(text) / 4)"


def ctu(text: object) -> int:
    """Return the text's length in character-based text units: ceil(code points / 4); 0 for what is not text.

    >>> ctu(""), ctu("abcd"), ctu("abcde"), ctu("é" * 5), ctu(None)
    (0, 1, 2, 2, 0)
    """
    return -(-len(text) // CHARS_PER_CTU) if isinstance(text, str) else 0
