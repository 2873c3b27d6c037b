"""One call that evaluates a model on a held-out set, with the metrics of its modality (extra `torch`).

The names below are the public interface. They are imported when they are used, so that `import exaid_evals` and the
rest of the project need no PyTorch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from exaid_evals.errors import MissingDependencyError

if TYPE_CHECKING:
    from exaid_evals.run_eval.adapters import CausalLMAdapter as CausalLMAdapter
    from exaid_evals.run_eval.adapters import LogisticAdapter as LogisticAdapter
    from exaid_evals.run_eval.adapters import RegressionAdapter as RegressionAdapter
    from exaid_evals.run_eval.adapters import SegmentationAdapter as SegmentationAdapter
    from exaid_evals.run_eval.adapters import TimmAdapter as TimmAdapter
    from exaid_evals.run_eval.adapters import TorchvisionAdapter as TorchvisionAdapter
    from exaid_evals.run_eval.adapters import TransformersCausalLMAdapter as TransformersCausalLMAdapter
    from exaid_evals.run_eval.adapters import TransformersClassificationAdapter as TransformersClassificationAdapter
    from exaid_evals.run_eval.adapters import TransformersSeq2SeqAdapter as TransformersSeq2SeqAdapter
    from exaid_evals.run_eval.adapters import TransformersVisionAdapter as TransformersVisionAdapter
    from exaid_evals.run_eval.adapters import VisionClassificationAdapter as VisionClassificationAdapter
    from exaid_evals.run_eval.base import EvalResult as EvalResult
    from exaid_evals.run_eval.boxes import DetectionAdapter as DetectionAdapter
    from exaid_evals.run_eval.boxes import TransformersDetectionAdapter as TransformersDetectionAdapter
    from exaid_evals.run_eval.loop import evaluate as evaluate
    from exaid_evals.run_eval.loop import run_eval as run_eval
    from exaid_evals.run_eval.page import write_page as write_page
    from exaid_evals.run_eval.ranking import compute_topk_accuracy as compute_topk_accuracy
    from exaid_evals.run_eval.registry import build_eval_config as build_eval_config
    from exaid_evals.run_eval.registry import build_task as build_task
    from exaid_evals.run_eval.spec import EvalConfig as EvalConfig
    from exaid_evals.run_eval.spec import TaskSpec as TaskSpec
    from exaid_evals.run_eval.texts import text_task as text_task
    from exaid_evals.run_eval.training import train as train

INSTALL = (
    "install the extra: `pip install 'exaid-evals[torch]'`; where only a CPU is to be used, install a CPU build of "
    "PyTorch first; in a checkout `make torch-setup` makes an environment of its own"
)

_MODULES = {
    "adapters": [
        *("CausalLMAdapter", "LogisticAdapter", "RegressionAdapter", "SegmentationAdapter", "TimmAdapter"),
        *("TorchvisionAdapter", "TransformersCausalLMAdapter", "TransformersClassificationAdapter"),
        *("TransformersSeq2SeqAdapter", "TransformersVisionAdapter", "VisionClassificationAdapter"),
    ],
    "boxes": ["DetectionAdapter", "TransformersDetectionAdapter"],
    "base": ["EvalResult"],
    "loop": ["evaluate", "run_eval"],
    "ranking": ["compute_topk_accuracy"],
    "page": ["write_page"],
    "registry": ["build_eval_config", "build_task"],
    "spec": ["EvalConfig", "TaskSpec"],
    "texts": ["text_task"],
    "training": ["train"],
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}
__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used.

    Raises:
        MissingDependencyError: it needs PyTorch, which is not installed; says how to install it.
    """
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_with_torch(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    """List the public names."""
    return __all__


def import_with_torch(module: str) -> Any:
    """Import a module of this package.

    Raises:
        MissingDependencyError: PyTorch, or what else the extra installs, is missing.
    """
    try:
        return importlib.import_module(f"{__name__}.{module}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "torch":
            raise MissingDependencyError("run_eval needs PyTorch, which is not installed", remedy=INSTALL) from error
        raise
