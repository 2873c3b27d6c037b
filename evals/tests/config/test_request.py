"""Requests: one field is one option, with its variable, type, source and the configuration key it stands for."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from pathlib import Path

import pytest
from click.testing import CliRunner

from exaid_evals.cli.verb import verb
from exaid_evals.config.request import Override, Request, argument, flag, names_of, option
from exaid_evals.config.requests import PlanRequest, RunsRequest, TracesRequest
from exaid_evals.errors import ConfigError


class Sample(Request):
    """One field of each kind."""

    places: tuple[Path, ...] = argument("[PLACE]...")
    depth: int | None = option("How deep.", "-d", "--depth", minimum=1, key="sample.yaml:search.depth")
    tags: tuple[str, ...] = option("Which.", default=(), parse=names_of)
    colour: str = option("Which one.", default="red", choices=("red", "blue"))
    loud: bool = flag("Whether to shout.")
    hidden: int = 7


def built(*arguments: str, **environment: str) -> Sample:
    """Return the request that a command line makes."""
    made: list[Sample] = []

    def run(request: Sample) -> int:
        """Do nothing."""
        made.append(request)
        return 0

    result = CliRunner().invoke(verb("sample", Sample, run), arguments, env=environment)
    assert result.exit_code == 0, result.output
    return made[0]


def test_the_command_line_goes_before_the_environment_and_that_before_the_default() -> None:
    """Each value has the source that it was taken from, by the name that a user knows."""
    environment = {"EXAID_DEPTH": "2", "EXAID_COLOUR": "blue", "EXAID_TAGS": "a, b"}
    found = built("-d", "3", "x", "y", **environment)
    assert (found.depth, found.source_of("depth")) == (3, "--depth")
    assert (found.colour, found.source_of("colour")) == ("blue", "EXAID_COLOUR")
    assert (found.tags, found.source_of("tags")) == (("a", "b"), "EXAID_TAGS")
    assert (found.loud, found.source_of("loud")) == (False, "default")
    assert found.places == (Path("x"), Path("y"))
    assert built() == Sample()


def test_a_request_is_a_frozen_dataclass() -> None:
    """Equal and hashed by its values and its kind, copied, sent to workers, and never changed."""

    class Other(Sample):
        """Another kind with the same fields."""

    class Needing(Request):
        """A field without a default."""

        depth: int

    one = Sample(depth=2, tags=("a",), sources={"depth": "--depth"})
    same = Sample(depth=2, tags=("a",))
    sent = pickle.loads(pickle.dumps(one))  # noqa: S301 - as a pool of processes does
    assert one == same == sent == copy.deepcopy(one)  # where it comes from does not count
    assert hash(one) == hash(same)
    assert sent.sources == one.sources
    assert one not in (Other(depth=2, tags=("a",)), Sample(depth=2), "one")
    assert dataclasses.replace(one, depth=3) == one.change(depth=3) == Sample(depth=3, tags=("a",))
    assert "depth=2" in repr(one)
    assert "sources" not in repr(one)
    assert Needing(depth=1).depth == 1
    for wrong in (lambda: setattr(one, "depth", 3), lambda: delattr(one, "depth")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            wrong()
    for make in (lambda: Sample(3), lambda: Sample(deep=3), Needing):  # type: ignore[call-arg, misc]
        with pytest.raises(TypeError):
            make()


def test_given_values_alone_stand_before_a_file() -> None:
    """What was not given leaves the file's value; another file is not concerned."""
    assert built("-d", "3").overrides("sample.yaml") == {"search.depth": Override(3, "--depth")}
    assert Sample(depth=4).overrides("sample.yaml") == {"search.depth": Override(4, "the call")}
    assert built().overrides("sample.yaml") == built("-d", "3").overrides("other.yaml") == {}


@pytest.mark.parametrize("arguments", [["-d", "0"], ["--colour", "green"], ["--hidden", "1"]])
def test_wrong_usage_is_refused(arguments: list[str]) -> None:
    """Ranges and choices hold, and a field that is not an option is none on the command line."""
    assert CliRunner().invoke(verb("sample", Sample, lambda _: 0), arguments).exit_code == 2


def test_a_request_of_another_stage_has_what_both_know() -> None:
    """Values go over with their sources; what is changed loses its own."""
    plan = PlanRequest(
        seed=9, jobs=3, model="m", stage="run-variants", sources={"seed": "--seed", "jobs": "EXAID_JOBS"}
    )
    traces = plan.derive(TracesRequest, jobs=1)
    assert (traces.seed, traces.source_of("seed"), traces.jobs) == (9, "--seed", 1)
    assert traces.source_of("jobs") == "default"
    assert plan.derive(RunsRequest).of_summarizer == {"llm.model": Override("m", "the call")}


def test_stub_mode_and_a_live_model_exclude_each_other() -> None:
    """Said before any work, and also to callers in Python."""
    with pytest.raises(ConfigError, match="leave out --stub"):
        RunsRequest(stub=True, llm="openai")
    assert RunsRequest(stub=True).of_summarizer == {"llm.client": Override("stub", "the call")}
