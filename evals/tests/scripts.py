"""Scripts of examples/ and bench/, which no package holds, as modules."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]


@cache
def script_module(place: str) -> ModuleType:
    """Return a script, imported once.

    Args:
        place: below the repository, such as `evals/bench/run.py`.
    """
    path = ROOT / place
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))  # a script that is called finds its neighbours too
    # A name of its own: a script may be called as one of our packages is.
    spec = importlib.util.spec_from_file_location(f"{path.stem}_script", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
