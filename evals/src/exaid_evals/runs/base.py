"""What a run is, whatever tool wrote it, and what a format does to read one.

**To add a format**, write `formats/<format>.py` with a subclass of `Format`, and name it in `registry.FORMATS` (or, in
a package of your own, under the entry point group `exaid_evals.runs`). Export, analysis, comparison and monitor ask the
formats in the order of the registry, in whichever process:

1. `claims(place)`: does a finished run of mine lie here? Looks at names, and at the beginning of a file at most: it is
   called for every folder that a user names, and the first format that says yes has it.
2. `sources(place)`: which runs lie here? Most formats have one run a folder and inherit the default; a tracker's
   store, a folder of folds, or a folder of report pairs returns one `Source` a run.
3. `inputs(source)`: which files does the run depend on? With this list an export remembers the run, and reads it again
   only when one of these files has changed, come or gone. None (the default) reads always.
4. `read(source, name)`: the run itself. What is damaged beyond use raises `DataError` and costs this run alone; what is
   only odd goes into `Run.warnings`, each line of which begins with `name` and says what to look at.
5. `outputs(runs)`: files of the format's own beside the common ones, as path below `--out` → content. It is given all
   runs of this format, in order of their names.

A format that holds what a training logged sets `has_history`, and has three methods more, which are called only where
somebody wants the history: `named(place)` tells which runs lie here by the names that people know them by,
`history(source)` reads one whole, and `follow(source)` reads it while it grows.

What a user may set for formats stands in `Settings`, one field an option of the verb; a format finds it in
`self.settings`. Formats and runs travel between processes, so both must survive pickling, and `config` and
`attributes` hold plain JSON data (text, numbers, truth values, None, lists, mappings with text for keys).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from exaid_evals.errors import DataError

if TYPE_CHECKING:
    from exaid_evals.runs.history import History


@dataclass(frozen=True, slots=True)
class Settings:
    """What a user sets for formats.

    Attributes:
        mapping: YAML file that says where a run's id, seed and metrics lie in files of no known format.
        patterns: YAML file of patterns that find parameters and quantisation in a model's name, beside those shipped.
        metric_value: which of a metric's logged values counts: `last`, `best`, `min` or `max`.
        require_prompts: keep only models that have reports for all of these prompt types.
    """

    mapping: Path | None = None
    patterns: Path | None = None
    require_prompts: tuple[str, ...] = ()
    metric_value: str = "last"


@dataclass(frozen=True, slots=True)
class Source:
    """Where one run lies.

    Attributes:
        path: its folder or file.
        part: which run it is of several in one file or folder; empty where the path says it all.
        label: what the run calls itself, where that says more than its path; need not be unique.
    """

    path: Path
    part: str = ""
    label: str = field(default="", compare=False)

    @property
    def folder(self) -> Path:
        """The run's folder, or the one that its file lies in."""
        return self.path if self.path.is_dir() else self.path.parent


@dataclass(frozen=True, slots=True)
class Predictions:
    """What predictions a run's metrics are of, as far as comparing runs needs it.

    Attributes:
        n: number of predicted items.
        support: class → how many items truly are of it, in the order of the classes.
        items: digest of which items were predicted (ids, or the true labels in order where there are no ids), such that
            equal digests mean equal validation sets; the part before its `:` says how it was taken, and only digests
            of one kind can be compared.
        digest: of what was predicted for them.
    """

    n: int
    support: Mapping[str, int]
    items: str
    digest: str


@dataclass(frozen=True, slots=True)
class Training:
    """How a training run went, in a few numbers; the whole of it is a `runs.history.History`.

    Attributes:
        n_epochs: epochs that were recorded.
        expected_epochs: as configured; None where no setting says it.
        may_stop_early: whether the configuration names a rule that ends training before that.
        divergence: what shows that training diverged, as a clause; None where nothing does.
        best_epoch: epoch of the least validation loss; None without one.
        final: name → last defined value of each column.
    """

    n_epochs: int
    expected_epochs: int | None = None
    may_stop_early: bool = False
    divergence: str | None = None
    best_epoch: int | None = None
    final: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """One finished run: a campaign of this pipeline, a training run, a fold, a trial, a row of a leaderboard.

    Attributes:
        name: unique among the runs of one export.
        format: the format's name.
        metrics: name → value; None where a metric is undefined. Never NaN, never a stand-in number.
        per_class: class → name → value, where the format has metrics per class.
        config: hyper-parameters that the run was made with, without what names or places it (seed, run id, folders,
            times). Runs over seeds must agree in them; trials are distinguished by them.
        seed: of the run; None where unknown.
        fold: of cross-validation, as its folder says.
        trial: of a search over hyper-parameters, as its folder or record says.
        group: what folds or trials belong together: the name of what holds them.
        git_hash: the code that made the run.
        git_dirty: whether that code had changes that were not committed; None where the format cannot say.
        predictions: what the metrics are of; None for a format without predictions.
        training: how training went; None for a format without one.
        attributes: whatever else identifies the run, as plain data.
        signatures: part of the run (a variant) → how its numbers were made; empty for a format that carries none.
        stub: whether the numbers are simulated; None where the format cannot say.
        lower_is_better: names of the metrics that are known to improve downwards.
        higher_is_better: names of the metrics that are known to improve upwards. The directions of usual names are
            known to `runs.metric_names`; formats add what they say themselves.
        default_primary: the metric that ranks runs of this format unless another is named.
        warnings: what is odd about the run, for the reader of the export; each begins with the run's name.
        origin: where the run lies; never written into a result, for results do not depend on where they were made.
        cases: per-case measures, read when they are needed: variant → case → measure → value. Formats without
            cases have None.
    """

    name: str
    format: str
    metrics: Mapping[str, float | None]
    per_class: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    fold: int | None = None
    trial: str | None = None
    group: str | None = None
    git_hash: str | None = None
    git_dirty: bool | None = None
    predictions: Predictions | None = None
    training: Training | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    signatures: Mapping[str, str] = field(default_factory=dict)
    stub: bool | None = None
    lower_is_better: frozenset[str] = frozenset()
    higher_is_better: frozenset[str] = frozenset()
    default_primary: str | None = None
    warnings: tuple[str, ...] = ()
    origin: Path | None = field(default=None, compare=False)
    cases: Callable[[], Mapping[str, Mapping[str, Mapping[str, float | None]]]] | None = field(
        default=None, compare=False
    )

    @property
    def signature(self) -> str | None:
        """How the numbers were made, in one line; None for a format that carries none."""
        return merged_signature(self.signatures.values()) if self.signatures else None


def merged_signature(signatures: Iterable[str]) -> str:
    """Return one line for several signatures: one where they differ in their traces alone, else all of them.

    >>> merged_signature(["v/1|traces:b|cfg:1", "v/1|traces:a|cfg:1"])
    'v/1|traces:a+b|cfg:1'
    >>> merged_signature(["v/1|traces:a|cfg:1", "v/1|traces:a|cfg:2"])
    'v/1|traces:a|cfg:1 ; v/1|traces:a|cfg:2'
    """
    groups: dict[str, set[str]] = {}
    for signature in signatures:
        parts = signature.split("|")
        traces = {part.removeprefix("traces:") for part in parts if part.startswith("traces:")}
        rest = "|".join("traces:{}" if part.startswith("traces:") else part for part in parts)
        groups.setdefault(rest, set()).update(*(one.split("+") for one in traces))
    return " ; ".join(rest.replace("traces:{}", f"traces:{'+'.join(sorted(groups[rest]))}") for rest in sorted(groups))


class Row(NamedTuple):
    """The metrics of one step. A value is None where it is missing, and text where it is not a number."""

    step: float
    metrics: Mapping[str, float | str | None]


class Follower(Protocol):
    """Reads a history as far as it is written."""

    def poll(self) -> Sequence[Row]:
        """Return the steps that have come since the last call; none where there are none yet.

        Raises:
            DataError: the history cannot be read.
        """

    def finish(self) -> Sequence[Row]:
        """Return what is left when nothing more will come: a last line without an end."""

    @property
    def warnings(self) -> Sequence[str]:
        """What could not be read so far."""


class Format(ABC):
    """Reads one format. The module's docstring says when each method is called.

    Attributes:
        name: the format's name.
        own_folder: where a single run's export goes unless `--out` says: a folder of this name inside the run's.
        has_history: whether it reads what a training logged, step by step.
        grows: whether a history makes sense while it grows.
        generic: whether it claims any file of a kind: what another format knows by its own signs is that one's.
        printed: whether it reads what a program printed, and is asked for histories only where no other format has one.
        many: whether its files hold several runs each; the rows of one are then no steps to any generic format.
    """

    name: ClassVar[str]
    own_folder: ClassVar[str] = "export"
    has_history: ClassVar[bool] = False
    grows: ClassVar[bool] = True
    generic: ClassVar[bool] = False
    printed: ClassVar[bool] = False
    many: ClassVar[bool] = False

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()

    @abstractmethod
    def claims(self, place: Path) -> bool:
        """Return, by looking, whether a finished run of this format lies in a place; reads no more than that needs.

        A folder that cannot be listed raises nothing here: the answer is no.
        """

    def sources(self, place: Path) -> Sequence[Source]:
        """Return the runs in a place that this format claims, in a fixed order.

        Raises:
            ConfigError: `Settings` asks for what no run there has.
            DataError: the place is of this format, and its runs cannot be found out: a store or table is damaged or
                empty, or holds more runs than are read at once.
        """
        return [Source(place)]

    def inputs(self, source: Source) -> Sequence[Path] | None:
        """Return every file whose change would change the run, those that might come into being included.

        None reads the run at every export.
        """
        return None

    def listed(self, source: Source) -> Sequence[Path]:
        """Return the folders whose names decide that this format, and none before it, claims a run that is a folder.

        While they and the inputs are as they were, the run is not looked for again: all lie in the run's folder, and no
        link in them leads nowhere. Is called after `inputs`; none (the default) looks for the run at every export.
        """
        return ()

    @abstractmethod
    def read(self, source: Source, name: str) -> Run:
        """Read a run.

        Raises:
            ConfigError: a file of `Settings` (a mapping, patterns) is wrong; names every problem.
            DataError: the run is of this format, but it is gone, a required file is missing or damaged, or it holds no
                result: no metric, score, task or step from which a number could be taken. Other damage is a warning.
            MissingDependencyError: the package that reads such files is not installed, or cannot load.
        """

    def completed(self, source: Source, run: Run) -> Run:
        """Return a run with its name before each warning, and with the place where it lies."""
        return replace(run, warnings=tuple(f"{run.name}: {one}" for one in run.warnings), origin=source.path)

    def outputs(self, runs: Sequence[Run]) -> Mapping[str, bytes]:
        """Return further files of this format: path below the output folder, with `/` → content."""
        return {}

    def named(self, place: Path) -> Mapping[str, Source]:
        """Return the runs in a place whose history can be read, by the names that people know them by."""
        if not self.has_history or not self.claims(place):
            return {}
        return {source.part or source.path.resolve().name: source for source in self.sources(place)}

    def history(self, source: Source, name: str) -> History:
        """Read what a run logged, under a name.

        Raises:
            DataError: the run is gone, its log is missing or damaged before its first record, or nothing was logged: no
                step, no metric, no scalar. Rows that are named by models or items are no steps either.
            MissingDependencyError: as for `read`.
        """
        what = f"the format {self.name} has no method `history`"
        raise DataError(what, where=str(source.path), remedy="give it one, or leave has_history out")

    def may_become(self, place: Path) -> bool:
        """Return whether a file that says nothing yet, or does not exist yet, may become a history of this format."""
        return False

    def follow(self, source: Source) -> Follower | None:
        """Return what reads a history while it grows; None where the whole of it is to be read again at each look.

        Raises:
            DataError: it cannot be followed.
        """
        return None

    def online_runs(self, project: str) -> list[str] | None:
        """Return the names of a project's runs on a server, as `online` takes them; None where there is none such."""
        return None

    def online(self, run_name: str) -> History | None:
        """Return the history of a run on a server; None where the name means none, or the format has no server."""
        return None
