"""`view`: a campaign as one HTML file."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import click

from exaid_evals.cli.display import Progress, shown
from exaid_evals.cli.verb import alone, measuring_of, verb
from exaid_evals.config.request import (
    AllCoresRequest,
    CampaignRequest,
    ConfigRequest,
    ExtractorRequest,
    ForceRequest,
    flag,
    option,
)
from exaid_evals.errors import ConfigError


class ViewRequest(AllCoresRequest, ExtractorRequest, ForceRequest, CampaignRequest, ConfigRequest):
    """What is shown, and where."""

    out: Path | None = option(
        "File to write.  [default: report.html in the campaign's folder]", metavar="FILE", path={"dir_okay": False}
    )
    serve: bool = flag("Serve it on this machine's loopback address instead, and follow the campaign while it runs.")
    port: int = option("Port to serve at; 0 takes a free one.", default=8017, minimum=0, maximum=65535)
    price_input: float | None = option("Price of a million tokens of prompts, to show what calls cost.", minimum=0)
    price_output: float | None = option("Price of a million tokens of answers.", minimum=0)

    def __post_init__(self) -> None:
        """Refuse one price alone."""
        if (self.price_input is None) != (self.price_output is None):
            raise ConfigError("one price alone", where="--price-input, --price-output", remedy="give both, or none")

    @property
    def prices(self) -> tuple[float, float] | None:
        """Both prices; None where they are not known."""
        both = self.price_input, self.price_output
        return None if both[0] is None or both[1] is None else (both[0], both[1])


def run(request: ViewRequest) -> int:
    """Write a campaign as one HTML file, which any browser opens without a server or a network.

    The file has tables and figures, the cases behind each number, the output of `explain` for it, and for each case the
    conversation beside the updates of two variants: what was said, stated, left out, made up or negated, at any moment
    and within any reading budget.

    With --serve nothing is written: a page on this machine shows progress, failures, cost and the estimated end, and
    links to the report once there are metrics.
    """
    return _serve(request) if request.serve else _write(request)


command = verb("view", ViewRequest, run)


@alone
def _write(request: ViewRequest) -> int:
    from exaid_evals.viewer.page import NAME, write_page

    campaign = request.campaign
    config, stop_entities = measuring_of(request)
    out = (request.out or campaign.root / NAME).resolve()
    with _Counting() as progress:
        written = write_page(
            campaign,
            config,
            stop_entities,
            out,
            prices=request.prices,
            jobs=request.jobs or os.cpu_count() or 1,
            force=request.force,
            on_case=progress.advance,
            on_count=progress.start,
        )
    size = out.stat().st_size / 1e6
    click.echo(f"report   {shown(out)} ({size:.1f} MB{'' if written else ', current'})")
    return 0


def _serve(request: ViewRequest) -> int:
    from functools import partial

    from exaid_evals.config.variant import load_variants
    from exaid_evals.viewer.page import inputs_of, page_of
    from exaid_evals.viewer.serve import Follower, Report, Server

    campaign = request.campaign
    shown_by = campaign, *measuring_of(request)
    variants = [one.variant_id for one in load_variants(request.configs / "variants")]
    report = Report(partial(inputs_of, *shown_by, request.prices), partial(page_of, *shown_by, prices=request.prices))
    try:
        server = Server(request.port, shown(campaign.root), Follower(campaign, variants, request.prices), report)
    except OSError as error:
        what = f"cannot be listened at ({error.strerror})"
        raise ConfigError(what, where=f"--port {request.port}", remedy="name another, or 0 for a free one") from None
    # Ctrl-C and SIGTERM are how it ends, and no interruption.
    with server, contextlib.suppress(KeyboardInterrupt):
        click.echo(f"serving {shown(campaign.root)} at {server.address} (Ctrl-C ends it)")
        server.serve_forever()
    return 0


class _Counting:
    """A progress bar whose length is known once the campaign has been looked at."""

    def __init__(self) -> None:
        self._progress: Progress | None = None

    def __enter__(self) -> _Counting:
        return self

    def __exit__(self, *error: object) -> None:
        if self._progress is not None:
            self._progress.__exit__(None, None, None)

    def start(self, total: int) -> None:
        self._progress = Progress("view", total)

    def advance(self, case_id: str) -> None:
        if self._progress is not None:
            self._progress.advance(case_id)
