"""The viewer's page: one HTML file that holds the campaign packed, and unpacks a case when it is opened.

Its script is plain JavaScript without a framework: it draws a few tables, one chart and one page of text, keeps its
whole state in the address, and so has nothing that a library would do for it.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exaid_evals.artifacts.atomic import write_bytes
from exaid_evals.artifacts.canonical import canonical_bytes
from exaid_evals.artifacts.hashing import sha256_file, sha256_structure
from exaid_evals.artifacts.ledger import Ledger, fingerprint
from exaid_evals.artifacts.manifest import read_manifest
from exaid_evals.artifacts.written import ledger_of
from exaid_evals.concepts.registry import extractor_source
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.errors import DataError
from exaid_evals.metrics.measurer import load_measuring_extractor
from exaid_evals.metrics.records import read_case_ids
from exaid_evals.metrics.runs import measured_variants, runs_on_disk
from exaid_evals.provenance.reported import stale_metrics
from exaid_evals.provenance.tables import primary_variant
from exaid_evals.report.document import TEMPLATES, fill, page
from exaid_evals.viewer.collect import Collected, Source, collect

if TYPE_CHECKING:
    from markupsafe import Markup

NAME = "report.html"
Prices = tuple[float, float]
_ASSETS = Path(__file__).with_name("assets")
_SCRIPTS = (
    "elements.js", "blocks.js", "state.js", "charts.js", "tables.js", "reading.js", "timeline.js", "conversation.js",
    "updates.js", "case.js", "cases.js", "compare.js", "app.js",
)  # fmt: skip


def render(collected: Collected) -> str:
    """Return the page."""
    records = [collected.overview, *collected.cases]
    return page(
        f"{collected.overview['title']} · exaid-evals",
        shell(collected.signatures, collected.overview["stub"], sha256_structure(records)),
        "",
        style=asset("viewer.css"),
        script=script(_SCRIPTS),
        packed=[pack(record) for record in records],
    )


def shell(signatures: Sequence[str], stub: str, content: str) -> Markup:
    """Return what stands around every view: the bar above, and below what must never be out of sight.

    Args:
        signatures: of the numbers.
        stub: what is simulated; empty for nothing.
        content: hash of what the page holds, unpacked: the same wherever it was packed.
    """
    return fill("viewer/assets/shell.html", signature="; ".join(signatures), content=content, stub=stub)


def pack(record: Mapping[str, Any]) -> str:
    """Return a record as the page holds it: canonical JSON, deflated, in Base64."""
    return base64.b64encode(zlib.compress(canonical_bytes(record), 9)).decode("ascii")


def script(names: Sequence[str]) -> str:
    """Return scripts as one, whose names are nobody else's."""
    return "(() => {\n'use strict';\n" + "".join(map(asset, names)) + "})();\n"


@cache
def asset(name: str) -> str:
    """Return a file of the page's parts."""
    return (_ASSETS / name).read_text(encoding="utf-8")


def assets_hash() -> str:
    """Return the hash of the page's parts and of what every page is filled from: no hash of sources covers them."""
    parts = sorted([*_ASSETS.iterdir(), *TEMPLATES.iterdir()])
    return sha256_structure({path.name: path.read_text(encoding="utf-8") for path in parts})


def inputs_of(campaign: Campaign, config: MetricsConfig, stop_entities: frozenset[str], prices: Prices | None) -> str:
    """Return the fingerprint of all that the page shows.

    Raises:
        DataError: nothing has been measured.
    """
    primary_variant(campaign)  # or it says that nothing is here
    variants = measured_variants(campaign)
    files = [*(campaign.metrics_file(name) for name in variants), campaign.comparisons_file, campaign.manifest_file]
    runs = {name: runs_on_disk(campaign, name, read_case_ids(campaign.metrics_file(name))) for name in variants}
    tables = sorted(campaign.tables.glob("*")) if campaign.tables.is_dir() else []
    return fingerprint(
        metrics={path.name: sha256_file(path) for path in [*files, *tables] if path.is_file()},
        runs=runs,
        config=config.model_dump(mode="json"),
        stop_entities=sorted(stop_entities),
        extractor=extractor_source(config.extractor.name),
        prices=prices,
        assets=assets_hash(),
    )


def page_of(
    campaign: Campaign,
    config: MetricsConfig,
    stop_entities: frozenset[str],
    *,
    prices: Prices | None = None,
    jobs: int = 1,
    on_case: Callable[[str], None] = lambda _: None,
    on_count: Callable[[int], None] = lambda _: None,
) -> str:
    """Return the page.

    Args:
        campaign: measured.
        config: what measured it.
        stop_entities: names that are never concepts.
        prices: of a million tokens of prompts and of answers.
        jobs: cases read at the same time.
        on_case: called with each case that is read.
        on_count: called with how many there are to read.

    Raises:
        DataError: nothing has been measured, a file is missing or damaged, or the configuration is another one.
        ConfigError: the extractor cannot be loaded.
    """
    primary, variants = primary_variant(campaign), measured_variants(campaign)
    measured = [set(read_case_ids(campaign.metrics_file(name))) for name in variants]
    common = set.intersection(*measured)
    if not common:
        remedy = f"run {campaign.call('compute-metrics')} over all variants"
        raise DataError("no case has been measured under every variant", where=str(campaign.metrics), remedy=remedy)
    left_out = len(set.union(*measured)) - len(common)
    warnings = stale_metrics(campaign)
    warnings += [f"{left_out} cases are not shown: they were not measured under every variant"] if left_out else []
    manifest = read_manifest(campaign.manifest_file)
    entries = [entry for entry in manifest.entries if entry.case_id in common]
    source = Source(
        campaign,
        manifest,
        entries,
        variants,
        primary,
        config,
        stop_entities,
        load_measuring_extractor(config, stop_entities),
        warnings,
        prices,
    )
    on_count(len(entries))
    return render(collect(source, jobs=jobs, on_case=on_case))


def write_page(
    campaign: Campaign,
    config: MetricsConfig,
    stop_entities: frozenset[str],
    out: Path,
    *,
    prices: Prices | None = None,
    jobs: int = 1,
    force: bool = False,
    on_case: Callable[[str], None] = lambda _: None,
    on_count: Callable[[int], None] = lambda _: None,
) -> bool:
    """Write the page where it is not current; the arguments and errors are those of `page_of`.

    Returns:
        Whether it was written.
    """
    inputs = inputs_of(campaign, config, stop_entities, prices)
    # The campaign keeps account of what lies in it; a page elsewhere is written each time.
    key = campaign.relative(out) if out.is_relative_to(campaign.root) else None
    with Ledger(ledger_of(campaign.root, "view")) as ledger:
        if key is not None and not force and ledger.is_current(key, inputs, out):
            return False
        content = page_of(campaign, config, stop_entities, prices=prices, jobs=jobs, on_case=on_case, on_count=on_count)
        write_bytes(out, content.encode())
        if key is not None:
            ledger.record(key, inputs, out)
    return True
