"""A variant's file after calibration: two blocks are new, and the rest is as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from exaid_evals.calibration.stage import calibrated_text, current_policy
from exaid_evals.config.base import load_config
from exaid_evals.config.campaign import configs_dir
from exaid_evals.config.variant import FrozenConfig, VariantConfig
from exaid_evals.errors import ConfigError

FROZEN = FrozenConfig.model_validate(
    {
        "gate": {"kind": "token_gate", "min_words": 7, "max_words": 70, "silence_ms": 700, "max_wait_ms": 7000},
        "calibration_hash": "sha256:" + "a" * 64,
        "trace_dataset_hash": "sha256:" + "b" * 64,
        "cases": [f"case-{number}" for number in range(40)],
        "date": "2024-12-19T12:00:00Z",
        "version": "1.0",
        "stub": True,
    }
)
REST = "trigger: {kind: always}   # as it was\nsummarizer: {kind: passthrough}\nhistory_k: 0\n"


def written(folder: Path, text: str) -> Path:
    """Write a variant's file."""
    path = folder / "T.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["V3", "V4"])
def test_the_variants_that_ship_take_a_calibration(name: str, tmp_path: Path) -> None:
    """Gate and provenance are those that were chosen, everything else is unchanged, twice is once."""
    path = configs_dir() / "variants" / f"{name}.yaml"
    text = calibrated_text(path, FROZEN)
    before = load_config(VariantConfig, path).value
    path = written(tmp_path, text)
    after = load_config(VariantConfig, path).value
    assert after == before.model_copy(update={"gate": FROZEN.gate, "frozen": FROZEN})
    assert calibrated_text(path, FROZEN) == text
    assert "by hand" not in text
    assert all(len(line) <= 120 for line in text.splitlines())


@pytest.mark.parametrize(
    "gate",
    [
        "gate: {kind: token_gate}\n",
        "gate:   # by hand\n  # because\n  kind: token_gate\n  min_words: 5\n",
        "gate: {kind: token_gate,\n  min_words: 5}\n",
    ],
)
def test_comments_and_order_of_the_rest_stay(gate: str, tmp_path: Path) -> None:
    """Only the block itself is replaced, in its place."""
    path = written(tmp_path, f"# Mine.\nvariant_id: T\n{gate}# The trigger.\n{REST}")
    text = calibrated_text(path, FROZEN)
    assert text.startswith("# Mine.\nvariant_id: T\ngate:  ")
    assert f"  max_wait_ms: 7000\n# The trigger.\n{REST}frozen: " in text


@pytest.mark.parametrize(
    "text",
    [
        "{variant_id: T, gate: {kind: token_gate}, trigger: {kind: always}, summarizer: {kind: passthrough}, "
        "history_k: 0}\n",
        f"variant_id: T\ngate: &g\n  kind: token_gate\n\n  min_words: 5\n{REST}",
        f'variant_id: T\n"gate": {{kind: token_gate}}\n{REST}',
    ],
    ids=["one mapping in braces", "a blank line within", "a quoted key"],
)
def test_another_layout_is_refused_rather_than_damaged(text: str, tmp_path: Path) -> None:
    """A file that would come out as something else is left alone."""
    path = written(tmp_path, text)
    load_config(VariantConfig, path)
    with pytest.raises(ConfigError, match="cannot be replaced in this layout"):
        calibrated_text(path, FROZEN)


def test_only_a_token_gate_is_calibrated(tmp_path: Path) -> None:
    """A variant with another gate is wrong configuration; its file is named."""
    path = written(tmp_path, f"variant_id: T\ngate: {{kind: message}}\n{REST}")
    with pytest.raises(ConfigError, match=r"T\.yaml: the gate is message"):
        current_policy(path)


def test_line_ends_stay(tmp_path: Path) -> None:
    """A file of Windows stays one, line by line, and its blocks are written alike."""
    unix = f"# Mine.\nvariant_id: T\ngate: {{kind: token_gate}}\n{REST}"
    wanted = calibrated_text(written(tmp_path, unix), FROZEN)
    (tmp_path / "T.yaml").write_bytes(unix.replace("\n", "\r\n").encode())
    assert calibrated_text(tmp_path / "T.yaml", FROZEN) == wanted.replace("\n", "\r\n")
