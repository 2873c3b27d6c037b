"""Every reader, with small files that it reads rightly: those that the project writes, or keeps as examples."""

from __future__ import annotations

import functools
import importlib.util
import io
import json
import math
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from exaid_evals.analysis.images.audit import audit_image_quality
from exaid_evals.analysis.images.files import AuditSettings
from exaid_evals.analysis.images.measure import ImageProblemError, decode, open_image
from exaid_evals.artifacts.cache import read as read_cached
from exaid_evals.artifacts.canonical import canonical_json
from exaid_evals.artifacts.hashing import content_chunks
from exaid_evals.artifacts.jsonl import salvage_jsonl, scan_document, scan_jsonl, written_records
from exaid_evals.artifacts.ledger import Ledger
from exaid_evals.artifacts.manifest import read_manifest
from exaid_evals.artifacts.schemas import header
from exaid_evals.artifacts.storage import _read_index
from exaid_evals.cases.base import SourceContext
from exaid_evals.cases.mac import FILE_NAME
from exaid_evals.cases.mac import load as load_cases
from exaid_evals.cli.notes import _records
from exaid_evals.clients.cassette import read_cassette
from exaid_evals.concepts.registry import read_stop_entities
from exaid_evals.config.base import load_config
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.mapping_file import read_mapping
from exaid_evals.config.mas_generation import DatasetConfig, MacModelConfig, MasGenerationConfig
from exaid_evals.config.metrics import CalibrationConfig, MetricsConfig
from exaid_evals.config.variant import SummarizerConfig, load_variants
from exaid_evals.errors import DataError, ExaidError
from exaid_evals.factuality.notes import read_note
from exaid_evals.factuality.ratings import read_ratings, read_scores
from exaid_evals.files import read_regular
from exaid_evals.item_scores.registry import read_side
from exaid_evals.metrics.records import read_comparisons, read_variant_and_cases
from exaid_evals.monitor.recovery.checkpoints import _checkpoint
from exaid_evals.monitor.recovery.journal import JOURNAL, Journal
from exaid_evals.monitor.recovery.state_file import read_state, write_state
from exaid_evals.monitor.settings import load_experiment_config
from exaid_evals.replay.run_log import read_run
from exaid_evals.runs.base import Run
from exaid_evals.runs.files.document import read_yaml
from exaid_evals.runs.files.mapping_lookup import load_mapping
from exaid_evals.runs.model_names import load_patterns
from exaid_evals.runs.registry import formats
from exaid_evals.traces.importers.assemble import read_casting
from exaid_evals.traces.importers.base import importer_of
from exaid_evals.traces.importers.source import Source
from exaid_evals.traces.model import read_trace
from exaid_evals.validation.base import Surroundings
from exaid_evals.validation.file import check_file
from exaid_evals.validation.targets import Target
from item_scores import made_logs
from runs.test_formats import CASES
from runs.test_layouts import LAYOUTS
from torture.examples import MAPPING, others

_TESTS = Path(__file__).resolve().parents[1]
_GOLD, _CONFIGS = _TESTS / "gold", _TESTS.parent / "configs"
_EXAMPLES = _TESTS.parents[1] / "examples"
_MOST_BYTES = 200_000
_INDEX = b'["a","shard-0123456789abcdef.jsonl.gz",0,3]\n["b","shard-0123456789abcdef.jsonl.gz",3,9]\n'
Folder = Mapping[str, bytes]
Read = Callable[[Path, Path], object]


@dataclass(frozen=True)
class Reader:
    """A reader.

    Attributes:
        read: given a folder and the file in it that was changed.
        folders: path → content, of folders that it reads rightly.
    """

    read: Read
    folders: Sequence[Folder]

    @functools.cached_property
    def targets(self) -> list[tuple[int, str]]:
        """Which files may be changed: number of the folder, path in it."""
        return [(number, name) for number, folder in enumerate(self.folders) for name in folder]


def _of_file(read: Callable[[Path], object], name: str, contents: Iterable[Path | bytes]) -> Reader:
    """A reader of single files."""
    held = [one if isinstance(one, bytes) else one.read_bytes() for one in contents]
    assert held, name
    return Reader(lambda _, file: read(file), [{name: one} for one in held if len(one) < _MOST_BYTES])


def folder_of(place: Path) -> Folder:
    """Return the small files of a folder."""
    return {
        path.relative_to(place).as_posix(): path.read_bytes()
        for path in sorted(place.rglob("*"))
        if path.is_file() and path.suffix not in (".py", ".md", ".gz") and path.stat().st_size < _MOST_BYTES
    }


def _made(*makes: Callable[[Path], object]) -> list[Folder]:
    folders = []
    for make in makes:
        with TemporaryDirectory() as place:
            make(Path(place))
            folders.append(folder_of(Path(place)))
    return folders


def _all(read: Callable[[Path], Iterator[object]]) -> Callable[[Path], object]:
    return lambda path: [None for _ in read(path)]


def _sound(run: Run) -> None:
    """Require that what counts as a number is one, and settings plain data."""
    values = [*run.metrics.values(), *(value for of in run.per_class.values() for value in of.values())]
    values += [*run.training.final.values()] if run.training else []
    assert all(value is None or math.isfinite(value) for value in values), values
    canonical_json({"config": run.config, "attributes": run.attributes})


def _runs(folder: Path, file: Path) -> None:
    """Read whatever runs a format claims, in a folder, where the changed file lies, and in that itself.

    Raises:
        ExaidError: the first refusal, where no format has read anything.
    """
    refused, read = None, False
    for place in dict.fromkeys((folder, file.parent, file)):
        for form in formats():
            try:
                if not form.claims(place):
                    continue
                for source in list(form.sources(place))[:3]:
                    form.inputs(source)
                    _sound(form.read(source, "run"))
                for name, source in list(form.named(place).items())[:3] if form.has_history else ():
                    form.history(source, name)
                    if (follower := form.follow(source)) is not None:
                        follower.poll()
                        follower.finish()
                read = True
            except ExaidError as error:
                refused = refused or error
    if refused is not None and not read:
        raise refused


def _items(folder: Path, _file: Path) -> None:
    for log in read_side(folder, None, "A"):
        for item in log.items:
            assert all(value is None or math.isfinite(value) for value in item.scores.values()), item


def _archived(folder: Path, _file: Path) -> None:
    """Read files as the members of an archive of inspect-ai, once as a run and once item by item."""
    path = folder.parent / "2026-11-22T00-54-59-00-00_sums_bDyKfBgL3uLXsDQUfnVXJX.eval"
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted(folder.rglob("*")):
            if name.is_file():
                archive.write(name, name.relative_to(folder).as_posix())
    _runs(path, path)
    read_side(path, None, "A")


def _members(path: Path) -> Folder:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _image(path: Path) -> None:
    data = read_regular(path, _MOST_BYTES)
    try:
        decode(open_image(data, 4_000_000), data)
    except ImageProblemError as error:
        raise DataError(error.reason) from None


def _pictures() -> dict[str, bytes]:
    noise = Image.effect_noise((40, 30), 50)
    turned = Image.Exif()
    turned[0x0112] = 6
    made = {}
    for form, settings in {
        "PNG": {}, "JPEG": {"exif": turned}, "GIF": {}, "BMP": {}, "TIFF": {"compression": "tiff_lzw"}, "WEBP": {},
    }.items():  # fmt: skip
        out = io.BytesIO()
        noise.save(out, form, **settings)
        made[f"x.{form.lower()}"] = out.getvalue()
    return made


def _ledger(path: Path) -> None:
    with Ledger(path, read_only=True) as ledger:
        ledger.recorded()


def _imported(path: Path) -> None:
    source = Source(path)
    importer_of(source).read(source)


def _ratings(path: Path) -> None:
    read_ratings(_records(path), path.name)
    read_scores(_records(path), path.name)


def _state(path: Path) -> None:
    read_state(read_regular(path, _MOST_BYTES), path.name)


def _journal(path: Path) -> None:
    Journal(path.parent, resume=True)


def readers(campaign: Path) -> dict[str, Reader]:
    """Return name → reader, given a campaign."""
    found = {**_of_records(campaign), **_of_settings(), **_of_runs(), **_of_others()}
    if importlib.util.find_spec("torch") is None:
        return found
    from torture.model_readers import model_readers

    return found | model_readers()


def _cases(path: Path) -> None:
    load_cases(SourceContext(DatasetConfig(), Campaign(path.parent), path.parent))


def _of_records(campaign: Path) -> dict[str, Reader]:
    state, metrics = campaign / ".state", campaign / "metrics"
    traces = list((campaign / "traces").iterdir())[:2]
    runs = sorted((campaign / "runs").glob("*/case-*"))[:4]
    manifest, export = campaign / "manifests" / "dataset_manifest.jsonl", campaign / "exports"
    cassettes = sorted((campaign / "cassettes").glob("eval-*")) or traces
    measured = [metrics / "V3.metrics.jsonl"]
    comparisons = metrics / "comparisons.metrics.jsonl"
    packed = {path.relative_to(campaign).as_posix(): path.read_bytes() for path in (*traces, *runs)}
    whole = {**folder_of(campaign), **packed}

    def validated(path: Path) -> object:
        return check_file(Target(str(path)), Surroundings(), keep=5)

    return {
        "records, packed": _of_file(_all(scan_jsonl), "x.jsonl.gz", [*traces, *runs]),
        "content": _of_file(_all(content_chunks), "x.gz", traces),
        "document": _of_file(_all(scan_document), "x.json", [export / "exported_summary.json"]),
        "salvage": _of_file(_all(salvage_jsonl), "x.jsonl.gz", cassettes),
        "cassette": _of_file(read_cassette, "eval-1.jsonl.gz", cassettes),
        "ledger": _of_file(_ledger, "x.jsonl", sorted(state.glob("*.jsonl"))),
        "manifest": _of_file(read_manifest, "x.jsonl", [manifest]),
        "trace": _of_file(read_trace, traces[0].name, traces),
        "run log": _of_file(read_run, runs[0].name, runs),
        "metrics": _of_file(read_variant_and_cases, "V3.metrics.jsonl", measured),
        "comparisons": _of_file(read_comparisons, "comparisons.metrics.jsonl", [comparisons]),
        "validate": _of_file(validated, "x.jsonl", [manifest, *measured, comparisons, *sorted(state.glob("*.jsonl"))]),
        "validate, packed": _of_file(validated, "case-1.jsonl.gz", [*traces, *runs]),
        "index of shards": _of_file(_all(_read_index), "index.jsonl", [_INDEX]),
        "runs: campaign": Reader(_runs, [whole]),
    }  # fmt: skip


def _of_settings() -> dict[str, Reader]:
    variants = sorted((_CONFIGS / "variants").glob("*.yaml"))
    yaml = [*sorted(_CONFIGS.glob("*.yaml")), *variants]
    handbook = sorted((_EXAMPLES / "handbook" / "config").glob("*.yaml"))
    models = {
        "summarizer.yaml": SummarizerConfig,
        "metrics.yaml": MetricsConfig,
        "mas_generation.yaml": MasGenerationConfig,
        "dataset.yaml": DatasetConfig,
        "calibration.yaml": CalibrationConfig,
        "mac_model_config.json": MacModelConfig,
    }

    def loaded(model: Any) -> Callable[[Path], object]:
        return lambda path: load_config(model, path)

    return {
        "configuration (YAML)": _of_file(read_mapping, "x.yaml", yaml),
        "configuration (JSON)": _of_file(read_mapping, "x.json", [_CONFIGS / "mac_model_config.json"]),
        "settings of runs (YAML)": _of_file(read_yaml, "x.yaml", [*yaml, MAPPING]),
        "variant": _of_file(lambda path: load_variants(path.parent), "V3.yaml", variants),
        **{name: _of_file(loaded(model), name, [_CONFIGS / name]) for name, model in models.items()},
        "audit settings": _of_file(loaded(AuditSettings), "x.yaml", [b"min_side: 3\nblur_threshold: 2.0\n"]),
        "experiment_config.yaml": _of_file(load_experiment_config, "x.yaml", handbook),
        "mapping of runs": _of_file(load_mapping, "x.yaml", [MAPPING]),
        "patterns of names": _of_file(load_patterns, "x.yaml", [_CONFIGS / "model_names.yaml"]),
        "mapping of speakers": _of_file(read_casting, "x.yaml", [b"alice: doctor0\nbob: supervisor\nuser: null\n"]),
        "stop entities": _of_file(read_stop_entities, "x.txt", sorted(_CONFIGS.glob("*.txt"))),
    }  # fmt: skip


def _of_runs() -> dict[str, Reader]:
    found: dict[str, list[Folder]] = {}
    for form, files, *_ in (*LAYOUTS.values(), *CASES.values()):
        folder = {name: one if isinstance(one, bytes) else one.encode() for name, one in files.items()}
        found.setdefault(form, []).append(folder)
    for name in ("dvclive", "lm_eval", "mlflow/files", "model_reports/models", "optuna", "sacred", "training_runs"):
        found.setdefault(name.partition("/")[0], []).append(folder_of(_GOLD / "export" / name))
    with TemporaryDirectory() as place:
        for name, files in others(_GOLD / "export", Path(place)).items():
            found.setdefault(name, []).append(files)
    found["wandb"] = [{path.name: path.read_bytes()} for path in (_GOLD / "export" / "wandb").rglob("*.wandb")]
    right = [True, False] * 3
    archives = sorted((_GOLD / "export" / "inspect").rglob("*.eval"))
    logs = _made(
        lambda place: made_logs.inspect_log(place / "log.json", right),
        lambda place: made_logs.lm_eval_samples(place, right),
        lambda place: made_logs.promptfoo_output(place / "output.json", a=right),
        lambda place: made_logs.helm_run(place / "run", right, model="m"),
        lambda place: made_logs.mlflow_table(place / "eval_results_table.json", right),
        lambda place: made_logs.predictions(place, right),
    )
    names = ("inspect", "lm_eval", "promptfoo", "helm", "mlflow", "predictions")
    return {
        **{f"runs: {form}": Reader(_runs, [one for one in folders if one]) for form, folders in sorted(found.items())},
        "runs: archive, as it is": _of_file(lambda path: _runs(path, path), archives[0].name, archives),
        "runs: archive, its members": Reader(
            _archived, [_members(path) for path in archives if path.parent.name == "deflated"]
        ),
        **{f"items: {name}": Reader(_items, [folder]) for name, folder in zip(names, logs, strict=True)},
    }


def _of_others() -> dict[str, Reader]:
    state = io.BytesIO()
    write_state(state, {"weights": np.arange(6.0).reshape(2, 3), "step": 3})
    pictures = _pictures()
    conversations = sorted(path for path in (_GOLD / "exports").iterdir() if path.suffix == ".json")
    checkpoint = {
        **header("exaid.recovery"),
        "record_type": "checkpoint",
        "step": 3,
        "metric": "f1",
        "value": "0.5",
        "sha256": f"sha256:{'0' * 64}",
    }
    reported = '{"History": "A boy with fever."}'
    case = {
        "Type": "x",
        "Final Name": "y",
        "Case URL": 1,
        "Initial Presentation": reported,
        "Follow-up Presentation": reported,
    }
    ratings = b"item,rater,rating\na,x,1\na,y,2\nb,x,3\nb,y,3\n"
    note = {"id": "1", "summary": "No fever. BP 120/80.", "source": ["He denies fever."], "reference": "Afebrile."}
    columns = b'{"item": "a", "x": 1, "y": null}\n{"item": "b", "x": 2, "y": 3}\n'
    action = {"record_type": "action", "counted": True, "index": 1}
    return {
        "conversations": _of_file(_imported, "x.json", conversations),
        "cases of MAC": _of_file(_cases, FILE_NAME, [json.dumps({"Cases": [case]}).encode()]
        ),
        "ratings": _of_file(_ratings, "x.csv", [ratings, columns]),
        "notes": _of_file(
            lambda path: [read_note(record, at, "x") for at, record in written_records(path)],
            "x.jsonl",
            [json.dumps(note).encode() + b"\n"],
        ),
        "image": Reader(lambda _, file: _image(file), [{name: data} for name, data in pictures.items()]),
        "images of a folder": Reader(lambda folder, _: audit_image_quality(folder), [pictures]),
        "state of a model": _of_file(_state, "x.npz", [state.getvalue()]),
        "checkpoint": _of_file(lambda path: _checkpoint(1, path), "x.json", [json.dumps(checkpoint).encode()]),
        "journal": _of_file(_journal, JOURNAL, [json.dumps(action).encode() + b"\n"]),
        "cache": _of_file(read_cached, "x.json", [b"0" * 64 + b'\n{"a": 1}']),
    }  # fmt: skip
