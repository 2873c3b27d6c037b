"""Parts by name: those that ship, those that other packages register, and those named by `module:attribute`.

Every kind of part that can be added has a `Kind`, which its package's `registry.py` declares. Packages of the optional
extras are imported where they are used, too.
"""

from __future__ import annotations

import functools
import importlib
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from exaid_evals.errors import ConfigError, ExaidError, MissingDependencyError, show_if_debugging

if TYPE_CHECKING:
    from packaging.requirements import Requirement

DISTRIBUTION = "exaid-evals"
Part = TypeVar("Part")


class Kind(dict[str, str]):
    """A kind of part: the mapping holds those that ship, by name, and other packages add theirs by entry point."""

    def __init__(self, noun: str, group: str, built_in: Mapping[str, str], *, needs: Sequence[str] = ()) -> None:
        """Declare a kind.

        Args:
            noun: what messages call it (`gate`).
            group: the entry point group, `exaid_evals.<kind>`.
            built_in: name → `module:attribute`, or `module` where the part is one.
            needs: attributes that a part must have; without any it must be callable.
        """
        super().__init__(built_in)
        self.noun, self.group, self._needs = noun, group, tuple(needs)
        self._given: dict[str, Any] = {}

    def others(self) -> list[str]:
        """Return the names that other packages have registered, sorted."""
        return sorted(set(self._targets()) - set(self))

    def names(self) -> list[str]:
        """Return the names of all parts: those that ship in their order, then others."""
        return [*self, *self.others()]

    def give(self, name: str, part: Any) -> None:
        """Let a name stand for an object of this process, such as a class that a notebook defines.

        Worker processes do not know it, and it has no source file whose edits could be noticed: whoever gives one
        replays in memory.
        """
        self._given[name] = part

    def find(self, name: str) -> Any:
        """Return the part that a name stands for, importing only its module.

        Args:
            name: a built-in name, an entry point's name, or `module:attribute`.

        Raises:
            ConfigError: nothing has that name (near misses are named), its module cannot be imported, or what bears
                the name is not such a part.
        """
        if name in self._given:
            return self._given[name]
        if name in self:
            return self._part(self[name])
        others = self._targets()
        if name in others or ":" in name:
            return self._part(others.get(name, name))
        import difflib

        known = self.names()
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean `{near[0]}`? " if near else ""
        raise ConfigError(
            f"no {self.noun} is called {name!r}",
            remedy=f"{hint}known are {', '.join(sorted(known))}; your own goes by `module:attribute`",
        )

    def build(self, name: str, *arguments: Any, **settings: Any) -> Any:
        """Find a part and call it.

        Raises:
            ConfigError: as `find`; or it cannot be built.
        """
        found = self.find(name)
        return build_part(self.noun, name, lambda: found(*arguments, **settings))

    def source_hash(self, name: str) -> str | None:
        """Hash the source file of a part that does not ship with this package, so that an edit of it can be noticed.

        Returns:
            The hash of the file of the part's module, not of what that imports; None for a part that ships (this
            package's source is hashed as a whole elsewhere), and for one without a source file.
        """
        if name in self:
            return None
        import hashlib
        import importlib.util

        module_name = self._targets().get(name, name).partition(":")[0]
        try:
            spec = importlib.util.find_spec(module_name)
            content = Path(spec.origin).read_bytes() if spec and spec.origin else None
        except (ImportError, ValueError, OSError):
            return None
        return None if content is None else hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()

    def _targets(self) -> dict[str, str]:
        return {point.name: point.value for point in _entry_points(tuple(sys.path)).select(group=self.group)}

    def _part(self, target: str) -> Any:
        found = _imported(self.noun, target)
        lacks = [name for name in self._needs if not hasattr(found, name)]
        if lacks:
            remedy = f"give it {' and '.join(self._needs)}"
            raise ConfigError(f"the {self.noun} {target!r} lacks {', '.join(lacks)}", remedy=remedy)
        if not self._needs and not callable(found):
            raise ConfigError(
                f"the {self.noun} {target!r} is a {type(found).__name__}, which cannot be called",
                remedy="name a class or a function behind the colon",
            )
        return found


@functools.cache
def _entry_points(_path: tuple[str, ...]) -> Any:
    """Read the entry points of all packages of a search path, which takes as long as some commands do."""
    from importlib.metadata import entry_points  # half of what `--help` takes to import

    return entry_points()


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


def _imported(noun: str, target: str) -> Any:
    module_name, _, attribute = target.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # whatever a module does while it is imported
        show_if_debugging(error)
        raise ConfigError(
            f"the {noun} {target!r} cannot be imported ({error})", remedy="install its package, or put it on PYTHONPATH"
        ) from error
    found = getattr(module, attribute, None) if attribute else module
    if found is None:
        raise ConfigError(
            f"the module {module_name!r} has no {attribute!r}", remedy="correct the name behind the colon"
        )
    return found


def optional(module: str, package: str, purpose: str, install: str = "'exaid-evals[analysis]'") -> ModuleType:
    """Import a package that only some need.

    Args:
        module: to import.
        package: that brings it, for messages.
        purpose: what needs it, for messages.
        install: what pip is to install: the extra `analysis`, if not given.

    Raises:
        MissingDependencyError: it is not installed, or cannot load beside what is.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] == module.split(".")[0]
        what = f"{purpose} needs {package}, which is not installed" if missing else f"{package} cannot load ({error})"
        raise MissingDependencyError(what, remedy=f"install it with `pip install {install}`") from None


def requirements() -> list[tuple[Requirement, str]]:
    """Return what this package requires directly, each with the extra that it belongs to, else an empty text."""
    from importlib import metadata

    from packaging.requirements import Requirement

    found = [Requirement(text) for text in metadata.requires(DISTRIBUTION) or ()]
    extras = [re.search(r"extra\s*==\s*['\"]([^'\"]+)['\"]", str(one.marker or "")) for one in found]
    return [(one, extra[1] if extra else "") for one, extra in zip(found, extras, strict=True)]
