"""Throw-away copies of this checkout, and the documented container commands in them."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
IMAGE = "exaid-evals-test"


@dataclass(frozen=True)
class Checkout:
    """A copy of the checkout, with the image that was built from it."""

    path: Path

    @property
    def data(self) -> Path:
        """The folder that the container mounts and writes to."""
        return self.path / "evals" / "data"

    def compose(
        self, *arguments: str, stdin: str = "", environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `docker compose -f docker-compose.evals.yml …` in this checkout."""
        return subprocess.run(
            ["docker", "compose", "-f", "docker-compose.evals.yml", *arguments],
            cwd=self.path,
            env={**os.environ, "EXAID_IMAGE": IMAGE, **(environment or {})},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )

    def evals(self, *arguments: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        """Run `docker compose … run --rm evals …`, which must succeed."""
        done = self.compose("run", "--rm", *options, "evals", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def give_to(self, uid: int) -> None:
        """Make a user and their group of the same number the owners of everything."""
        for path in [self.path, *self.path.rglob("*")]:
            os.lchown(path, uid, uid)


def copy_of_checkout(target: Path) -> Checkout:
    """Copy what git knows or would add, as a clone would hold it, and return the copy."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        source, copy = ROOT / name, target / name
        if source.is_dir():  # a submodule: a plain clone leaves its folder empty
            copy.mkdir(parents=True)
        elif source.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy)
    return Checkout(target)
