"""MAC's 302 rare-disease cases, read from the data file of its repository."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.hashing import sha256_file
from exaid_evals.artifacts.ids import case_id_of
from exaid_evals.cases.base import UNPARSED_SECTION, Case, SourceContext, require_unique
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.files import read_regular

SOURCE = "mac"
FILE_NAME = "rare_disease_302.json"
# The data file at the commit that `mac.commit` of configs/mas_generation.yaml pins.
PINNED_SHA256 = "d9f4acfb291f300b2f73e20c66578f9fc7774d0e37d7a563440f1ac48c005b2c"
PINNED_CASES = 302
_SHOWN_PROBLEMS = 50
_REMEDY = (
    "initialise the submodule (`git submodule update --init third_party/mac`), name a folder that holds the file "
    "with --mac-dir or EXAID_MAC_DIR, or take `source: synthetic` (EXAID_SOURCE=synthetic)"
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
        raw_cases = json.loads(read_regular(path, 1 << 30))["Cases"]
        if not isinstance(raw_cases, list):
            raise TypeError("`Cases` is not a list")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        what = f"not MAC's data file ({type(error).__name__}: {error})"
        raise DataError(what, where=str(path), remedy="restore it from MAC's repository") from None
    problems: list[str] = []
    cases = tuple(_case(raw) for number, raw in enumerate(raw_cases) if _is_sound(raw, number, problems))
    if problems:
        shown = "".join(f"\n  - {problem}" for problem in problems[:_SHOWN_PROBLEMS])
        more = f"\n  … and {len(problems) - _SHOWN_PROBLEMS} more" if len(problems) > _SHOWN_PROBLEMS else ""
        what = f"{len(problems)} fields of MAC's cases cannot be used:{shown}{more}\n"
        raise DataError(what, where=str(path), remedy="correct them, or restore the file from MAC's repository")
    require_unique((case.case_id for case in cases), where=str(path))
    return cases


def modification(mac_dir: Path | None, n_cases: int) -> str | None:
    """Return in what a data file is not the one of MAC's pinned commit; None where it is that one."""
    path = data_file(mac_dir)
    if path is None or sha256_file(path) == f"sha256:{PINNED_SHA256}":
        return None
    difference = f"{n_cases} cases, not {PINNED_CASES}" if n_cases != PINNED_CASES else "the same number of cases"
    return f"not the pinned MAC data ({difference})"


def require_named(mac_dir: Path, source: str) -> None:
    """Make sure that a folder of MAC which the user has named holds what is to be read from it.

    Raises:
        ConfigError: it does not, and `source` is one that reads it.
    """
    if source in (SOURCE, "auto") and data_file(mac_dir) is None:
        raise ConfigError(f"no {FILE_NAME}", where=str(mac_dir), remedy=_REMEDY)


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


def _is_sound(raw: object, number: int, problems: list[str]) -> bool:
    """Return whether a case can be read, and add what is wrong with it; `Cases[0]` is the file's first."""
    if not isinstance(raw, dict):
        problems.append(f"Cases[{number}]: a {type(raw).__name__} where a case must stand")
        return False
    found = [f"Cases[{number}]: {field}: {problem}" for field in _TEXTS if (problem := _text_problem(raw.get(field)))]
    url = raw.get("Case URL")
    try:
        if isinstance(url, bool) or not isinstance(url, int | str) or not str(url).strip():
            found.append(f"Cases[{number}]: Case URL: {url!r:.40} where a number or a name must stand")
        else:
            case_id_of(url)
    except DataError as error:
        found.append(f"Cases[{number}]: Case URL: {error.what:.120}")
    problems += found
    return not found


_TEXTS = ("Type", "Final Name", "Initial Presentation", "Follow-up Presentation")


def _text_problem(value: object) -> str | None:
    if not isinstance(value, str):
        return f"{'nothing' if value is None else type(value).__name__} where a text must stand"
    sections = parse_presentation(value)
    if not value.strip() or not any(text.strip() for text in sections.values()):
        return "empty"
    try:
        "".join(chain.from_iterable(sections.items())).encode()
        value.encode()
    except UnicodeEncodeError as error:
        return f"half of a surrogate pair at character {error.start}"
    return None


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
    except (ValueError, RecursionError):
        return None


def _embedded_object(text: str) -> Any:
    """The object between the first opening and the last closing brace, if nothing but it follows the preamble."""
    start, end = text.find("{"), text.rfind("}")
    return _loads(text[start : end + 1]) if start >= 0 and not text[end + 1 :].strip("`\n ") else None


def _sections(value: Any) -> dict[str, str] | None:
    if not isinstance(value, dict) or not value or not all(isinstance(text, str) for text in value.values()):
        return None
    return {name.strip(): text.strip() for name, text in value.items()}
