"""Formats by name, and the one that a place and a name mean. To add one, write a file in formats/ and name it here."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from exaid_evals.artifacts.redaction import first_few
from exaid_evals.config.plugins import Kind
from exaid_evals.errors import ConfigError, DataError, UnknownFormatError
from exaid_evals.files import unreadable
from exaid_evals.runs.base import Format, Settings, Source
from exaid_evals.runs.history_files import HISTORY_NAMES
from exaid_evals.runs.places import places_below

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exaid_evals.runs.base import Follower
    from exaid_evals.runs.history import History

_PACKAGE = "exaid_evals.runs.formats"

# In the order in which they are asked: who claims by a narrow sign comes before who claims by a broad one.
_BUILT_IN = {
    "mapping": f"{_PACKAGE}.mapping:MappingFormat",  # claims nothing unless a user gives a mapping
    "campaign": f"{_PACKAGE}.campaign:CampaignFormat",
    "run_eval": f"{_PACKAGE}.training_run:RunEvalFormat",
    "training_run": f"{_PACKAGE}.training_run:TrainingRunFormat",
    "keras_tuner": f"{_PACKAGE}.result_logs:KerasTunerFormat",
    "folds": f"{_PACKAGE}.training_run:FoldsFormat",
    "trials": f"{_PACKAGE}.training_run:TrialsFormat",
    "results_folders": f"{_PACKAGE}.training_run:ResultsFoldersFormat",
    "wandb": f"{_PACKAGE}.wandb:WandbFormat",
    "mlflow": f"{_PACKAGE}.trackers:MlflowFormat",
    "inspect_ai": f"{_PACKAGE}.evaluations:InspectFormat",
    "lm_eval": f"{_PACKAGE}.evaluations:LmEvalFormat",
    "helm": f"{_PACKAGE}.helm:HelmFormat",
    "model_reports": f"{_PACKAGE}.model_reports:ModelReportsFormat",
    "ray_tune": f"{_PACKAGE}.result_logs:RayTuneFormat",
    "stable_baselines3": f"{_PACKAGE}.stable_baselines:StableBaselinesFormat",
    "hf_trainer": f"{_PACKAGE}.result_logs:HfTrainerFormat",
    "ultralytics": f"{_PACKAGE}.step_logs:UltralyticsFormat",
    "lightning": f"{_PACKAGE}.step_logs:LightningFormat",
    "timm": f"{_PACKAGE}.step_logs:TimmFormat",
    "fastai": f"{_PACKAGE}.step_logs:FastaiFormat",
    "spinning_up": f"{_PACKAGE}.step_logs:SpinningUpFormat",
    "keras": f"{_PACKAGE}.step_logs:KerasFormat",
    "mmengine": f"{_PACKAGE}.step_logs:MmengineFormat",
    "nanogpt": f"{_PACKAGE}.step_logs:NanogptFormat",
    "json_log": f"{_PACKAGE}.step_logs:JsonLogFormat",
    "catboost": f"{_PACKAGE}.result_logs:CatBoostFormat",
    "sacred": f"{_PACKAGE}.result_logs:SacredFormat",
    "dvclive": f"{_PACKAGE}.dvc:DvcliveFormat",
    "clearml": f"{_PACKAGE}.offline_runs:ClearmlFormat",
    "comet": f"{_PACKAGE}.offline_runs:CometFormat",
    "neptune": f"{_PACKAGE}.offline_runs:NeptuneFormat",
    "trackio": f"{_PACKAGE}.trackio:TrackioFormat",
    "dvc": f"{_PACKAGE}.dvc:DvcFormat",
    "flaml": f"{_PACKAGE}.result_logs:FlamlFormat",
    "optuna": f"{_PACKAGE}.optuna:OptunaFormat",
    "sklearn": f"{_PACKAGE}.sklearn_tables:SklearnFormat",
    "tensorboard": f"{_PACKAGE}.tensorboard_log:TensorBoardFormat",
    "metric_files": f"{_PACKAGE}.metric_files:MetricFilesFormat",
    "long_csv": f"{_PACKAGE}.run_tables:LongCsvFormat",
    "csv": f"{_PACKAGE}.row_files:CsvFormat",
    "jsonl": f"{_PACKAGE}.row_files:JsonlFormat",
    "json": f"{_PACKAGE}.row_files:JsonFormat",
    "parquet": f"{_PACKAGE}.row_files:ParquetFormat",
    "text_log": f"{_PACKAGE}.printed_logs:TextLogFormat",
    "results": f"{_PACKAGE}.result_files:ResultFilesFormat",
}
_WITHOUT_HISTORY = {"mapping", "run_eval", "training_run", "folds", "trials", "results_folders", "inspect_ai"}
_WITHOUT_HISTORY |= {"lm_eval", "helm", "model_reports", "dvc", "results"}
SOURCES = tuple(name for name in _BUILT_IN if name not in _WITHOUT_HISTORY)
"""Those that read what a training logged, by name: to say so, their modules need not be imported."""
FORMATS = Kind("format", "exaid_evals.runs", _BUILT_IN)
USUAL_PLACES = (".", "wandb", "mlruns", "runs", "logs", "lightning_logs")
"""Where runs are looked for by name."""

Found = TypeVar("Found")


class _Formats(Iterable[Format]):
    """Formats in their order, each imported when it is its turn to be asked: most runs are known by the first few."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._built: dict[str, Format] = {}

    def __iter__(self) -> Iterator[Format]:
        # Those that other packages register are looked for when all that ship have been asked.
        for names in (_BUILT_IN.keys, FORMATS.others):
            for name in names():
                if name not in self._built:
                    self._built[name] = FORMATS.build(name, self._settings)
                yield self._built[name]


def formats(settings: Settings | None = None) -> Iterable[Format]:
    """Return every format, built in ones first, then others by name."""
    return _Formats(settings or Settings())


_WORKBOOKS = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers")


def format_of(place: Path, known: Iterable[Format] | None = None) -> Format:
    """Return the format that claims a finished run.

    Args:
        place: the file or folder that a user named.
        known: the formats to ask; None asks all, with default settings.

    Raises:
        UnknownFormatError: none does.
        DataError: the place does not exist or cannot be listed.
    """
    if not os.path.exists(place):  # noqa: PTH110 - of many
        raise DataError("no such file or folder", where=str(place), remedy="check the path")
    known = formats() if known is None else known
    for form in known:
        if form.claims(place):
            return form
    try:
        next(place.iterdir() if place.is_dir() else iter(()), None)
    except OSError as error:
        raise unreadable(place, error) from None
    if place.suffix.lower() in _WORKBOOKS:
        remedy = "save each sheet that holds runs as CSV, and name those"
        raise DataError("is a workbook, which is not read", where=str(place), remedy=remedy)
    if any((folder / ".aim").exists() for folder in (place, place.parent)) or place.name == ".aim":
        raise DataError(
            "is a store of Aim, which keeps metrics in a database of its own and is not read",
            where=str(place),
            remedy="write its runs as a CSV with Aim itself, `aim.Repo(…).query_metrics().dataframe()"
            ".to_csv('aim.csv')` (after `aim storage reindex` where runs lack), and name that",
        )
    raise UnknownFormatError(
        "no finished run of a known format lies here",
        where=str(place),
        remedy=f"known formats are {', '.join(form.name for form in known)}{_mapping_proposed(place)}",
    )


def _mapping_proposed(place: Path) -> str:
    """Return how a mapping would read what lies there; empty where none could."""
    from exaid_evals.runs.formats.mapping import draft_mapping

    draft = draft_mapping(place)
    if draft is None:
        return "; a CSV with a row a step, or with rows of `metric` and `value`, is read whoever writes it"
    n, files = len(draft.metrics), sorted({where["file"] for where in draft.metrics.values()})
    found = f"{n} value{'' if n == 1 else 's'} in {first_few(files, 3, ' …')}"
    command = f"exaid-evals export --run {shlex.quote(str(place))} --draft-mapping > mapping.yaml"
    return f"; or correct a draft that finds {found} (`{command}`), and give it as --mapping mapping.yaml"


def history_formats() -> Mapping[str, Format]:
    """Return name → format, of those that read what a training logged."""
    return {form.name: form for form in formats() if form.has_history}


def chosen(source: str | None) -> list[Format]:
    """Return the formats to ask for a history: the one that is named, by `module:attribute` too, else all.

    Raises:
        ConfigError: there is no such format.
    """
    known = history_formats()
    if source is not None and ":" in source:
        return [FORMATS.build(source, Settings())]
    if source is not None and source not in known:
        raise ConfigError(f"no source {source!r}", where="--source", remedy=f"known are {', '.join(known)}")
    return [known[source]] if source else list(known.values())


def runs_in(place: Path, asked: Sequence[Format], *, below: bool = True) -> list[tuple[Format, str, Source]]:
    """Return the histories in a place: format, name and source of each.

    What a format knows by its own signs is not claimed again by one that knows any file of a kind. A folder that is of
    no format is searched, unless `below` says otherwise; DataError says that it holds too many others.
    """
    found: list[tuple[Format, str, Source]] = []
    names: set[str] = set()
    taken: set[Path] = set()
    for generic, printed in ((False, False), (True, False), (True, True)):
        if printed and found:
            break  # what a program printed says no more than what it logged
        mine = [
            (form, name, source)
            for form in asked
            if (form.generic, form.printed) == (generic, printed)
            for name, source in form.named(place).items()
            if not (generic and (name in names or source.path in taken or _of_many(source.path, asked)))
        ]
        found += mine
        names |= {name for _, name, _ in mine}
        taken |= {path for form, _, source in mine for path in (source.path, *(form.inputs(source) or ()))}
    return found or (_runs_below(place, asked) if below else [])


def names_in(place: Path, asked: Sequence[Format]) -> list[tuple[Format, str, Source]]:
    """Return the histories in a place where a name is looked for, as `runs_in` does.

    A usual place, which nobody named, is not searched below: the working folder may hold anything.
    """
    return runs_in(place, asked, below=str(place) not in USUAL_PLACES)


def _runs_below(place: Path, asked: Sequence[Format]) -> list[tuple[Format, str, Source]]:
    """Return the histories below a folder that is of no format, by their paths in it."""
    found = []
    for one in places_below(place, asked) if place.is_dir() else ():
        there, path = runs_in(one, asked), one.relative_to(place).as_posix()
        found += [(form, path if len(there) == 1 else f"{path}/{name}", source) for form, name, source in there]
    return found


def _of_many(path: Path, asked: Sequence[Format]) -> Format | None:
    """Return the format by which a file holds several runs, as rows; None where none does."""
    return next((form for form in asked if form.many and path.is_file() and form.claims(path)), None)


_NO_NAMES = frozenset({*HISTORY_NAMES, "results", "training_log", "logs"})


def find_run(run_name: str, places: Sequence[Path], source: str | None = None) -> History:
    """Read the history of the run of a name.

    A name that is a path is that file or folder. Else the places are asked in order, and the first that has a run of
    the name is read.

    Args:
        run_name: of the run; for `--source wandb` also `entity/project/run`, which W&B is asked for.
        places: files or folders to look in.
        source: only this format.

    Raises:
        ConfigError: there is no such format; two of them claim the run where it was found.
        DataError: there is no such run; the message names those there are.
    """
    asked = chosen(source)
    own = Path(run_name)
    if own.exists() and (found := runs_in(own, asked)):
        _one_format(found, own)
        name, (form, mine) = pick({name: (form, one) for form, name, one in found}, own, None)
        # What many runs call their file names none of them: two reports would lie in one folder.
        return form.history(mine, own.resolve().parent.name if own.is_file() and name in _NO_NAMES else name)
    seen: list[str] = []
    for place in places:
        found = names_in(place, asked)
        having = [one for one in found if one[1] == run_name]
        if having:
            _one_format(having, place)
            form, name, mine = having[0]
            return form.history(mine, name)
        seen += [f"{name} ({form.name})" for form, name, _ in found]
    if source is not None and (history := asked[0].online(run_name)) is not None:
        return history
    if own.exists():
        if (table := _of_many(own, asked)) is not None:
            remedy = f"`exaid-evals export --run {shlex.quote(run_name)}` reads them"
            raise DataError(f"holds runs ({table.name}) that logged no steps", where=run_name, remedy=remedy)
        what = "holds no run" if own.is_dir() else "is not a history"
        remedy = (
            f"known are {', '.join(form.name for form in asked)}; a format of your own is --source module:attribute"
        )
        raise DataError(f"{what} of a known format", where=run_name, remedy=remedy)
    known = ", ".join(dict.fromkeys(seen[:12]))
    looked = ", ".join(map(str, places))
    raise DataError(
        f"no run is called {run_name!r} in {looked}; there {f'are {known}' if known else 'is no run at all'}",
        remedy="name one of them, or the folder to look in with --from",
    )


def read_history(form: Format, place: Path, run_name: str | None = None) -> History:
    """Read a history of a place; without a name the only one there.

    Raises:
        DataError: there is no such run, or it cannot be read.
    """
    name, source = pick(form.named(place), place, run_name)
    return form.history(source, name)


def follower(place: Path, source: str | None = None, run_name: str | None = None) -> Follower:
    """Return what follows the history in a place.

    Args:
        place: file or folder; a file of lines may not exist yet.
        source: name of its format; None finds out.
        run_name: of a place with several runs.

    Raises:
        ConfigError: no format knows the place, or several do.
        DataError: there is no such run.
    """
    asked = [form for form in chosen(source) if form.grows]
    if not place.exists():
        awaited = [form for form in asked if form.may_become(place)]
        if not awaited:
            remedy = "name a .jsonl or .csv, or wait until the training has begun to write"
            raise ConfigError("no such file or folder", where=str(place), remedy=remedy)
        return _followed(awaited[0], Source(place))
    if place.is_file() and (growing := [form for form in asked if form.may_become(place)]):
        specific = [form for form in asked if not form.generic and form.named(place)]
        return _followed((specific or growing)[0], Source(place))  # a name is then but a label
    found = runs_in(place, asked)
    if not found:
        known = ", ".join(form.name for form in asked)
        raise ConfigError("no source knows it", where=str(place), remedy=f"known are {known}")
    _one_format(found, place)
    form, mine = pick({name: (form, one) for form, name, one in found}, place, run_name)[1]
    return _followed(form, mine)


def _followed(form: Format, source: Source) -> Follower:
    from exaid_evals.runs.following import FollowedStore

    return form.follow(source) or FollowedStore(form, source)


def pick(runs: Mapping[str, Found], place: Path, run_name: str | None) -> tuple[str, Found]:
    """Return the run that is meant.

    Raises:
        DataError: there is none of that name, or none is named and there are several.
    """
    if run_name is None and len(runs) == 1:
        return next(iter(runs.items()))
    if run_name is not None and run_name in runs:
        return run_name, runs[run_name]
    known = ", ".join(sorted(runs)[:12]) or "none"
    what = "several runs lie here" if run_name is None else f"no run is called {run_name!r}"
    raise DataError(what, where=str(place), remedy=f"name one with --run-name; there are {known}")


def _one_format(found: Sequence[tuple[Format, str, Source]], place: Path) -> None:
    names = list(dict.fromkeys(form.name for form, _, _ in found))
    if len(names) > 1:
        what = f"runs of several formats lie here ({', '.join(names)})"
        raise ConfigError(what, where=str(place), remedy="say which with --source")
