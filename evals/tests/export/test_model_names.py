"""Size and quantisation from a model's name, by the patterns that ship and by a user's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaid_evals.errors import ConfigError
from exaid_evals.runs.model_names import ModelNamesConfig, load_patterns, parse_model_name

SHIPPED = load_patterns()

# Folders as people name them after models of public registries: `:` and `.` of a tag often become `_`.
NAMES: dict[str, tuple[float | None, str | None]] = {
    "llama3_2_1b-instruct-fp16": (1, "fp16"),
    "qwen2_5_0.5b-q4_K_M": (0.5, "q4_K_M"),
    "phi3_14b": (14, None),
    "mixtral_8x7b-q8_0": (46.7, "q8_0"),
    "gemma2-27b-it-q5_k_m": (27, "q5_K_M"),
    "mixtral_8x7b": (46.7, None),
    "mixtral-8x22b-instruct-v0.1-q2_K": (141, "q2_K"),
    "dolphin-mixtral_8x7b-v2.5-q3_K_L": (46.7, "q3_K_L"),
    "qwen1_5-moe_4x2b": (8, None),
    "llama3_1_8b": (8, None),
    "llama3_1_70b-instruct-q4_0": (70, "q4_0"),
    "llama3_1_405b": (405, None),
    "llama3.2_3b-instruct-q6_K": (3, "q6_K"),
    "llama3_3_70b-instruct-q2_K": (70, "q2_K"),
    "llama2_7b-chat-q5_1": (7, "q5_1"),
    "Meta-Llama-3-8B-Instruct": (8, None),
    "Meta-Llama-3.1-8B-Instruct-AWQ-INT4": (8, "awq"),
    "codellama_34b-instruct-q4_K_S": (34, "q4_K_S"),
    "tinyllama_1_1b-chat-v1-fp16": (1.1, "fp16"),
    "TinyLlama-1.1B-Chat-v1.0": (1.1, None),
    "qwen2_5_1_5b-instruct-q8_0": (1.5, "q8_0"),
    "qwen2_5_3b": (3, None),
    "qwen2_5_72b-instruct-q4_k_m": (72, "q4_K_M"),
    "qwen2_5-coder_32b": (32, None),
    "qwen2_5-14b-instruct-1m": (14, None),
    "qwen2_0_5b": (0.5, None),
    "qwen2_1_5b": (1.5, None),
    "qwen_1_8b": (1.8, None),
    "qwen3_1_7b-bf16": (1.7, "bf16"),
    "qwen3-30b-a3b-instruct-fp8": (30, "fp8"),
    "Qwen2.5-7B-Instruct-GPTQ-Int8": (7, "gptq"),
    "gemma_2b-instruct-fp16": (2, "fp16"),
    "gemma2_9b-instruct-q3_K_S": (9, "q3_K_S"),
    "gemma3n_e4b-it-q4_K_M": (4, "q4_K_M"),
    "gemma-3-27b-it-qat": (27, "qat"),
    "phi3_3_8b-mini-128k-instruct-q4_K_M": (3.8, "q4_K_M"),
    "phi-2_7b": (2.7, None),
    "phi_2_7b-chat-v2-q4_0": (2.7, "q4_0"),
    "phi4": (None, None),
    "deepseek-r1_1_5b": (1.5, None),
    "deepseek-r1_32b-qwen-distill-q4_K_M": (32, "q4_K_M"),
    "deepseek-v3_671b-fp8": (671, "fp8"),
    "deepseek-coder_6_7b": (6.7, None),
    "mistral_7b-instruct-v0.3-iq3_xxs": (7, "iq3_XXS"),
    "mistral-nemo_12b-instruct-2407-f16": (12, "fp16"),
    "command-r-plus_104b-08-2024-q4_0": (104, "q4_0"),
    "gpt-oss_20b-mxfp4": (20, "mxfp4"),
    "smollm_135m-instruct-v0.2-q8_0": (0.135, "q8_0"),
    "smollm2_1_7b": (1.7, None),
    "stablelm2_1_6b-chat": (1.6, None),
    "granite3_1_8b": (8, None),
    "meditron_70b-q5_K_S": (70, "q5_K_S"),
    "medllama2_7b": (7, None),
    "BioMistral-7B-4bit": (7, "int4"),
    "falcon_180b-text-w4a16": (180, "w4a16"),
    "kimi-k2_1t": (1000, None),
    "yi_34b-chat-8-bit": (34, "int8"),
    "gpt-4o-mini": (None, None),
    "llama3": (None, None),
    "o1-2024-12-17": (None, None),
}


@pytest.mark.parametrize(("name", "expected"), NAMES.items(), ids=list(NAMES))
def test_names_as_people_write_them(name: str, expected: tuple[float | None, str | None]) -> None:
    """Each name gives its size in billions and its quantisation, None where it does not say."""
    found = parse_model_name(name, SHIPPED)
    assert (found.billions, found.quantisation) == expected


def test_the_number_says_which_rule_gave_it() -> None:
    """A published total is distinguished from a number that stands in the name."""
    rules = [parse_model_name(name, SHIPPED).rule for name in ("mixtral_8x7b", "bigmoe_4x7b", "phi3_14b", "phi4")]
    assert rules == ["mixtral-8x7b", "experts", "plain", None]


@given(st.text(max_size=80))
def test_no_name_breaks_the_patterns(name: str) -> None:
    """Whatever stands in a name, the answer is a positive size or None, and repeats."""
    found = parse_model_name(name, SHIPPED)
    assert found == parse_model_name(name, SHIPPED)
    assert found.billions is None or found.billions >= 0


@given(
    st.sampled_from(["llama3", "mistral", "gemma2", "some-new-model"]),
    st.sampled_from(["-", "_", ":"]),
    st.one_of(st.integers(1, 700).map(str), st.decimals("0.1", "99.9", places=1).map(str)),
    st.sampled_from(["", "-instruct", "-it", "_chat"]),
    st.sampled_from([("", None), ("-q4_K_M", "q4_K_M"), ("_fp16", "fp16"), ("-q8_0", "q8_0"), (":bf16", "bf16")]),
)
def test_a_size_written_plainly_is_read(
    family: str, separator: str, size: str, kind: str, level: tuple[str, str | None]
) -> None:
    """Family, separator, size with a point, kind and quantisation: the size and the quantisation come back."""
    found = parse_model_name(f"{family}{separator}{size}b{kind}{level[0]}", SHIPPED)
    assert (found.billions, found.quantisation) == (float(size), level[1])


def test_own_patterns_go_first_and_the_shipped_follow(tmp_path: Path) -> None:
    """A lab's names are added in a file; what it does not know is left to the shipped patterns."""
    own = tmp_path / "names.yaml"
    own.write_text(
        "parameters:\n  - {name: ours, pattern: '^ward-small', billions: 0.3}\n"
        "quantisation:\n  - {pattern: '-k(?P<n>\\d)$', as: 'kappa{n:upper}'}\n",
        encoding="utf-8",
    )
    patterns = load_patterns(own)
    assert parse_model_name("ward-small-k3", patterns).billions == 0.3
    assert parse_model_name("ward-small-k3", patterns).quantisation == "kappa3"
    assert parse_model_name("phi3_14b-q8_0", patterns).billions == 14
    own.write_text(own.read_text(encoding="utf-8") + "use_shipped: false\n", encoding="utf-8")
    assert parse_model_name("phi3_14b-q8_0", load_patterns(own)).billions is None


def test_every_problem_of_a_file_is_named_at_once(tmp_path: Path) -> None:
    """A broken pattern, a rule without a size, a reach into Python: all are said, with file and key."""
    own = tmp_path / "names.yaml"
    own.write_text(
        "parameters:\n  - {name: a, pattern: '('}\n  - {name: b, pattern: 'x'}\n"
        "quantisation:\n  - {pattern: '(?P<x>y)', as: '{x.__class__}'}\n  - {pattern: 'y', ass: 'z'}\n",
        encoding="utf-8",
    )
    with pytest.raises(ConfigError) as raised:
        load_patterns(own)
    message = str(raised.value)
    for part in ("4 problems", "parameters.0.pattern", "parameters.1", "quantisation.0", "did you mean"):
        assert part in message


def test_a_file_without_patterns_is_refused(tmp_path: Path) -> None:
    """An empty file would silently change nothing."""
    own = tmp_path / "names.yaml"
    own.write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match="holds no pattern"):
        load_patterns(own)


def test_the_shipped_file_is_read_whole() -> None:
    """The patterns come from the file, not from the code."""
    assert isinstance(SHIPPED, ModelNamesConfig)
    assert len(SHIPPED.parameters) >= 8
    assert len(SHIPPED.quantisation) >= 8
