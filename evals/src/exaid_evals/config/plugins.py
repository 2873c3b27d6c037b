"""Finding a part by name: built in, by entry point, or by `module:attribute`."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TypeVar

from exaid_evals.errors import ConfigError, ExaidError, show_if_debugging

Part = TypeVar("Part")


def find_part(noun: str, name: str, built_in: Mapping[str, str], *, group: str) -> Any:
    """Return the class or function that a name stands for, importing only its module.

    Args:
        noun: what is looked for, for messages (`gate`).
        name: a built-in name, an entry point's name, or `module:attribute`.
        built_in: name → `module:attribute` of the parts that ship with this package.
        group: the entry point group in which other packages add theirs.

    Raises:
        ConfigError: nothing has that name (near misses are named), its module cannot be imported, or what bears
            the name cannot be called.
    """
    if name in built_in:
        return _attribute(noun, built_in[name])
    others = _others(group)
    if name in others or ":" in name:
        return _attribute(noun, others.get(name, name))
    known = sorted([*built_in, *others])
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean `{near[0]}`? " if near else ""
    raise ConfigError(
        f"no {noun} is called {name!r}",
        remedy=f"{hint}known are {', '.join(known)}; your own goes by `module:attribute`",
    )


def build_part(noun: str, name: str, build: Callable[[], Part]) -> Part:
    """Build a part that was found.

    Raises:
        ConfigError: it cannot be built; what somebody's own code raises is kept as the cause.
    """
    try:
        return build()
    except ExaidError:
        raise
    except Exception as error:
        show_if_debugging(error)
        raise ConfigError(
            f"the {noun} {name!r} cannot be built ({type(error).__name__}: {error})",
            remedy="correct it, or look at its traceback with --debug",
        ) from error


def source_hash(name: str, built_in: Mapping[str, str], *, group: str) -> str | None:
    """Hash the source file of a part that does not ship with this package, so that an edit of it can be noticed.

    Args:
        name: as `find_part` takes it.
        built_in: the parts that ship; this package's source is hashed as a whole elsewhere.
        group: the entry point group.

    Returns:
        The hash of the file of the part's module, not of what that imports; None for a part that ships, and for
        one without a source file.
    """
    if name in built_in:
        return None
    module_name = _others(group).get(name, name).partition(":")[0]
    try:
        spec = importlib.util.find_spec(module_name)
        content = Path(spec.origin).read_bytes() if spec and spec.origin else None
    except (ImportError, ValueError, OSError):
        return None
    return None if content is None else hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()


def _others(group: str) -> dict[str, str]:
    return {point.name: point.value for point in entry_points(group=group)}


def _attribute(noun: str, target: str) -> Any:
    module_name, _, attribute = target.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # whatever a module does while it is imported
        show_if_debugging(error)
        raise ConfigError(
            f"the {noun} {target!r} cannot be imported ({error})",
            remedy="install its package, or put it on PYTHONPATH",
        ) from error
    found = getattr(module, attribute, None)
    if found is None:
        raise ConfigError(
            f"the module {module_name!r} has no {attribute!r}", remedy="correct the name behind the colon"
        )
    if not callable(found):
        raise ConfigError(
            f"the {noun} {target!r} is a {type(found).__name__}, which cannot be called",
            remedy="name a class or a function behind the colon",
        )
    return found
