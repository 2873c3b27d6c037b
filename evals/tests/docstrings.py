"""The examples in the package's docstrings: where they are, and whether they hold."""

from __future__ import annotations

import doctest
import importlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import exaid_evals

_PACKAGE = Path(exaid_evals.__file__).parent
_EXAMPLE = re.compile(r"^ *>>> ", re.MULTILINE)


def modules_with_examples() -> dict[str, int]:
    """Return module → number of examples, read from the sources, so that nothing is imported yet."""
    found = {}
    for path in sorted(_PACKAGE.rglob("*.py")):
        if n := len(_EXAMPLE.findall(path.read_text(encoding="utf-8"))):
            found[".".join(path.relative_to(_PACKAGE.parent).with_suffix("").parts)] = n
    return found


def check_examples(name: str, names: Mapping[str, Any]) -> None:
    """Fail where an example of the module fails, or stands where doctest does not look.

    Args:
        name: of the module.
        names: that the examples use beside those of the module.
    """
    result = doctest.testmod(importlib.import_module(name), extraglobs=dict(names))
    assert result.failed == 0
    assert result.attempted == modules_with_examples()[name]
