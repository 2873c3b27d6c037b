"""Makes the golden logs of inspect-ai with inspect-ai: an evaluation whose solver answers from a list, without a model.

Needs: pip install inspect-ai (made with 0.3.285), which packs `.eval` with Zstandard.

    python make.py

`archive/` holds the log as `.eval`, `json/` one as JSON, `deflated/` the first packed again as older versions packed,
`started/` what a killed evaluation leaves: the same archive without its header.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from pathlib import Path

os.environ |= {"LOGNAME": "researcher", "USER": "researcher"}

import zipfile_zstd  # noqa: F401 - teaches zipfile the method
from inspect_ai import Epochs, Task, task
from inspect_ai import eval as evaluate
from inspect_ai.dataset import Sample
from inspect_ai.model import GenerateConfig, ModelOutput
from inspect_ai.scorer import includes, match
from inspect_ai.solver import Generate, TaskState, solver

HERE = Path(__file__).resolve().parent
ANSWERS = {"1+1?": "2", "2+2?": "4", "3+3?": "7", "4+4?": "8"}


@solver
def from_list():
    """Answer from the list."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:  # noqa: ARG001 - of the interface
        state.output = ModelOutput.from_content("mockllm/model", ANSWERS[state.input_text])
        state.completed = True
        return state

    return solve


@task
def sums(difficulty: str = "easy") -> Task:  # noqa: ARG001 - stands in the log
    """Add numbers."""
    samples = [Sample(input=f"{n}+{n}?", target=str(2 * n)) for n in range(1, 5)]
    return Task(
        dataset=samples,
        solver=from_list(),
        scorer=[match(), includes()],
        epochs=Epochs(1),
        config=GenerateConfig(seed=7, temperature=0.5),
    )


def main() -> None:
    """Make all four anew."""
    for name in ("archive", "json", "deflated", "started"):
        shutil.rmtree(HERE / name, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name, form in (("archive", "eval"), ("json", "json")):
            evaluate(sums(), model="mockllm/model", log_dir=str(HERE / name), log_format=form, display="none")
    for left in HERE.glob("*/*.tmp"):
        left.unlink()
    [archive] = (HERE / "archive").glob("*.eval")
    for name, without in (("deflated", ""), ("started", "header.json")):
        (HERE / name).mkdir()
        with zipfile.ZipFile(archive) as old, zipfile.ZipFile(HERE / name / archive.name, "w", 8) as new:
            for member in old.namelist():
                if member != without and not member.startswith("samples/"):
                    new.writestr(member, old.read(member))


if __name__ == "__main__":
    main()
