"""The one call that evaluates a model, under the name by which a project's modules import it."""

from exaid_evals.run_eval import EvalConfig, TaskSpec, compute_topk_accuracy, run_eval

__all__ = ["EvalConfig", "TaskSpec", "compute_topk_accuracy", "run_eval"]
