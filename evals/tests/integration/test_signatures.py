"""Every table, figure, metrics file and export carries its signature, and says that it is stub where it is."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from pypdf import PdfReader

from exaid_evals.artifacts.jsonl import read_jsonl
from exaid_evals.cli.main import run
from exaid_evals.config.campaign import Campaign
from stub_campaigns import copy_of, shared_campaign

SIGNATURE = re.compile(r"exaid-evals/[^\s|]+\|[^\n]*?stub:(yes|no)")


def _jsonl(path: Path) -> list[str]:
    return [record["signature"] for record in read_jsonl(path)]


def _json(path: Path) -> list[str]:
    return [json.loads(path.read_text(encoding="utf-8"))["signature"]]


def _csv(path: Path) -> list[str]:
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    assert rows
    return [row["signature"] for row in rows]


def _markdown(path: Path) -> list[str]:
    return [path.read_text(encoding="utf-8")]


def _latex(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8").replace(r"\allowbreak{}", "").replace(r"\textbar{}", "|")
    return [re.sub(r"\\([_%&#])", r"\1", text)]


def _png(path: Path) -> list[str]:
    with Image.open(path) as image:
        return [str(image.info["Description"])]


def _pdf(path: Path) -> list[str]:
    metadata = PdfReader(path).metadata
    assert metadata is not None
    return [str(metadata["/Keywords"])]


READERS: dict[str, Callable[[Path], list[str]]] = {
    ".jsonl": _jsonl,
    ".json": _json,
    ".csv": _csv,
    ".md": _markdown,
    ".tex": _latex,
    ".png": _png,
    ".pdf": _pdf,
}
"""File suffix → what must hold a signature: each record, each row, the caption, the metadata."""


def outputs(campaign: Campaign) -> list[Path]:
    """Return every file with numbers for a reader."""
    folders = (campaign.metrics, campaign.exports)
    return sorted(path for folder in folders for path in folder.rglob("*") if path.is_file() and path.name[0] != ".")


def test_every_output_carries_its_signature() -> None:
    """Whatever suffix: a kind of file that this test cannot read is one that nobody has thought of."""
    campaign = shared_campaign()
    files = outputs(campaign)
    assert {path.suffix for path in files} == set(READERS)
    unsigned = [
        campaign.relative(path)
        for path in files
        if not all(SIGNATURE.search(text) for text in READERS[path.suffix](path))
    ]
    assert unsigned == []


def test_what_is_stub_says_so_everywhere() -> None:
    """In records, rows, captions and metadata: none says `stub:no`."""
    campaign = shared_campaign()
    for path in outputs(campaign):
        for text in READERS[path.suffix](path):
            found = SIGNATURE.search(text)
            assert found is not None
            assert found[1] == "yes", campaign.relative(path)
        if path.suffix in (".md", ".tex"):
            assert "tub data" in path.read_text(encoding="utf-8"), campaign.relative(path)


@pytest.mark.slow
def test_mixed_signatures_say_so_in_every_caption(tmp_path: Path) -> None:
    """Where one variant was made otherwise, tables and figures that show both warn, and name which is which."""
    campaign = copy_of(shared_campaign(), tmp_path / "mixed")
    path = campaign.metrics_file("V0")
    old = read_jsonl(path)[0]["signature"]
    new = re.sub(r"cfg:[0-9a-f]{8}", "cfg:00000000", old)
    assert new != old
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    (campaign.state / "compute-metrics.jsonl").unlink()  # as metrics that were brought from elsewhere
    assert run(["report", "--data-dir", str(campaign.root)]) == 0
    for name in (
        "tables/main.md",
        "tables/main.tex",
        "tables/coverage_at_budget.tex",
        "figures/coverage_vs_budget.pdf",
    ):
        found = campaign.metrics / name
        [text] = READERS[found.suffix](found)
        assert "Mixed signatures" in text, name
        assert "cfg:00000000" in text, name
    signatures = _csv(campaign.tables / "main.csv")
    assert sorted(set(signatures)) == sorted({old, new})
