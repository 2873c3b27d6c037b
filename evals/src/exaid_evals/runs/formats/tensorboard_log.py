"""TensorBoard's event files: scalars of a log folder, one run a folder. Needs tensorboard (extra `analysis`)."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from exaid_evals.config.plugins import optional
from exaid_evals.errors import DataError
from exaid_evals.files import files_in, folders_in, natural_order
from exaid_evals.runs.base import Format, Run, Source
from exaid_evals.runs.files.wandb_log import DamagedError, messages_of
from exaid_evals.runs.history import History, series_of_points
from exaid_evals.runs.history_files import BESIDE, batch_rows, config_beside, run_of
from exaid_evals.runs.rows import split_system
from exaid_evals.runs.tool_files import head

_EVENTS = "events.out.tfevents."
_DEEPEST = 4
_SPLITS = ("train", "validation", "val", "valid", "eval", "test")
_HPARAMS = "_hparams_/session_start_info"
_BY_TIME = re.compile(r"\d{9,}\.\d+")
_MAKER = re.compile(r"events\.out\.tfevents\.\d+\.(.+?)(?:\.\d+(?:\.v2)?)?")


class TensorBoardFormat(Format):
    """Reads scalars, of old summaries and of tensors, and the hyper-parameters that the HParams plugin keeps."""

    name = "tensorboard"
    has_history = True

    def claims(self, place: Path) -> bool:
        """Return whether event files lie there or a few folders below."""
        return bool(_runs(place))

    def sources(self, place: Path) -> Sequence[Source]:
        """Return a run a folder with event files."""
        return [Source(folder) for folder in _runs(place).values()]

    def named(self, place: Path) -> Mapping[str, Source]:
        """Return the folders with event files, relative to the place, as TensorBoard names runs."""
        return {name: Source(folder) for name, folder in sorted(_runs(place).items())}

    def inputs(self, source: Source) -> Sequence[Path] | None:
        """Return the event files, and what may lie beside them."""
        return [*(path for *_, path in _files_of(source.path)), *(source.path / name for name in BESIDE)]

    def read(self, source: Source, name: str) -> Run:
        """Read a run: the last value of each scalar."""
        return run_of(self.history(source, source.path.name), self, name, source)

    def history(self, source: Source, name: str) -> History:
        """Read a run; of several event files, which restarts leave, all in order of their names.

        Raises:
            DataError: no scalar can be read.
            MissingDependencyError: tensorboard is not installed.
        """
        folder = source.path
        config: dict[str, Any] = {}
        warnings: list[str] = []
        events: list[tuple[float, str]] = []

        def points() -> Iterator[tuple[str, int, float]]:
            for before, after, number, path in _files_of(folder):
                first = True
                for tag, step, value in _scalars(path, config, warnings):
                    if first and number:
                        events.append((float(step), f"restart: {path.name} begins"))
                    first = False
                    if (tag, value) != _NOT_SET:
                        yield f"{before}{tag}{after}", step, value

        series = series_of_points(points())
        if not series:
            raise DataError("holds no scalar", where=str(folder), remedy="wait for its end, or leave it out")
        metrics, system = split_system(series)
        batches = batch_rows(folder, warnings)
        config = config or config_beside(folder / _EVENTS, warnings)
        return History(name, self.name, metrics, system, batches, config, tuple(events), tuple(warnings))


_NOT_SET = ("hp_metric", -1.0)
"""What Lightning writes for a metric that nobody has logged."""


def _scalars(path: Path, config: dict[str, Any], warnings: list[str]) -> Iterator[tuple[str, int, float]]:
    """Yield tag, step and value of a file's scalars; what is odd is reported, and the rest is read."""
    loader = optional("tensorboard.backend.event_processing.event_file_loader", "tensorboard", "reading event files")
    util = optional("tensorboard.util.tensor_util", "tensorboard", "reading event files")
    others = 0
    try:
        for event in loader.EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                if value.tag == _HPARAMS:
                    config.update(_hparams(value.metadata.plugin_data.content))
                    continue
                if value.tag.startswith("_hparams_/"):
                    continue
                number = None
                if value.HasField("tensor"):  # the loader turns old scalars into tensors
                    array = util.make_ndarray(value.tensor)
                    number = float(array.reshape(())) if array.size == 1 and array.dtype.kind in "fiub" else None
                if number is None:
                    others += 1
                else:
                    yield value.tag, event.step, number
    except Exception as error:  # the reader's own errors are of many kinds, and a cut file must not lose what stands
        warnings.append(f"{path.name} breaks off ({type(error).__name__}); what stands before was read")
    if others:
        warnings.append(f"{path.name}: {others} summaries are not scalars (images, histograms, text); left out")


def _hparams(content: bytes) -> dict[str, Any]:
    plugin = optional("tensorboard.plugins.hparams.plugin_data_pb2", "tensorboard", "reading hyper-parameters")
    data = plugin.HParamsPluginData.FromString(content)
    values = data.session_start_info.hparams
    return {key: getattr(values[key], values[key].WhichOneof("kind") or "string_value") for key in sorted(values)}


def _files_of(folder: Path) -> list[tuple[str, str, int, Path]]:
    """Return the event files of a run: what stands before and behind their tags, how many came before, the file.

    Keras writes what was measured on training and on validation data into folders of their own, under the same tags.
    """
    places = [("", "", folder), *((f"{split}/", "", folder / split) for split in _SPLITS), *_parts_of(folder)]
    return [
        (before, after, number, path)
        for before, after, place in places
        for number, path in enumerate(_event_files(place))
    ]


def _parts_of(folder: Path) -> list[tuple[str, str, Path]]:
    """Return the folders below a run's that its own writer made: of hyper-parameters, and of scalars logged together.

    `add_hparams` calls one by the time; `add_scalars("loss", {"a": …})` calls one `loss_a`, or `loss/a`, and logs
    `loss` there, which is `loss/a` here.
    """
    made_by = {_maker_of(path) for path in _event_files(folder)}
    found = []
    for below in folders_in(folder) if made_by else ():
        for place in [below] if (events := _event_files(below)) else folders_in(below):
            events = _event_files(place)
            if not events or not {_maker_of(path) for path in events} <= made_by:
                continue
            name = place.relative_to(folder).as_posix().replace("/", "_")
            if _BY_TIME.fullmatch(name):
                found.append(("", "", place))
                continue
            tags = {tag.replace("/", "_") for tag in _tags_in(head(events[0]))}
            tag = tags.pop() if len(tags) == 1 else ""
            if tag and name.startswith(f"{tag}_"):
                found.append(("", f"/{name[len(tag) + 1 :]}", place))
    return found


def _tags_in(data: bytes) -> Iterator[str]:
    """Yield the tags of the summaries in the beginning of an event file: records, each with its length before it."""
    at = 0
    while at + 12 < len(data):
        size = int.from_bytes(data[at : at + 8], "little")
        with contextlib.suppress(DamagedError):  # the last record, which the beginning cuts
            for summary in messages_of(data[at + 12 : at + 12 + size], _SUMMARY):
                for value in messages_of(summary, 1):
                    yield from (os.fsdecode(bytes(tag)) for tag in messages_of(value, 1))
        at += size + 16


_SUMMARY = 5
"""The number of the field of an event that holds its summary."""


def _maker_of(path: Path) -> str:
    """Return the machine and, where its name says it, the process that wrote an event file."""
    found = _MAKER.fullmatch(path.name)
    return found[1] if found else path.name


def _event_files(folder: Path) -> list[Path]:
    # By number: the tenth file that a process writes within a second follows the ninth.
    found = files_in(folder, lambda name: name.startswith(_EVENTS))
    return sorted(found, key=lambda path: natural_order(path.name))


def _runs(place: Path, prefix: str = "", deep: int = 0) -> dict[str, Path]:
    if place.is_file():
        return {place.parent.resolve().name: place.parent} if place.name.startswith(_EVENTS) else {}
    found = {prefix or place.resolve().name: place} if _files_of(place) else {}
    own = {folder for *_, folder in _parts_of(place)}
    for folder in folders_in(place) if deep < _DEEPEST else ():
        if folder not in own and folder.name[0] != "." and not (folder.name in _SPLITS and _event_files(folder)):
            found |= {
                name: run
                for name, run in _runs(folder, f"{prefix}/{folder.name}".strip("/"), deep + 1).items()
                if run not in own
            }
    return found
