"""One call that evaluates a model on a held-out set, with the metrics of its modality (extra `torch`).

The names below are the public interface. They are imported when they are used, so that `import exaid_evals` and the
rest of the project need no PyTorch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from exaid_evals.errors import MissingDependencyError

if TYPE_CHECKING:
    from exaid_evals.run_eval.adapters import (
        CausalLMAdapter,
        LogisticAdapter,
        RegressionAdapter,
        SegmentationAdapter,
        TimmAdapter,
        TorchvisionAdapter,
        TransformersCausalLMAdapter,
        TransformersClassificationAdapter,
        TransformersSeq2SeqAdapter,
        TransformersVisionAdapter,
        VisionClassificationAdapter,
    )
    from exaid_evals.run_eval.base import EvalResult
    from exaid_evals.run_eval.boxes import DetectionAdapter, TransformersDetectionAdapter
    from exaid_evals.run_eval.loop import evaluate, run_eval
    from exaid_evals.run_eval.page import write_page
    from exaid_evals.run_eval.ranking import compute_topk_accuracy
    from exaid_evals.run_eval.registry import build_eval_config, build_task
    from exaid_evals.run_eval.spec import EvalConfig, TaskSpec
    from exaid_evals.run_eval.texts import text_task
    from exaid_evals.run_eval.training import train

__all__ = [
    "CausalLMAdapter",
    "DetectionAdapter",
    "EvalConfig",
    "EvalResult",
    "LogisticAdapter",
    "RegressionAdapter",
    "SegmentationAdapter",
    "TaskSpec",
    "TimmAdapter",
    "TorchvisionAdapter",
    "TransformersCausalLMAdapter",
    "TransformersClassificationAdapter",
    "TransformersDetectionAdapter",
    "TransformersSeq2SeqAdapter",
    "TransformersVisionAdapter",
    "VisionClassificationAdapter",
    "build_eval_config",
    "build_task",
    "compute_topk_accuracy",
    "evaluate",
    "run_eval",
    "text_task",
    "train",
    "write_page",
]

INSTALL = (
    "install the extra: `pip install 'exaid-evals[torch]'`; where only a CPU is to be used, install a CPU build of "
    "PyTorch first; in a checkout `make torch-setup` makes an environment of its own"
)

_MODULES = {
    "adapters": [name for name in __all__ if name.endswith("Adapter") and "Detection" not in name],
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
