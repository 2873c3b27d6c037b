"""Configurations, the parts that they name, cases, and the options of commands."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import exaid_evals
from conversations import conversation, freeze
from exaid_evals.calibration.simulate import Policy
from exaid_evals.calibration.stage import (
    Plan,
    calibrate,
    calibrated_text,
    current_policy,
    frozen_as_set,
    median_flush_ctu,
    plan_calibration,
)
from exaid_evals.cases import registry
from exaid_evals.cases.base import SourceContext, require_unique
from exaid_evals.cases.mac import FILE_NAME, load
from exaid_evals.clients.base import Budget
from exaid_evals.clients.endpoint import endpoint_of
from exaid_evals.concepts import compiled, scispacy, words
from exaid_evals.concepts.registry import load_extractor, read_stop_entities
from exaid_evals.config.base import Config, load_config
from exaid_evals.config.campaign import Campaign, configs_dir
from exaid_evals.config.mapping_file import read_mapping
from exaid_evals.config.mas_generation import DatasetConfig, MasGenerationConfig
from exaid_evals.config.metrics import CalibrationConfig
from exaid_evals.config.plugins import optional
from exaid_evals.config.variant import SummarizerConfig, VariantConfig
from exaid_evals.execution.choose import asking_executor, executor
from exaid_evals.replay.preflight import _under_name
from exaid_evals.run_eval import INSTALL, import_with_torch
from exaid_evals.run_eval.spec import EvalConfig
from remedies.rows import Content, Row, file

YAML = partial(read_mapping, Path("c.yaml"))
SUMMARIZER = partial(load_config, SummarizerConfig, Path("c.yaml"))
PARTS = "trigger: {kind: always}\nsummarizer: {kind: structured}\nhistory_k: 3\n"
GOOD = "variant_id: V8\ngate: {kind: message}\n" + PARTS
OTHER_KEY = {"GOOGLE_API_KEY": "g" * 20}
KEY = {"OPENAI_API_KEY": "test-key-0123456789"}
CASES = [f"case-{n}" for n in range(9)]


def yaml(remedy: str, wrong: Content, right: Content = "a: 1\n") -> Row:
    """Return the row of a configuration with a fault."""
    return file(remedy, YAML, "c.yaml", wrong, right)


def variant(remedy: str, wrong: str, right: str = GOOD) -> Row:
    """Return the row of a variant's file."""
    command = "run-variants V8 --stub --data-dir data --variants-dir variants --dry-run"
    return file(remedy, command, "variants/V8.yaml", wrong, right, data=True)


def moved(remedy: str, model: type[Config], wrong: Mapping[str, Any], right: Mapping[str, Any] | None = None) -> Row:
    """Return the row of a key that stands where it does not belong."""
    reads = partial(load_config, model, Path("c.json"))
    return file(remedy, reads, "c.json", json.dumps(wrong), json.dumps(right or {}))


def asking(**environment: str) -> Callable[[], None]:
    """Return the check of the OpenAI endpoint under an environment."""
    return lambda: endpoint_of("openai", environment).check()


def chosen(**how: Any) -> Callable[[], object]:
    """Return a selection of cases."""
    settings = DatasetConfig(**{key: how.pop(key) for key in ("n_cases", "mode") if key in how})
    return lambda: registry.select(how.pop("available", CASES), settings, **how)


def spend(**most: int) -> None:
    """Charge two calls to a budget."""
    budget = Budget(**most)
    budget.charge(4)
    budget.charge(4)


def of_mac(raw: Any) -> str:
    """Return MAC's data file."""
    return json.dumps({"Cases": raw})


def mac_cases() -> object:
    """Load MAC's cases out of the current folder."""
    return load(SourceContext(DatasetConfig(), Campaign(Path("data")), Path("mac")))


GRID: dict[str, list[int]] = {"min_words": [1], "max_words": [4], "silence_ms": [100], "max_wait_ms": [5000]}
FREE = {"worst_wait_ms": None, "undersized_share": None, "timer_share": None, "chunk_words_p95": None}


def planned(
    on: str = "case-1", *, text: str = "One two three.", allow_assumed_time: bool = True, **config: Any
) -> Plan:
    """Plan a calibration on a case, beside one that is evaluated."""
    evaluated = freeze(Path("evaluated"), [conversation("Fever.", case_id="case-1")])
    other = freeze(Path("other"), [conversation(text, case_id=on)])
    settings = CalibrationConfig.model_validate({"grid": GRID, "constraints": FREE, **config})
    return plan_calibration(evaluated, other, settings, chars_per_second=100.0, allow_assumed_time=allow_assumed_time)


def calibrated(text: str = "One two three.", **limits: Any) -> object:
    """Calibrate on a case."""
    return calibrate(planned("case-2", text=text, constraints=FREE | limits))


def median_size(text: str) -> float:
    """Return the median size of a conversation's chunks."""
    return median_flush_ctu([conversation(text)], Policy(1, 4, 100, 5000), chars_per_second=100.0)


def named(variant_id: str) -> None:
    """Put runs of a variant beside others of it."""
    variant = VariantConfig.model_validate(
        {**read_mapping(configs_dir() / "variants/V3.yaml"), "variant_id": variant_id}
    )
    problems = _under_name([variant], "gemini")[1]
    if problems:
        raise problems[0]


CASE = {
    "Type": "neurological",
    "Final Name": "Syndrome A",
    "Case URL": 1000,
    "Initial Presentation": "A girl.",
    "Follow-up Presentation": "Exome sequencing.",
}
MAC_FILE = f"mac/dataset/{FILE_NAME}"

FILES = [
    yaml("save it as UTF-8", b"a: \xe9\n"),
    yaml("correct the line", "a: [1\n"),
    yaml("correct the line", "a: 1\na: 2\n"),
    yaml("write `key: value` lines", "1: 2\n"),
    yaml('write the mapping alone, such as {"model": "gpt-4o-mini"}; keys come from the environment', "- a\n"),
    file("correct the file", lambda: read_mapping(Path("c.json")), "c.json", "[" * 9999, "{}"),
    Row("check the path", YAML, then={"c.yaml": "a: 1\n"}),
    file("correct the value", SUMMARIZER, "c.yaml", "llm: {temperature: hot}\n", "llm: {temperature: 0.5}\n"),
    file("did you mean `{}`?", SUMMARIZER, "c.yaml", "lllm: {}\n", "llm: {}\n"),
    file("it belongs at `{}`", SUMMARIZER, "c.yaml", "temperature: 0.5\n", "llm: {temperature: 0.5}\n"),
    moved(
        "write `history_k` into the variant's file, such as configs/variants/V3.yaml",
        SummarizerConfig,
        {"history_k": 3},
    ),
    moved(
        "write `temperature` and the like into configs/mac_model_config.json",
        MasGenerationConfig,
        {"mac": {"decoding": {"temperature": 0}}},
        {"mac": {}},
    ),
    file("give a UTF-8 text file, one entry a line", lambda: read_stop_entities(Path("s")), "s", b"\xe9", "patient\n"),
]

VARIANTS = [
    variant("correct the value", "variant_id: V8\n" + PARTS),
    variant("{}known are {}; your own goes by `module:attribute`", GOOD.replace("message", "mesage")),
    variant("settings of {} are {}", GOOD.replace("message}", "message, size: 3}")),
    variant("correct the line", GOOD + "variant_id: V8\n"),
    variant("name the file {}.yaml", GOOD.replace("V8", "V7")),
    variant(
        "settings of {} are {}",
        GOOD.replace("message", "token_gate, min_words: 90, max_words: 30"),
        GOOD.replace("message", "token_gate, min_words: 30, max_words: 90"),
    ),
    Row(
        "add a YAML file, or name another --config-dir or --variants-dir",
        "run-variants V8 --stub --data-dir data --variants-dir variants --dry-run",
        files={"variants/x.txt": ""},
        then={"variants/V8.yaml": GOOD},
        data=True,
    ),
    variant("name a class or a function behind the colon", GOOD.replace("message", "'remedies.own_parts:NUMBER'")),
    variant("correct the name behind the colon", GOOD.replace("message", "'remedies.own_parts:Missing'")),
    variant("install its package, or put it on PYTHONPATH", GOOD.replace("message", "'own_part_nowhere:Gate'")),
    variant("derive them from it, or leave them out", GOOD.replace("message", "'remedies.own_parts:OddSettings'")),
    variant(
        "write one as `Writing a part` in evals/README.md describes",
        *(GOOD.replace("structured", f"'remedies.own_parts:{name}'") for name in ("summarize", "Feverless")),
    ),
    variant(
        "correct it, or look at its traceback with --debug", GOOD.replace("message", "'remedies.own_parts:Broken'")
    ),
]


def without_pandas() -> None:
    """Ask for the reader of runs where pandas is missing."""
    _ = exaid_evals.read_runs  # what it imports stays imported
    with mock.patch.dict(sys.modules, {"pandas": None}):
        del sys.modules["exaid_evals.api.runs"]
        _ = exaid_evals.read_runs


PARTS_OF_ONES_OWN = [
    Row("run `make setup` in a checkout, or `pip install {}`", without_pandas, lambda: exaid_evals.read_runs),
    Row(
        "known are vocabularies, negation",
        lambda: compiled.Settings.of({"vocabulary": ["hpo"]}),
        lambda: compiled.Settings.of({"vocabularies": ["hpo"]}),
    ),
    Row(
        "give a list of distinct names out of {}",
        lambda: compiled.Settings.of({"vocabularies": ["hpo", "hpo"]}),
        lambda: compiled.Settings.of({"vocabularies": ["hpo"]}),
    ),
    Row(
        "give true or false",
        lambda: compiled.Settings.of({"negation": "no"}),
        lambda: compiled.Settings.of({"negation": False}),
    ),
    *(
        Row(remedy, partial(scispacy.Settings.of, wrong), partial(scispacy.Settings.of, right))
        for remedy, wrong, right in [
            ("known are {}", {"min_len": 3}, {"min_entity_len": 3}),
            ("give the name or path of a spaCy pipeline", {"model": 5}, {"model": "en_core_sci_sm"}),
            ("give ALL or a list of labels", {"entity_types_kept": 5}, {"entity_types_kept": "ALL"}),
            ("give a whole number from 1", {"min_entity_len": 0}, {"min_entity_len": 1}),
        ]
    ),
    Row(
        "remove it",
        lambda: words.build({"size": 3}, stop_entities=frozenset()),
        lambda: words.build({}, stop_entities=frozenset()),
    ),
    Row(
        "return an object with an `id` and the method `mentions`",
        lambda: load_extractor("remedies.own_parts:no_extractor", {}, stop_entities=frozenset()),
        lambda: load_extractor("remedies.own_parts:extractor", {}, stop_entities=frozenset()),
    ),
    Row(
        "install it with `pip install {}`",
        lambda: optional("no_such_module", "nothing", "this"),
        lambda: optional("json", "nothing", "this"),
    ),
    Row(
        "name a Dask scheduler (tcp://HOST:8786, or the .json file it writes), local:N, or your own by "
        "`module:attribute`",
        lambda: executor(1, "here"),
        lambda: executor(1),
    ),
    Row(
        "give it a method `map_asking`, name a Dask cluster, or leave it out",
        lambda: asking_executor("own_parts:one_process"),
        lambda: executor(1),
    ),
    Row("set the environment variable {}; for recorded calls use --llm replay", asking(), asking(**KEY)),
    Row(
        "{} is set: {}; or {}",
        asking(GOOGLE_API_KEY="g" * 20),
        lambda: endpoint_of("google", {"GOOGLE_API_KEY": "g" * 20}).check(),
    ),
    Row("set it again, without quotes", asking(OPENAI_API_KEY="'a key'"), asking(**KEY)),
    Row(
        "write it as https://host:port/v1",
        asking(**KEY, OPENAI_BASE_URL="localhost"),
        asking(**KEY, OPENAI_BASE_URL="https://localhost:8000/v1"),
    ),
    *(
        Row(remedy, partial(spend, **wrong), spend)
        for remedy, wrong in [
            ("the same command goes on from here, with --max-calls for the calls to come", {"max_calls": 1}),
            ("the same command goes on from here, with --max-ctu for what is to come", {"max_ctu": 5}),
        ]
    ),
]

OF_CASES = [
    Row("give each an id of its own", lambda: require_unique("aa", where="x"), lambda: require_unique("ab", where="x")),
    Row("take fewer, or `mode: all`", chosen(n_cases=50), chosen(n_cases=2)),
    Row("take fewer, or `mode: all`", chosen(n_cases=50), chosen(n_cases=50, mode="all")),
    Row(
        "name other cases, or leave --exclude-from out",
        chosen(wanted=["case-1"], excluded=["case-1"]),
        chosen(wanted=["case-2"], excluded=["case-1"]),
    ),
    Row("name cases, or take a source that has some", chosen(available=[], mode="all"), chosen(mode="all")),
    Row(
        "initialise the submodule (`git submodule update --init third_party/mac`), name a folder that holds the file "
        "with --mac-dir or EXAID_MAC_DIR, or take `source: synthetic` (EXAID_SOURCE=synthetic)",
        mac_cases,
        then={MAC_FILE: of_mac([CASE])},
    ),
    file("restore it from MAC's repository", mac_cases, MAC_FILE, "[]", of_mac([CASE])),
    file("correct them, or restore the file from MAC's repository", mac_cases, MAC_FILE, of_mac([5]), of_mac([CASE])),
]

CALIBRATED = [
    Row(
        "freeze others: `exaid-evals make-traces --data-dir OTHER --exclude-from {}`",
        planned,
        lambda: planned(on="case-2"),
    ),
    Row(
        "calibrate on traces with recorded times; or, for want of them, with --allow-assumed-time",
        lambda: planned(on="case-2", allow_assumed_time=False),
        lambda: planned(on="case-2"),
    ),
    Row(
        "lower min_words or raise max_words",
        lambda: planned(on="case-2", grid=GRID | {"min_words": [9]}),
        lambda: planned(on="case-2", grid=GRID),
    ),
    Row("name other --traces", lambda: calibrated(text=" "), calibrated),
    Row(
        "loosen a constraint, or widen the grid, in calibration.yaml",
        lambda: calibrated(undersized_share=0),
        calibrated,
    ),
    Row("calibrate on other traces", lambda: median_size(" "), lambda: median_size("Fever.")),
    Row("choose a shorter one", lambda: named("V" * 30), lambda: named("V3")),
    file(
        "correct `variants` in calibration.yaml",
        lambda: current_policy(Path("V8.yaml")),
        "V8.yaml",
        GOOD,
        GOOD.replace("message", "token_gate"),
    ),
    file(
        "write each as a block of its own at the left margin, or enter the printed blocks by hand",
        lambda: calibrated_text(Path("V8.yaml"), frozen_as_set(Path("V8.yaml"), "so set")),
        "V8.yaml",
        "{variant_id: V8, gate: {kind: message}, trigger: {kind: always}, summarizer: {kind: structured}, "
        "history_k: 3}\n",
        GOOD,
    ),
]

OF_RUN_EVAL = [
    *(
        Row(remedy, partial(EvalConfig, **wrong), partial(EvalConfig, **right))
        for remedy, wrong, right in [
            ("take one of {}", {"mixed_precision": "fp8"}, {"mixed_precision": "bf16"}),
            ("give a list of names", {"metrics": "loss"}, {"metrics": ["loss"]}),
            ("take letters, digits, `_`, `-` and `.`", {"split": "a/b"}, {"split": "a-b"}),
        ]
    ),
    Row(INSTALL, lambda: import_without_torch(), lambda: import_with_torch("spec")),
]


def import_without_torch() -> None:
    """Import what needs PyTorch where it is not installed."""
    with mock.patch("importlib.import_module", side_effect=ModuleNotFoundError(name="torch")):
        import_with_torch("loop")


ROWS = [*OF_RUN_EVAL, *FILES, *VARIANTS, *PARTS_OF_ONES_OWN, *OF_CASES, *CALIBRATED]
