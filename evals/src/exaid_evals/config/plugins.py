"""Finding a part by name: built in, by entry point, or by `module:attribute`."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

from exaid_evals.errors import ConfigError


def find_part(noun: str, name: str, built_in: Mapping[str, str], *, group: str) -> Any:
    """Return the class or function that a name stands for, importing only its module.

    Args:
        noun: what is looked for, for messages (`gate`).
        name: a built-in name, an entry point's name, or `module:attribute`.
        built_in: name → `module:attribute` of the parts that ship with this package.
        group: the entry point group in which other packages add theirs.

    Raises:
        ConfigError: nothing has that name (near misses are named), or its module cannot be imported.
    """
    if name in built_in:
        return _attribute(noun, built_in[name])
    others = {point.name: point.value for point in entry_points(group=group)}
    if name in others:
        return _attribute(noun, others[name])
    if ":" in name:
        return _attribute(noun, name)
    known = sorted([*built_in, *others])
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean `{near[0]}`? " if near else ""
    raise ConfigError(
        f"no {noun} is called {name!r}",
        remedy=f"{hint}known are {', '.join(known)}; your own goes by `module:attribute`",
    )


def _attribute(noun: str, target: str) -> Any:
    module_name, _, attribute = target.partition(":")
    try:
        return getattr(importlib.import_module(module_name), attribute)
    except (ImportError, ValueError) as error:
        raise ConfigError(
            f"the {noun} {target!r} cannot be imported ({error})",
            remedy="install its package, or put it on PYTHONPATH",
        ) from error
    except AttributeError:
        raise ConfigError(
            f"the module {module_name!r} has no {attribute!r}", remedy="correct the name behind the colon"
        ) from None
