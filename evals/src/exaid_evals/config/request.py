"""Requests: what a verb is asked to do, each option declared once, as a field. The command line is made from them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, FrozenInstanceError, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, dataclass_transform

from exaid_evals.config.campaign import Campaign, configs_dir, default_data_dir
from exaid_evals.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Override:
    """A value that goes before the file's.

    Attributes:
        value: what was given.
        source: where it came from, as shown to the user (`--limit`, `EXAID_JOBS`).
    """

    value: Any
    source: str


RequestT = TypeVar("RequestT", bound="Request")
_OPTION = "option"
STUB, REPLAY, OPENAI = "stub", "replay", "openai"


@dataclass(frozen=True, slots=True)
class Option:
    """How a field of a request is given on the command line and in the environment.

    Attributes:
        help: what the help says of it.
        names: as in `-j`, `--jobs` or `--log/--no-log`; none means `--` and the field's name.
        argument: whether it is an argument, and no option.
        minimum, maximum: of a number.
        parse: makes the value of the text; raises ValueError with what is wrong.
        key: `file:dotted.key` of the configuration value in whose place it stands.
        variables: environment variables that it reads; none means `EXAID_` and its long name.
        metavar: what stands for its value in the help.
        required: whether it must be given.
        path: restrictions of a path: `exists`, `file_okay`, `dir_okay`.
        choices: the values that it may have.
    """

    help: str
    names: tuple[str, ...] = ()
    argument: bool = False
    minimum: float | None = None
    maximum: float | None = None
    parse: Callable[[str], Any] | None = None
    key: str = ""
    variables: tuple[str, ...] = ()
    metavar: str | None = None
    required: bool = False
    path: Mapping[str, bool] = field(default_factory=dict)
    choices: tuple[str, ...] = ()

    def long_name(self, field: str) -> str:
        """Return the name that begins with two hyphens."""
        given = next((name for name in self.names if name.startswith("--")), None)
        return given.split("/")[0] if given else "--" + field.replace("_", "-")


def option(text: str, *names: str, default: Any = None, **settings: Any) -> Any:
    """Declare a field of a request that is an option; the settings are those of `Option`."""
    return field(default=default, metadata={_OPTION: Option(text, names, **settings)})


def flag(text: str, *names: str, **settings: Any) -> Any:
    """Declare an option without a value, which is off where it is not given."""
    return option(text, *names, default=False, **settings)


def argument(metavar: str | None = None, *, default: Any = (), **settings: Any) -> Any:
    """Declare a field of a request that is given by its place; a tuple takes all that are left."""
    return option("", default=default, argument=True, metavar=metavar, **settings)


def options_of(kind: type[Request]) -> dict[str, Option]:
    """Return field name → option: what a class declares itself before what it inherits."""
    declared = {one.name: one.metadata[_OPTION] for one in fields(kind) if _OPTION in one.metadata}
    order = [name for base in kind.__mro__ for name in vars(base).get("__annotations__", ())]
    return {name: declared[name] for name in dict.fromkeys(order) if name in declared}


@dataclass_transform(kw_only_default=True, frozen_default=True)
class _Frozen:
    """A frozen dataclass with what the decorator would compile for each: dozens are made whenever a command starts."""

    def __init_subclass__(cls) -> None:
        dataclass(init=False, repr=False, eq=False)(cls)

    def __init__(self, **values: Any) -> None:
        known = {one.name: one for one in fields(self)}  # type: ignore[arg-type]
        if unknown := values.keys() - known.keys():
            raise TypeError(f"{type(self).__name__} has no field {', '.join(sorted(unknown))}")
        for name, one in known.items():
            default = one.default if one.default_factory is MISSING else one.default_factory()
            vars(self)[name] = values.get(name, default)
            if vars(self)[name] is MISSING:
                raise TypeError(f"{type(self).__name__} needs {name}")
        self.__post_init__()

    def __post_init__(self) -> None:
        """Refuse what contradicts itself: kinds of requests add what they know."""

    def __setattr__(self, name: str, value: Any) -> None:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Frozen) and type(self) is type(other) and self._compared() == other._compared()

    def __hash__(self) -> int:
        return hash(self._compared())

    def __repr__(self) -> str:
        shown = (f"{one.name}={getattr(self, one.name)!r}" for one in fields(self) if one.repr)  # type: ignore[arg-type]
        return f"{type(self).__name__}({', '.join(shown)})"

    def _compared(self) -> tuple[Any, ...]:
        return tuple(getattr(self, one.name) for one in fields(self) if one.compare)  # type: ignore[arg-type]


class Request(_Frozen):
    """What is asked of a verb. Values come from the command line, else from the environment, else from files.

    Attributes:
        sources: field name → where its value comes from (`--jobs`, `EXAID_JOBS`), for those that were given.
    """

    sources: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    def source_of(self, name: str) -> str:
        """Return where a field's value comes from."""
        known = next(one for one in fields(self) if one.name == name)
        return self.sources.get(name) or ("default" if getattr(self, name) == known.default else "the call")

    def overrides(self, file: str) -> dict[str, Override]:
        """Return the given values that stand in the place of a configuration file's, by dotted key."""
        found = {}
        for name, one in options_of(type(self)).items():
            of_file, _, key = one.key.partition(":")
            source = self.source_of(name)
            if key and of_file == file and source != "default":
                found[key] = Override(getattr(self, name), source)
        return found

    def derive(self, kind: type[RequestT], **changes: Any) -> RequestT:
        """Return a request of another verb with what both know, but for the changes."""
        common = {one.name for one in fields(kind)}.intersection(one.name for one in fields(self)) - changes.keys()
        values = {name: getattr(self, name) for name in common - {"sources"}}
        kept = {name: source for name, source in self.sources.items() if name in common}
        return kind(**{**values, **changes, "sources": {**kept, **changes.get("sources", {})}})

    def change(self: RequestT, **changes: Any) -> RequestT:
        """Return the request with these changes."""
        return self.derive(type(self), **changes)


class CampaignRequest(Request):
    """What is asked of a campaign."""

    data_dir: Path | None = option(
        "Campaign folder to read and write.  [default: evals/data]", path={"file_okay": False}
    )

    @property
    def campaign(self) -> Campaign:
        """The campaign in `data_dir`."""
        return campaign_of(self.data_dir)

    @property
    def output(self) -> Campaign:
        """The campaign that is written."""
        return self.campaign


class ConfigRequest(Request):
    """What is asked of something that configurations describe."""

    config_dir: Path | None = option(
        "Folder of configurations.  [default: evals/configs]", path={"file_okay": False, "exists": True}
    )

    @property
    def configs(self) -> Path:
        """The folder of configurations."""
        return (self.config_dir or configs_dir()).resolve()


def campaign_of(data_dir: Path | None) -> Campaign:
    """Return the campaign in a folder; None means the default one."""
    return Campaign(Path(os.path.realpath(data_dir or default_data_dir())))


def names_of(text: str) -> tuple[str, ...]:
    """Return the names of a list with commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _ids(text: str) -> tuple[str, ...]:
    ids = names_of(text)
    if not ids:
        raise ValueError("names no case; write ids with commas between them, such as case-1,case-2")
    return ids


class ClusterRequest(Request):
    """What can be done by other machines."""

    cluster: str | None = option(
        "Work on a Dask cluster: tcp://SCHEDULER:8786, its scheduler file (.json), local:N, or your own executor by "
        "module:attribute.",
        metavar="ADDRESS",
    )


class JobsRequest(ClusterRequest):
    """What can be done to several cases at the same time."""

    jobs: int = option("Cases, runs, texts or images processed at the same time.", "-j", "--jobs", default=1, minimum=1)


class AllCoresRequest(ClusterRequest):
    """The same, with all cores unless set otherwise."""

    jobs: int | None = option(
        "Cases, runs, texts or images processed at the same time.  [default: number of cores]",
        "-j",
        "--jobs",
        minimum=1,
    )


ItemT = TypeVar("ItemT")


@dataclass(frozen=True, slots=True)
class Shard:
    """The `index`-th of `of` parts of a stage's cases, counted from 1."""

    index: int
    of: int

    def __str__(self) -> str:
        """Return it as the option has it."""
        return f"{self.index}/{self.of}"

    def take(self, items: Sequence[ItemT]) -> Sequence[ItemT]:
        """Return its items: each n-th, so that neighbours, which are alike, are spread over the parts."""
        return items[self.index - 1 :: self.of]


def parse_shard(text: str) -> Shard:
    """Return the part that `I/N` names.

    Raises:
        ValueError: it is none, or N is too large.
    """
    index, _, of = text.partition("/")
    if not (index.isdecimal() and of.isdecimal() and 1 <= int(index) <= int(of) <= MAX_SHARDS):
        raise ValueError(f"write I/N, such as 2/8: part I of N, N at most {MAX_SHARDS:,}")
    return Shard(int(index), int(of))


MAX_SHARDS = 100_000


class ShardRequest(CampaignRequest):
    """What can be done in parts, by commands that know nothing of each other."""

    shard: Shard | None = option("Only part I of N of the cases, for `merge`.", parse=parse_shard, metavar="I/N")
    into: Path | None = option("Folder that --shard writes.", metavar="FOLDER", path={"file_okay": False})

    def __post_init__(self) -> None:
        """Refuse one option without the other."""
        super().__post_init__()
        if (self.shard is None) != (self.into is None):
            remedy = "give both: --shard 2/8 --into FOLDER, a folder for this part alone"
            raise ConfigError("one without the other", where="--shard, --into", remedy=remedy)
        if self.into is not None and self.output == self.campaign:
            raise ConfigError("is the campaign itself", where="--into", remedy="name a folder for this part alone")

    @property
    def output(self) -> Campaign:
        """The campaign that is written: a part's folder, or the campaign itself."""
        return self.campaign if self.into is None else campaign_of(self.into)

    def require_simulated(self, *, simulated: bool) -> None:
        """Refuse parts of a live stage, whose budget and recordings one command holds.

        Raises:
            ConfigError: it is live.
        """
        if self.shard is not None and not simulated:
            what = "a live model is asked by one command, which holds its budget and its recordings"
            remedy = "leave it out: --jobs says how many cases are asked about at the same time"
            raise ConfigError(what, where="--shard", remedy=remedy)


class ForceRequest(Request):
    """What is not done twice."""

    force: bool = flag("Make again what exists.")


class DryRunRequest(Request):
    """What can be tried."""

    dry_run: bool = flag("Show what would be done, and do nothing.")


class CasesRequest(Request):
    """What is done to cases."""

    limit: int | None = option("Only the first N cases.", minimum=1)
    cases: tuple[str, ...] | None = option("Only these cases.", parse=_ids, metavar="ID,ID")


class StubRequest(Request):
    """What can be simulated."""

    stub: bool = flag("Simulate agents and model: no key, no network.", variables=("EXAID_STUB_MODE", "EXAID_STUB"))


class LiveRequest(StubRequest):
    """What a live model may be asked."""

    max_calls: int | None = option(
        "Stop before more requests to a live model than these. What was done is kept.", minimum=1
    )
    max_ctu: int | None = option(
        "Stop when prompts and answers of a live model have so many CTU (about four characters each).", minimum=1
    )
    llm: str | None = option("Client that answers.", metavar="CLIENT")

    def __post_init__(self) -> None:
        """Refuse a live model in stub mode."""
        super().__post_init__()
        if self.stub and self.llm not in (None, STUB):
            remedy = "leave out --stub and unset EXAID_STUB_MODE, or leave out --llm"
            raise ConfigError("in stub mode", where=f"--llm {self.llm}", remedy=remedy)


class MacRequest(Request):
    """What looks for MAC."""

    mac_dir: Path | None = option("Folder of MAC with dataset/.  [default: third_party/mac]", path={"file_okay": False})


class SourceRequest(MacRequest):
    """Where cases come from."""

    source: str | None = option(
        "Source of cases: auto, mac, synthetic or module:attribute.", metavar="NAME", key="dataset.yaml:source"
    )


class SelectionRequest(SourceRequest):
    """Which cases are selected."""

    seed: int | None = option("Seed of the stub generator.", minimum=0, key="mas_generation.yaml:seed")
    n_cases: int | None = option("Size of the seeded subset.", minimum=1, key="dataset.yaml:n_cases")


class VariantsRequest(ConfigRequest):
    """What is done under variants."""

    variants: tuple[str, ...] = argument("[VARIANT]...")
    variants_dir: Path | None = option("Folder of variants.  [default: CONFIG/variants]")

    @property
    def variants_folder(self) -> Path:
        """The folder of variants."""
        return self.variants_dir or self.configs / "variants"


class ExtractorRequest(Request):
    """What reads concepts."""

    extractor: str | None = option(
        "Concept extractor, in place of the configured one.", metavar="NAME", key="metrics.yaml:extractor.name"
    )
