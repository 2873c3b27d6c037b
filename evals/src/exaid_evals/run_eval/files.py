"""What an evaluation writes and logs: metrics and predictions as `exaid-evals export` reads them, and their sources."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from csv import DictReader, reader
from csv import Error as CsvError
from io import TextIOWrapper
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from exaid_evals import __version__
from exaid_evals.artifacts.atomic import atomic_file, write_text
from exaid_evals.artifacts.canonical import canonical_json
from exaid_evals.artifacts.hashing import sha256_structure, short
from exaid_evals.config.mapping_file import read_mapping
from exaid_evals.config.plugins import optional
from exaid_evals.errors import DataError
from exaid_evals.files import open_regular
from exaid_evals.report.formats.csv_table import FORMULA, csv_lines
from exaid_evals.run_eval.base import EvalResult, MetricSet, Step
from exaid_evals.run_eval.placement import Processes
from exaid_evals.run_eval.resume import Partial
from exaid_evals.run_eval.spec import EvalConfig, TaskSpec


def files_of(split: str) -> tuple[Path, Path, Path]:
    """Return the files of a split's evaluation, relative to its folder: metrics, what they rest on, and predictions.

    What the metrics of `val` rest on has no split in its name, as earlier versions wrote it.
    """
    beside = "evaluation.json" if split == "val" else f"{split}_evaluation.json"
    return Path("metrics") / f"{split}_metrics.json", Path("metrics") / beside, Path(f"{split}_predictions.csv")


# Where the numbers are computed and shown changes none of them.
_NOT_OF_THE_NUMBERS = frozenset(
    {
        "distributed",
        "inference_mode",
        "loader",
        "num_workers",
        "output_dir",
        "parquet",
        "progress",
        "resume",
        "wandb_mode",
        "wandb_project",
        "wandb_step",
    }
)


class PredictionsFile:
    """SPLIT_predictions.csv, written batch by batch; it appears when the evaluation has ended well."""

    def __init__(self, stream: BinaryIO | None, processes: Processes) -> None:
        self._stream = stream
        self._processes = processes
        self._rows: list[tuple[int, str]] = []
        self._header: str | None = None

    @classmethod
    @contextlib.contextmanager
    def of(
        cls, folder: Path | None, split: str, processes: Processes, partial: Partial | None
    ) -> Iterator[PredictionsFile | None]:
        """Open the file in a folder; without a folder nothing is written. Of several processes the first writes."""
        if folder is None:
            yield None
        elif processes.rank:
            yield cls(None, processes)
        else:
            path = folder / files_of(split)[2]
            with atomic_file(path) if partial is None or processes.size > 1 else partial.rows(path) as stream:
                yield cls(stream, processes)

    @property
    def kept(self) -> list[Any]:
        """What is not in the stream yet: the header, and the rows of one of several processes."""
        return [self._header, self._rows]

    @kept.setter
    def kept(self, of: list[Any]) -> None:
        self._header, self._rows = of[0], [(number, text) for number, text in of[1]]

    def write(self, metric_set: MetricSet, step: Step) -> None:
        """Write a batch's rows; of several processes each keeps its own until `finish`."""
        if self._header is None:
            self._header = csv_lines([metric_set.columns()])
            if self._processes.size == 1:
                self._write(self._header)
        if self._processes.size == 1:
            self._write(csv_lines(metric_set.rows(step)))
            return
        for row, number in enumerate(step.numbers.tolist()):
            self._rows.append((number, csv_lines(metric_set.rows(step.only(row)))))

    def finish(self) -> None:
        """Write the rows of all processes, in the order of their examples."""
        if self._processes.size == 1:
            return
        every = self._processes.gathered((self._header, self._rows))
        self._write(next((one for one, _ in every if one is not None), ""))
        for _, text in sorted(chain.from_iterable(rows for _, rows in every)):
            self._write(text)

    def _write(self, text: str) -> None:
        if self._stream is not None:
            self._stream.write(text.encode("utf-8", "replace"))


def write_parquet(path: Path) -> None:
    """Write predictions as Parquet too, beside their CSV file: ids and labels as text, all else as numbers.

    Raises:
        MissingDependencyError: pyarrow is not installed.
    """
    optional("pyarrow", "pyarrow", "Parquet", "pyarrow")
    from pyarrow import compute, csv, float64, parquet, string

    with path.open(newline="", encoding="utf-8") as stream:
        header = next(reader(stream))
    types = {name: string() if name in _TEXTS else float64() for name in header}
    options = csv.ConvertOptions(column_types=types, strings_can_be_null=False)
    rows = csv.open_csv(path, parse_options=csv.ParseOptions(newlines_in_values=True), convert_options=options)
    with atomic_file(path.with_suffix(".parquet")) as out, parquet.ParquetWriter(out, rows.schema) as writer:
        for batch in rows:
            for at, name in enumerate(batch.schema.names):
                if name in _TEXTS:  # no spreadsheet opens it, so that nothing must be kept from being a formula
                    plain = compute.replace_substring_regex(batch.column(at), _INERT, r"\1")
                    batch = batch.set_column(at, name, plain)
            writer.write_batch(batch)


_TEXTS = frozenset({"id", "true_label", "predicted_label", "box", "label"})
_INERT = rf"\A'({FORMULA})"
"""What CSV files put before text that a spreadsheet would compute."""


def prediction_rows(path: Path) -> tuple[set[str], Iterator[dict[str, str]]]:
    """Return the columns of a file of predictions, and its rows.

    Raises:
        DataError: it cannot be read, or, while it is read, a row is none.
    """
    stream = TextIOWrapper(open_regular(path), encoding="utf-8", newline="")
    rows = DictReader(stream, strict=True)
    with _damaged(path):
        header = set(rows.fieldnames or ())

    def whole() -> Iterator[dict[str, str]]:
        with stream, _damaged(path):
            for row in rows:
                if None in row or None in row.values():
                    where = f"{path}:{rows.line_num}"
                    raise DataError("has not as many cells as columns", where=where, remedy="evaluate again")
                yield row

    return header, whole()


@contextlib.contextmanager
def _damaged(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, UnicodeDecodeError, CsvError) as error:
        raise DataError(f"cannot be read ({error})", where=str(path), remedy="evaluate again") from error


def plain(text: str) -> str:
    """Return a text as it was before it was kept from being a formula."""
    return re.sub(_INERT, r"\1", text)


def write_evaluation(
    folder: Path, result: EvalResult, config: EvalConfig, spec: TaskSpec, leading: tuple[str, bool] | None
) -> None:
    """Write metrics/SPLIT_metrics.json and what it rests on.

    The first holds metrics alone, since whoever consolidates runs takes every number in it for one; the second holds
    what they rest on, and which of them ranks models and whether downwards, where a task says so.
    """
    made = {"task": config.task_name, "split": config.split, "signature": signature(config, spec)}
    counts = {"n_batches": result.n_batches, "n_halved": result.n_halved, "warnings": list(result.warnings)}
    metrics_file, evaluation_file, _ = files_of(config.split)
    ranks = {} if leading is None else {"primary_metric": leading[0], "lower_is_better": leading[1]}
    write_json(folder / evaluation_file, {**result.details, **counts, **made, **ranks, "intervals": _bounds(result)})
    write_json(folder / metrics_file, {**result.further, **result.metrics, **made})


def _bounds(result: EvalResult) -> dict[str, Any]:
    return {
        name: None if interval is None else {"ci95_low": interval[0], "ci95_high": interval[1]}
        for name, interval in result.intervals.items()
    }


def signature(config: EvalConfig, spec: TaskSpec, **further: Any) -> str:
    """Return the line that says how numbers were made, derived from the whole configuration.

    Args:
        config: of the evaluation.
        spec: of the task.
        further: whatever else the numbers depend on, by name.
    """
    settings = {name: getattr(config, name) for name in EvalConfig.__slots__ if name not in _NOT_OF_THE_NUMBERS}
    whole = {
        "eval": settings,
        "spec": [spec.modality, spec.task_type, _described(spec.input_schema), _described(spec.output_schema)],
        "own_loader": config.loader is not None,
        **further,
    }
    boot = f"{config.resamples}/{config.seed}" if config.intervals else "0/0"
    task = f"{config.task_name}/{config.split}"
    return f"exaid-evals/{__version__}|task:{task}|cfg:{short(sha256_structure(whole))}|boot:{boot}|stub:no"


def signature_in(folder: Path, split: str) -> str | None:
    """Return the signature of an evaluation that lies in a folder; None where it has none."""
    path = folder / files_of(split)[1]
    found = read_mapping(path).get("signature") if path.is_file() else None
    return found if isinstance(found, str) else None


def _described(schema: Mapping[str, Any]) -> dict[str, str]:
    """Return a schema as text, since it may hold whatever somebody's adapter wants."""
    return {str(key): repr(value) for key, value in schema.items()}


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record for people and programs: canonical values, indented; what is undefined is null, and counted."""
    undefined: list[str] = []
    finite = _finite(record, "", undefined)
    if undefined:
        finite["undefined"] = undefined
    value = json.loads(canonical_json(finite))
    write_text(path, json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def _finite(value: Any, where: str, undefined: list[str]) -> Any:
    if isinstance(value, Mapping):
        return {
            str(key): _finite(item, f"{where}.{key}" if where else str(key), undefined) for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_finite(item, f"{where}[{index}]", undefined) for index, item in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        undefined.append(where)
        return None
    return value


def _wandb(mode: str) -> Any:
    if mode != "online":
        # Read when W&B is imported: it would report errors of its own to its makers.
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    return optional("wandb", "wandb", "use_wandb", "'exaid-evals[wandb]'")


@contextlib.contextmanager
def tracked(config: EvalConfig, *, name: str, settings: Mapping[str, Any]) -> Iterator[Any]:
    """Open a W&B run for the block: the one under way, which stays open, or one of its own.

    Args:
        config: project, mode, and the folder in which `wandb/` lies (output_dir, else the working directory).
        name: of the run.
        settings: its configuration.
    """
    wandb = _wandb(config.wandb_mode)
    if wandb.run is not None:
        yield wandb.run
        return
    folder = config.output_dir or Path.cwd()
    folder.mkdir(parents=True, exist_ok=True)
    with wandb.init(
        project=config.wandb_project,
        name=name,
        mode=config.wandb_mode,
        dir=str(folder),
        config=dict(settings),
        settings=wandb.Settings(console="off", silent=True, x_disable_stats=True, disable_git=True, save_code=False),
    ) as run:
        yield run


def log_metrics(metrics: Mapping[str, float], config: EvalConfig) -> None:
    """Log the metrics of one evaluation as `<split>/<metric>`.

    In a run under way they join its present step, which is left open, or `wandb_step`: a step of their own would end
    the user's, and what is logged to that afterwards would be dropped.
    """
    settings = {"task": config.task_name, "split": config.split, "batch_size": config.batch_size, "seed": config.seed}
    values = {f"{config.split}/{name}": value for name, value in metrics.items()}
    under_way = _wandb(config.wandb_mode).run is not None
    with tracked(config, name=f"evaluate-{config.task_name}", settings=settings) as run:
        if config.wandb_step is not None:
            run.log(values, step=config.wandb_step)
        else:
            run.log(values, commit=not under_way)
