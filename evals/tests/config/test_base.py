"""Loading a configuration: layers, sources, and every problem at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field, ValidationError

from exaid_evals.config.base import Config, Loaded, Override, load_config
from exaid_evals.config.mapping_file import read_mapping
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.runs.files.document import read_yaml


class Timing(Config):
    """A nested part."""

    silence_ms: int = Field(default=4000, ge=1)
    max_wait_ms: int = 30000


class Part(Config):
    """An item of a list."""

    min_words: int = 1


class Stage(Config):
    """A stage's configuration."""

    name: str
    seed: int = 42
    ratio: float = 0.5
    timing: Timing = Timing()
    taus: Annotated[tuple[float, ...], Field(min_length=1)] = (0.85,)
    extras: dict[str, int] = Field(default_factory=dict)
    parts: tuple[Part, ...] = ()


def _write(folder: Path, text: str, name: str = "stage.yaml") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_each_layer_overrides_the_one_below_and_says_so(tmp_path: Path) -> None:
    """Command line over environment over file over default; every value knows its source."""
    path = _write(tmp_path, "name: a\nseed: 1\ntiming: {silence_ms: 10}\n")
    overrides = {"seed": Override(2, "EXAID_SEED"), "timing.max_wait_ms": Override(9, "--max-wait-ms")}
    loaded = load_config(Stage, path, overrides)
    assert loaded.value == Stage(name="a", seed=2, timing=Timing(silence_ms=10, max_wait_ms=9))
    assert loaded.sources == {
        "name": str(path),
        "seed": "EXAID_SEED",
        "ratio": "default",
        "timing.silence_ms": str(path),
        "timing.max_wait_ms": "--max-wait-ms",
        "taus": "default",
        "extras": "default",
        "parts": "default",
    }


def test_an_override_replaces_a_whole_part(tmp_path: Path) -> None:
    """A list or mapping given above takes the place of the one below, with its source."""
    path = _write(tmp_path, "name: a\nextras: {x: 1}\n")
    loaded = load_config(Stage, path, {"extras": Override({"y": 2}, "--extras")})
    assert (loaded.value.extras, loaded.sources["extras.y"]) == ({"y": 2}, "--extras")
    assert "extras.x" not in loaded.sources


def test_without_a_file_the_defaults_hold() -> None:
    """Overrides alone make a configuration, and the resolved form is plain data."""
    loaded = load_config(Stage, overrides={"name": Override("a", "--name")})
    assert json.loads(json.dumps(loaded.resolved())) == {
        "name": "a",
        "seed": 42,
        "ratio": 0.5,
        "timing": {"silence_ms": 4000, "max_wait_ms": 30000},
        "taus": [0.85],
        "extras": {},
        "parts": [],
    }


def test_json_is_read_like_yaml(tmp_path: Path) -> None:
    """The name's end decides; both give the same configuration."""
    text = '{"name": "a", "timing": {"silence_ms": 7}}'
    from_json = load_config(Stage, _write(tmp_path, text, "stage.json"))
    assert from_json.value == load_config(Stage, _write(tmp_path, text)).value


def _problems(text: str, tmp_path: Path, overrides: Mapping[str, Override] | None = None) -> list[str]:
    path = _write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_config(Stage, path, overrides)
    lines = str(caught.value).replace(str(path), "stage.yaml").splitlines()
    return [line.removeprefix("  - ") for line in lines]


def test_every_problem_is_reported_at_once(tmp_path: Path) -> None:
    """Missing, misspelt, of the wrong type and out of range: one error with four lines, each with place and remedy."""
    text = "sed: 1\nseed: many\ntiming: {silence_ms: 0, slience_ms: 3}\n"
    assert _problems(text, tmp_path) == [
        "5 problems in the configuration:",
        "stage.yaml: name: Field required; correct the value",
        "stage.yaml: seed: Input should be a valid integer, unable to parse string as an integer (got 'many'); "
        "correct the value",
        "stage.yaml: timing.silence_ms: Input should be greater than or equal to 1 (got 0); correct the value",
        "stage.yaml: timing.slience_ms: unknown key; did you mean `silence_ms`?",
        "stage.yaml: sed: unknown key; did you mean `seed`?",
    ]


def test_a_bad_override_names_its_option(tmp_path: Path) -> None:
    """The user is sent to the place where the value was given, not to the file."""
    problems = _problems("name: a\n", tmp_path, {"timing.silence_ms": Override(-1, "--silence-ms")})
    assert problems == [
        "--silence-ms: timing.silence_ms: Input should be greater than or equal to 1 (got -1); correct the value"
    ]


def test_a_key_that_resembles_none_is_to_be_removed(tmp_path: Path) -> None:
    """No far-fetched suggestion."""
    assert _problems("name: a\nzzz: 1\n", tmp_path) == ["stage.yaml: zzz: unknown key; remove it"]


def test_an_override_inside_what_is_no_mapping_is_a_problem_of_its_own(tmp_path: Path) -> None:
    """A scalar in the file where a mapping belongs is an error of the file, not a crash."""
    problems = _problems("name: a\ntiming: 5\n", tmp_path, {"timing.silence_ms": Override(1, "--silence-ms")})
    assert problems == [
        "stage.yaml: timing: Input should be a valid dictionary or instance of Timing (got 5); correct the value"
    ]


def test_not_a_number_is_no_value(tmp_path: Path) -> None:
    """`.nan` and `.inf`, which YAML has words for, are refused."""
    assert _problems("name: a\nratio: .nan\n", tmp_path) == [
        "stage.yaml: ratio: Input should be a finite number (got nan); correct the value"
    ]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("seed: 1\nname: a\nseed: 2\n", "stage.yaml:3: the key 'seed' is a duplicate; correct the line"),
        ("name: a\ntiming:\n  x: 1\n  x: 1\n", "stage.yaml:4: the key 'x' is a duplicate; correct the line"),
        ("[1, 2]: a\n", "stage.yaml:1: a key must be plain text; correct the line"),
        ("{a: 1}: a\n", "stage.yaml:1: a key must be plain text; correct the line"),
        ("name: [a\n", "stage.yaml:2: expected ',' or ']', but got '<stream end>'; correct the line"),
        ("- a\n", "stage.yaml: holds a list; write the mapping alone"),
        ("1: a\n", "stage.yaml: holds no mapping of names to values; write `key: value` lines"),
        ("name: !!python/object:os.system a\n", "stage.yaml:1: could not determine a constructor"),
        ("name: a\n---\nname: b\n", "stage.yaml:2: but found another document; correct the line"),
        ("name: \x07\n", "stage.yaml: not valid"),
    ],
    ids=["twice", "twice inside", "list key", "map key", "open", "list", "number", "python", "two documents", "bell"],
)
def test_a_malformed_file_is_one_problem_with_its_line(tmp_path: Path, text: str, what: str) -> None:
    """YAML that others would read somehow is refused."""
    path = _write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        read_mapping(path)
    assert str(caught.value).replace(str(path), "stage.yaml").startswith(what)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"name": "a", "seed": 1, "seed": 2}', "stage.json: not valid (the key 'seed' is a duplicate)"),
        ('{"ratio": NaN}', "stage.json: not valid (NaN is not JSON)"),
        ('{"name": ', "stage.json: not valid"),
        ("[" * 100_000, "stage.json: not valid"),
    ],
    ids=["twice", "nan", "half", "deep"],
)
def test_json_is_as_strict_as_yaml(tmp_path: Path, text: str, what: str) -> None:
    """The same rules hold for both notations."""
    path = _write(tmp_path, text, "stage.json")
    with pytest.raises(ConfigError) as caught:
        read_mapping(path)
    assert str(caught.value).replace(str(path), "stage.json").startswith(what)


_ALIASES = "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
_MERGES = "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n}\n  <<: [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))


@pytest.mark.timeout(20)
@pytest.mark.parametrize("read", [read_mapping, read_yaml])
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: " + "[" * 600, "more than 60 levels"),
        ("a: " + "{b: " * 50_000, "more than 60 levels"),
        (_ALIASES, "too many values, more than 100,000"),
        (_MERGES, "too many values, more than 100,000"),
        ("a: &a\n  b: *a", "a value within itself"),
        ("at: 12:30", "'12:30' is a number in base 60 to YAML"),
        ("at: 190:20:30.15", "base 60"),
        ("mode: 0644", "'0644' is octal to YAML, and 420"),
        ("n: " + "9" * 100_000, "a number of 100000 characters"),
        ("n: 59" + ":59" * 20_000, "a number of 60002 characters"),
        ("n: !!int 1" + "0" * 5000, "a number of 5001 characters"),
        ("n: !!binary xx", "base64"),
    ],
)
def test_yaml_that_is_not_what_it_seems_is_refused(
    tmp_path: Path, read: Callable[[Path], object], text: str, problem: str
) -> None:
    """Bombs of nesting, aliases and merges end before they are made; numbers that nobody meant are named."""
    with pytest.raises((ConfigError, DataError), match=problem):
        read(_write(tmp_path, text))


def test_yaml_of_everyday_is_read(tmp_path: Path) -> None:
    """Anchors, merges, quoted times, versions and dates mean what they meant."""
    text = "a: &a {x: 1, y: 0}\nb: {<<: *a, z: 0.5}\nt: '12:30'\nv: 1.2.3\nd: 2024-01-02\nn: [08, 1_000, -7, 1e3]\n"
    expected = {"x": 1, "y": 0}
    found = read_mapping(_write(tmp_path, text))
    assert found == read_yaml(_write(tmp_path, text))
    assert found["b"] == {**expected, "z": 0.5}
    assert (found["t"], found["v"], found["d"]) == ("12:30", "1.2.3", "2024-01-02")
    assert found["n"] == ["08", 1000, -7, "1e3"]


def test_a_key_of_200_kb_is_not_printed_whole(tmp_path: Path) -> None:
    """Neither as an unknown key nor as a duplicate."""
    key = "k" * 200_000
    for text in (f"? {key}\n: 1", f"? {key}\n: 1\n? {key}\n: 2", f'{{"{key}": 1}}'):
        with pytest.raises(ConfigError) as caught:
            load_config(Stage, _write(tmp_path, text))
        assert len(str(caught.value)) < 600


def test_a_key_in_the_wrong_place_is_reported_its_place(tmp_path: Path) -> None:
    """It is unknown where it stands, and it is not a misspelling of itself."""
    with pytest.raises(ConfigError, match=r"silence_ms: unknown key; it belongs at `timing.silence_ms`"):
        load_config(Stage, _write(tmp_path, "name: x\nsilence_ms: 3"))


def test_merge_keys_still_work(tmp_path: Path) -> None:
    """`<<` is YAML's way to share settings; what stands beside it wins and is not a repetition."""
    text = "base: &b {silence_ms: 1, max_wait_ms: 2}\ntiming: {<<: *b, silence_ms: 3}\n"
    assert read_mapping(_write(tmp_path, text))["timing"] == {"silence_ms": 3, "max_wait_ms": 2}


def test_an_empty_file_is_an_empty_mapping(tmp_path: Path) -> None:
    """A configuration of comments alone takes every default."""
    assert read_mapping(_write(tmp_path, "# nothing yet\n")) == {}


def test_a_missing_and_an_unreadable_file_are_named(tmp_path: Path) -> None:
    """The path stands in the message, with what to do."""
    with pytest.raises(ConfigError, match=r"none\.yaml: no such configuration; check the path"):
        read_mapping(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="is a folder, where a file must stand"):
        read_mapping(tmp_path)
    (tmp_path / "latin.yaml").write_bytes("name: é".encode("latin-1"))
    with pytest.raises(ConfigError, match="save it as UTF-8"):
        read_mapping(tmp_path / "latin.yaml")


def test_problems_inside_lists_are_placed(tmp_path: Path) -> None:
    """An item is named by its index, and its own keys are suggested."""
    problems = _problems("name: a\nparts: [{min_words: 1}, {min_word: 1}]\n", tmp_path)
    assert problems == ["stage.yaml: parts.1.min_word: unknown key; did you mean `min_words`?"]


def test_a_configuration_cannot_be_changed() -> None:
    """What was signed is what is run."""
    loaded = Loaded(Stage(name="a"))
    with pytest.raises(ValidationError):
        loaded.value.seed = 1  # type: ignore[misc]
