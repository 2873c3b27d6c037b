"""The example of a sabotaged training, as a module."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

SCRIPT = Path(__file__).resolve().parents[3] / "examples" / "sabotaged_training.py"


@cache
def demonstration() -> ModuleType:
    """Return the example."""
    spec = importlib.util.spec_from_file_location("sabotaged_training", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
