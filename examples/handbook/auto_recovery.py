"""What training scripts import as `auto_recovery`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from exaid_evals import monitor

__all__ = ["AutoRecoverySystem"]


class AutoRecoverySystem(monitor.AutoRecoverySystem):
    """The recovery, known to the other parts of a training: `setup_training` attaches, `validate_model` keeps."""

    current: ClassVar[AutoRecoverySystem | None] = None

    def __init__(self, checkpoint_dir: Path | str, strategies: Sequence[str], **settings: Any) -> None:
        super().__init__(checkpoint_dir, strategies, **settings)
        AutoRecoverySystem.current = self
