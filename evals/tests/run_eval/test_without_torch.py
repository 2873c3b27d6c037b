"""The rest of the project needs no PyTorch, and says how to install it where it is asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import exaid_evals
from exaid_evals.config.campaign import configs_dir

# Stands in for a machine without it: an entry of None makes `import torch` fail as if it were not installed.
_ABSENT = "import sys; sys.modules['torch'] = None\n"


def python(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own."""
    environment = {"PYTHONPATH": str(Path(exaid_evals.__file__).parents[1])}
    return subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, env=environment, check=False
    )


def test_the_missing_extra_is_said_with_its_remedy() -> None:
    """Importing a name that needs PyTorch says how to get it; plain specifications need none."""
    done = python(
        _ABSENT + "from exaid_evals.run_eval import EvalConfig, TaskSpec\n"
        "try: from exaid_evals.run_eval import run_eval\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    assert done.stdout.startswith("MissingDependencyError run_eval needs PyTorch, which is not installed; install")
    assert "pip install 'exaid-evals[torch]'" in done.stdout


def test_the_verbs_say_it_too(tmp_path: Path) -> None:
    """Without PyTorch they are wrong usage, in one line, and write nothing."""
    for verb, name in (("run-eval", "vision_tiny"), ("run-training", "train_vision")):
        config = str(configs_dir() / "run_eval" / f"{name}.json")
        script = _ABSENT + "from exaid_evals.cli.main import run; sys.exit(run(sys.argv[1:]))"
        done = python(script, verb, "--config", config, "--data-dir", str(tmp_path))
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("error: run_eval needs PyTorch")
    assert list(tmp_path.iterdir()) == []


def test_nothing_else_imports_it() -> None:
    """Besides this package only monitor imports PyTorch, and neither does before it is needed."""
    script = (
        "import sys\n"
        "import exaid_evals.run_eval.spec, exaid_evals.cli.run_eval\n"
        "import exaid_evals.monitor, exaid_evals.cli.monitor\n"
        "exaid_evals.monitor.TrainingMonitor, exaid_evals.monitor.AutoRecoverySystem\n"
        "print('torch' in sys.modules)"
    )
    assert python(script).stdout == "False\n"
    package = Path(exaid_evals.__file__).parent
    importing = [
        path.relative_to(package).parts[0]
        for path in package.rglob("*.py")
        if any(line.lstrip().startswith(("import torch", "from torch")) for line in path.read_text().splitlines())
    ]
    assert set(importing) == {"run_eval", "monitor"}


def test_an_unknown_name_is_an_attribute_error() -> None:
    """As of any module."""
    import exaid_evals.run_eval

    assert not hasattr(exaid_evals.run_eval, "run_evaluation")
    assert "run_eval" in dir(exaid_evals.run_eval)
