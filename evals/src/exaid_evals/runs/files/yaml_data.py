"""YAML that other tools write: Python's tags are read as the plain data that they stand for, and nothing is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from exaid_evals.errors import DataError
from exaid_evals.runs.files.content import content_of

MAX_BYTES = 4 * 1024 * 1024
_MOST_VALUES = 200_000


class _PlainLoader(yaml.SafeLoader):
    """A safe loader for which every tag stands for plain data."""


def _plain(loader: _PlainLoader, _: str, node: yaml.Node) -> Any:
    """Return a tagged value without its tag: a tuple as a list, an object as its fields, a name as its text."""
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    return loader.construct_scalar(node)  # type: ignore[arg-type]


_PlainLoader.add_multi_constructor("", _plain)
# A time stays the text that was written: settings are data for JSON, which has no dates.
_PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file.

    Raises:
        DataError: it is missing, too large, no YAML, or holds something else.
    """
    text = content_of(path, MAX_BYTES).decode("utf-8-sig", errors="replace")
    loader = _PlainLoader(text)
    try:
        node = loader.get_single_node()
        if node is not None and _n_values(node, {}) > _MOST_VALUES:
            raise yaml.YAMLError("it stands for too many values")
        found = None if node is None else loader.construct_document(node)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        what = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise DataError(
            f"is not a YAML that can be read ({what})", where=str(path), remedy="correct the file"
        ) from None
    finally:
        loader.dispose()
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise DataError("holds no mapping of names to values", where=str(path), remedy="is it the right file?")
    return {str(key): value for key, value in found.items()}


def _n_values(node: yaml.Node, known: dict[int, int]) -> int:
    """Return how many values a node stands for, written out: aliases of aliases are a small file and a large structure.

    A node within itself counts as too many.
    """
    if id(node) in known:
        return known[id(node)]
    known[id(node)] = _MOST_VALUES + 1
    if isinstance(node, yaml.MappingNode):
        n = 1 + sum(_n_values(key, known) + _n_values(value, known) for key, value in node.value)
    elif isinstance(node, yaml.SequenceNode):
        n = 1 + sum(_n_values(value, known) for value in node.value)
    else:
        n = 1
    known[id(node)] = n
    return n
