"""MAC's 302 rare-disease cases, read from the data file of its repository."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.ids import case_id_of
from exaid_evals.cases.base import UNPARSED_SECTION, Case, SourceContext, require_unique
from exaid_evals.errors import ConfigError, DataError

SOURCE = "mac"
FILE_NAME = "rare_disease_302.json"
_REMEDY = (
    "initialise the submodule (`git submodule update --init third_party/mac`), name a folder that holds the file "
    "with --mac-dir or EXAID_MAC_DIR, or take `source: synthetic`"
)


def data_file(mac_dir: Path | None) -> Path | None:
    """Return MAC's data file under its folder: in `dataset/`, or lying in the folder itself; None without one."""
    if mac_dir is None:
        return None
    return next((path for path in (mac_dir / "dataset" / FILE_NAME, mac_dir / FILE_NAME) if path.is_file()), None)


def load(context: SourceContext) -> tuple[Case, ...]:
    """Read MAC's cases, in the order of the file.

    Raises:
        ConfigError: the file is not there.
        DataError: it is malformed, or repeats an id.
    """
    path = data_file(context.mac_dir)
    if path is None:
        raise ConfigError(f"no {FILE_NAME}", where=str(context.mac_dir or "third_party/mac"), remedy=_REMEDY)
    try:
        raw_cases = json.loads(path.read_bytes())["Cases"]
        cases = tuple(_case(raw) for raw in raw_cases)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"not MAC's data file ({type(error).__name__}: {error})"
        raise DataError(what, where=str(path), remedy="restore it from MAC's repository") from None
    require_unique(cases, where=str(path))
    return cases


def parse_presentation(text: str) -> dict[str, str]:
    """Return the sections of a presentation.

    The file holds each as a JSON object inside a JSON string. A few have line breaks inside strings, and four
    have a sentence of the language model that restructured them in front of the object; that sentence is no part
    of the case and is left out. Text that holds no object of strings becomes one section, `Presentation`, whole.
    """
    text = text.strip()
    unquoted = _loads(text)
    inner = unquoted if isinstance(unquoted, str) else text
    sections = _sections(unquoted) or _sections(_loads(inner)) or _sections(_embedded_object(inner))
    return sections or {UNPARSED_SECTION: inner.strip()}


def _case(raw: dict[str, Any]) -> Case:
    return Case(
        case_id=case_id_of(raw["Case URL"]),
        source=SOURCE,
        category=raw["Type"].strip().lower(),
        diagnosis=" ".join(raw["Final Name"].split()),
        initial_presentation=parse_presentation(raw["Initial Presentation"]),
        follow_up_presentation=parse_presentation(raw["Follow-up Presentation"]),
    )


def _loads(text: str) -> Any:
    try:
        # strict=False: line breaks inside strings mean line breaks.
        return json.loads(text, strict=False)
    except ValueError:
        return None


def _embedded_object(text: str) -> Any:
    """The object between the first opening and the last closing brace, if nothing but it follows the preamble."""
    start, end = text.find("{"), text.rfind("}")
    return _loads(text[start : end + 1]) if start >= 0 and not text[end + 1 :].strip("`\n ") else None


def _sections(value: Any) -> dict[str, str] | None:
    if not isinstance(value, dict) or not value or not all(isinstance(text, str) for text in value.values()):
        return None
    return {name.strip(): text.strip() for name, text in value.items()}
