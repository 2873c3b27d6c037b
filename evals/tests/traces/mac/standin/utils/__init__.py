"""The data set, read from the working directory as MAC reads its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class MedDataset:
    """Cases as `(type, name, case url, initial, follow-up)`."""

    def __init__(self, dataname: str) -> None:
        self.cases = json.loads((Path("dataset") / f"{dataname}.json").read_text(encoding="utf-8"))["Cases"]

    def __len__(self) -> int:
        return len(self.cases)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        fields = ("Type", "Final Name", "Case URL", "Initial Presentation", "Follow-up Presentation")
        return tuple(self.cases[index][field] for field in fields)
