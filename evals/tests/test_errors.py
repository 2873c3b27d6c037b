"""Errors say what, where and what to do now, and carry their exit status."""

from __future__ import annotations

import pytest

from exaid_evals import errors
from exaid_evals.errors import ConfigError, DataError, ExaidError


def test_a_message_says_where_what_and_what_to_do() -> None:
    """The parts that are known, in one order."""
    assert str(ExaidError("broken")) == "broken"
    assert str(ExaidError("broken", where="x:3")) == "x:3: broken"
    assert str(DataError("broken", where="x:3", remedy="mend it")) == "x:3: broken; mend it"


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("ExaidError", 1),
        ("ConfigError", 2),
        ("MissingDependencyError", 2),
        ("DataError", 1),
        ("UnknownFormatError", 1),
        ("SchemaVersionError", 1),
        ("FrozenError", 1),
        ("CaseFailedError", 3),
        ("LLMError", 3),
    ],
)
def test_every_error_has_the_exit_status_of_its_kind(name: str, status: int) -> None:
    """DESIGN.md section 3: 1 data, 2 usage, 3 some cases failed."""
    assert getattr(errors, name).exit_status == status


def test_every_error_of_the_tree_is_listed_above() -> None:
    """A new error must be given its status here."""
    mark = next(m for m in test_every_error_has_the_exit_status_of_its_kind.pytestmark if m.name == "parametrize")
    public = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    assert public == {name for name, _ in mark.args[1]}


def test_one_problem_stands_alone_and_several_in_a_list() -> None:
    """A list of one would only hide what is wrong."""
    first, second = ConfigError("a", where="x"), ConfigError("b")
    assert ConfigError.of([first]) is first
    assert str(ConfigError.of([first, second])) == "2 problems in the configuration:\n  - x: a\n  - b"
