"""Docker: the program, an engine that answers, and Compose."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

from exaid_evals.doctor.base import Environment, Finding, Purpose

_DOCKER: frozenset[Purpose] = frozenset({"docker"})


def docker(environment: Environment) -> Iterator[Finding]:
    """Ask for the engine's version and Compose's."""
    program = shutil.which("docker", path=environment.environment.get("PATH"))
    if program is None:
        yield Finding("docker", "program", "missing", "not on PATH", "install Docker with its Compose plugin", _DOCKER)
        return
    questions = (
        ("engine", ("version", "--format", "{{.Server.Version}}"), "start the Docker engine, or set DOCKER_HOST"),
        ("compose", ("compose", "version", "--short"), "install Docker's Compose plugin"),
    )
    for name, arguments, remedy in questions:
        version, problem = _asked(program, arguments, environment)
        if version:
            yield Finding("docker", name, "ok", version, needed_for=_DOCKER)
        else:
            yield Finding("docker", name, "missing", problem, remedy, _DOCKER)


def _asked(program: str, arguments: tuple[str, ...], environment: Environment) -> tuple[str, str]:
    """Return what the program answers, or why it does not."""
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command
            [program, *arguments],
            env=dict(environment.environment),
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=environment.timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "", f"no answer within {environment.timeout_s:g} s"
    except OSError as error:
        return "", str(error.strerror)
    answer = done.stdout.strip().splitlines()
    if done.returncode == 0 and answer:
        return answer[0], ""
    said = done.stderr.strip().splitlines() or ["it does not answer"]
    return "", said[-1][:160]
