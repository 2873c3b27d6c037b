"""Reproducible evaluation of summarizing middleware on multi-agent clinical conversations.

The Python API, loaded (with pandas) when it is used:

- `open_campaign(folder)`: a campaign's measures, updates, messages, concepts, decisions and comparisons as DataFrames,
  and `replay` of a variant in memory;
- `evaluate(summarizer, traces=...)`: a summarizer of one's own, compared with a variant over frozen traces;
- `read_runs(*places)`: finished runs of any tool, with their histories and per-class metrics.

`exaid_evals.run_eval.run_eval` evaluates a text or vision model (extra `torch`).
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from exaid_evals.api.campaign import evaluate, open_campaign
    from exaid_evals.api.runs import read_runs

__version__ = "0.2.0"
__all__ = ["evaluate", "open_campaign", "read_runs"]

_HOME = {"open_campaign": "campaign", "evaluate": "campaign", "read_runs": "runs"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    try:
        return getattr(import_module(f"{__name__}.api.{_HOME[name]}"), name)
    except ModuleNotFoundError as error:
        from exaid_evals.errors import MissingDependencyError

        missing = error.name or ""
        if missing.startswith(__name__):
            raise
        what = f"{__name__}.{name} needs {missing}, which is not installed"
        raise MissingDependencyError(
            what, remedy=f"run `make setup` in a checkout, or `pip install {missing}`"
        ) from None


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
