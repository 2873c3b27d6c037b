"""YAML that other tools write: Python's tags are read as the plain data that they stand for, and nothing is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from exaid_evals.config.yaml_text import BoundedLoader, load_yaml
from exaid_evals.errors import DataError
from exaid_evals.runs.files.content import content_of

MAX_BYTES = 4 * 1024 * 1024


class _PlainLoader(BoundedLoader):
    """A safe loader for which every tag stands for plain data."""


def _plain(loader: _PlainLoader, _: str, node: yaml.Node) -> Any:
    """Return a tagged value without its tag: a tuple as a list, an object as its fields, a name as its text."""
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    return loader.construct_scalar(node)  # type: ignore[arg-type]


_PlainLoader.add_multi_constructor("", _plain)


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file.

    Raises:
        DataError: it is missing, too large, no YAML, or holds something else.
    """
    text = content_of(path, MAX_BYTES).decode("utf-8-sig", errors="replace")
    try:
        found = load_yaml(text, _PlainLoader)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        what = getattr(error, "problem", None) or str(error).splitlines()[0][:200]
        raise DataError(
            f"is not a YAML that can be read ({what})", where=str(path), remedy="correct the file"
        ) from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise DataError("holds no mapping of names to values", where=str(path), remedy="is it the right file?")
    return {str(key): value for key, value in found.items()}
