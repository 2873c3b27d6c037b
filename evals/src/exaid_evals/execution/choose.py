"""Which executor does the work: processes of this machine, or those of a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from exaid_evals.config.plugins import Kind
from exaid_evals.errors import ConfigError
from exaid_evals.execution.local import AskingExecutor, Processes

if TYPE_CHECKING:
    from exaid_evals.execution.local import Executor

EXECUTORS = Kind("executor", "exaid_evals.executors", {})


def executor(jobs: int, cluster: str | None = None, *, at_most: int | None = None) -> Executor:
    """Return the executor that a user asks for.

    Args:
        jobs: processes of this machine.
        cluster: `tcp://…`, the address of a Dask scheduler, or the `.json` file that it writes it in; `local:N`, a
            Dask cluster of N workers that is started for this command; or the `module:attribute` of what returns an
            executor. None stays on this machine.
        at_most: as many processes of this machine as the work is worth.

    Raises:
        ConfigError: there is no such thing, or Dask is not installed.
    """
    if cluster is None:
        return Processes(jobs if at_most is None else min(jobs, at_most))
    scheme, _, rest = cluster.partition(":")
    if scheme == "local" and rest.isdecimal() and int(rest):
        from exaid_evals.execution.cluster import DaskCluster

        return DaskCluster(n_workers=int(rest))
    if "://" in cluster or cluster.endswith(".json"):
        from exaid_evals.execution.cluster import DaskCluster

        return DaskCluster(cluster if "://" in cluster else Path(cluster))
    if ":" not in cluster and cluster not in EXECUTORS.names():
        raise ConfigError(
            f"{cluster!r} is not a cluster",
            where="--cluster",
            remedy="name a Dask scheduler (tcp://HOST:8786, or the .json file it writes), local:N, or your own by "
            "`module:attribute`",
        )
    made: Executor = EXECUTORS.build(cluster)
    return made


def asking_executor(cluster: str) -> AskingExecutor:
    """Return the executor of a cluster whose workers can ask this process.

    Raises:
        ConfigError: there is no such thing, or it cannot.
    """
    made = executor(1, cluster)
    if not isinstance(made, AskingExecutor):
        raise ConfigError(
            "its workers cannot ask this command, which makes the calls of a live model",
            where="--cluster",
            remedy="give it a method `map_asking`, name a Dask cluster, or leave it out",
        )
    return made
