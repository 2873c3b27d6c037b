"""A Dask cluster on loopback."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


class Started:
    """A scheduler and workers, each a process of its own."""

    def __init__(self) -> None:
        self._scratch = tempfile.mkdtemp()
        self.scheduler = self._start("dask_scheduler", "--host", "127.0.0.1", "--port", "0")
        assert self.scheduler.stderr is not None
        self.address = next(
            found[0] for line in self.scheduler.stderr if (found := re.search(r"tcp://127\.0\.0\.1:\d+", line))
        )
        self.workers = [self._start("dask_worker", self.address, "--nthreads", "1", "--no-nanny") for _ in range(2)]
        for worker in self.workers:
            assert worker.stderr is not None
            next(line for line in worker.stderr if "Registered to" in line)

    def _start(self, program: str, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", f"distributed.cli.{program}", *arguments, "--no-dashboard"]
        tests = Path(__file__).parent
        environment = {
            **os.environ,
            "TMPDIR": self._scratch,  # what is killed leaves its own behind
            "PYTHONPATH": os.pathsep.join([str(tests), str(tests / "execution")]),
        }
        return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)

    def stop(self) -> None:
        """End all of them."""
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()
            if process.stderr is not None:
                process.stderr.close()
        shutil.rmtree(self._scratch, ignore_errors=True)
