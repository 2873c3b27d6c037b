"""Serving a campaign on this machine's loopback address, to be read and nothing else: its progress and its report.

Progress is read from the campaign's files alone: whoever makes it is not asked, and nothing is written.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

from exaid_evals.artifacts.jsonl import read_jsonl
from exaid_evals.artifacts.manifest import read_manifest
from exaid_evals.artifacts.storage import stored_names
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import DataError, ExaidError
from exaid_evals.files import natural_order
from exaid_evals.metrics.runs import present_variants
from exaid_evals.replay.run_log import FAILED, SKIPPED_FAILED_TRACE
from exaid_evals.report.document import fill, page
from exaid_evals.viewer.page import Prices, asset, script

_PAUSE_S = 600.0
"""A longer time without a finished run is a pause: what came before it says nothing of the speed now."""
_RECENT = 40
"""Finished runs from which the speed is known."""


@dataclass(frozen=True, slots=True)
class Done:
    """A finished run log: how it ended, why, what it asked of the language model, and when it was there (Unix time)."""

    status: str
    reason: str
    calls: int
    prompt: int
    completion: int
    at: float


@dataclass(frozen=True, slots=True)
class VariantProgress:
    """How far a variant has come: runs that are there of those to come, and what they asked; CTU are the model's."""

    variant: str
    done: int
    of: int
    failed: int
    skipped: int
    calls: int
    prompt_ctu: int
    completion_ctu: int
    cost: float | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a campaign has come.

    Attributes:
        stage: what is done now: `make-traces`, `run-variants`, `compute-metrics`, `done`.
        cases: how many there are; None before the manifest says so.
        traces: frozen files.
        variants: in natural order.
        failures: variant, case and reason of every run that failed.
        seconds_a_run: of the last runs; None before there are two.
        seconds_left: to the last run at that speed; None where no speed is known.
        last_at: when the last run was there (Unix time); None before the first.
        report: whether there are metrics to show.
    """

    stage: str
    cases: int | None
    traces: int
    variants: list[VariantProgress] = field(default_factory=list)
    failures: list[list[str]] = field(default_factory=list)
    seconds_a_run: float | None = None
    seconds_left: float | None = None
    last_at: float | None = None
    report: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


class Follower:
    """Looks at a campaign again and again, and reads each run log once.

    Args:
        campaign: whose files are looked at.
        expected: the variants that are configured; those that have runs are added.
        prices: of a million tokens of prompts and of answers, by which CTU are counted; None where not known.
    """

    def __init__(self, campaign: Campaign, expected: Sequence[str], prices: Prices | None = None) -> None:
        self._campaign, self._expected, self._prices = campaign, expected, prices
        self._read: dict[Path, tuple[tuple[int, int], Done]] = {}

    def look(self) -> Progress:
        """Return how far the campaign has come."""
        campaign = self._campaign
        names = sorted({*self._expected, *present_variants(campaign)}, key=natural_order)
        cases = self._case_ids()
        runs = {name: self._runs(name, cases) for name in names}
        variants = [self._variant(name, runs[name], len(cases or ())) for name in names]
        missing = sum(one.of - one.done for one in variants)
        finished = sorted(one.at for found in runs.values() for one in found.values())
        pace = _pace(finished)
        measured = all(campaign.metrics_file(name).is_file() for name in names) if names else False
        stage = "make-traces" if cases is None else "run-variants" if missing else "compute-metrics"
        return Progress(
            stage="done" if stage == "compute-metrics" and measured else stage,
            cases=None if cases is None else len(cases),
            traces=len(stored_names(campaign.traces, "case-*.jsonl.gz")),
            variants=variants,
            failures=[
                [name, case_id, one.reason]
                for name, found in runs.items()
                for case_id, one in sorted(found.items())
                if one.status == FAILED
            ],
            seconds_a_run=pace,
            seconds_left=None if pace is None or not missing else pace * missing,
            last_at=finished[-1] if finished else None,
            report=any(campaign.metrics.glob("*.metrics.jsonl")) if campaign.metrics.is_dir() else False,
        )

    def _case_ids(self) -> list[str] | None:
        try:
            return [entry.case_id for entry in read_manifest(self._campaign.manifest_file).entries]
        except DataError:  # it is not there yet
            return None

    def _variant(self, name: str, found: dict[str, Done], n_cases: int) -> VariantProgress:
        done = list(found.values())
        prompt, completion = sum(one.prompt for one in done), sum(one.completion for one in done)
        prices = self._prices
        return VariantProgress(
            variant=name,
            done=len(done),
            of=n_cases,
            failed=sum(one.status == FAILED for one in done),
            skipped=sum(one.status == SKIPPED_FAILED_TRACE for one in done),
            calls=sum(one.calls for one in done),
            prompt_ctu=prompt,
            completion_ctu=completion,
            cost=None if prices is None else (prompt * prices[0] + completion * prices[1]) / 1e6,
        )

    def _runs(self, variant: str, cases: Sequence[str] | None) -> dict[str, Done]:
        """Return case → its finished run; files appear whole, so what is there is finished."""
        found = {}
        for case_id in cases or ():
            path = self._campaign.run_file(variant, case_id)
            try:
                state = path.stat()
                key = state.st_mtime_ns, state.st_size
                known = self._read.get(path)
                if known is None or known[0] != key:
                    known = self._read[path] = (key, _done(path, state.st_mtime))
            except OSError:
                continue
            except DataError as error:
                known = (key, Done(FAILED, f"the run log is damaged: {error.what}", 0, 0, 0, state.st_mtime))
            found[case_id] = known[1]
        return found


def _done(path: Path, at: float) -> Done:
    meta, *events = read_jsonl(path)
    usages = [usage for event in events if (usage := event.get("llm_usage"))]
    calls, prompt, completion = (
        sum(usage.get(name) or 0 for usage in usages) for name in ("calls", "prompt_ctu", "completion_ctu")
    )
    return Done(meta.get("status", ""), meta.get("failure_reason") or "", calls, prompt, completion, at)


def _pace(finished: Sequence[float]) -> float | None:
    """Return seconds between finished runs, of the last ones since a pause; None for fewer than two.

    >>> _pace([0.0, 5000.0, 5002.0, 5004.0]), _pace([3.0])
    (2.0, None)
    """
    recent = list(finished[-_RECENT:])
    pauses = [number for number, (one, other) in enumerate(pairwise(recent), start=1) if other - one > _PAUSE_S]
    recent = recent[pauses[-1] :] if pauses else recent
    return (recent[-1] - recent[0]) / (len(recent) - 1) if len(recent) > 1 else None


HOST = "127.0.0.1"
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Report:
    """The campaign's page, made when it is asked for, and again when what it shows has changed.

    Args:
        inputs: returns the fingerprint of all that it shows.
        make: returns the page.
    """

    def __init__(self, inputs: Callable[[], str], make: Callable[[], str]) -> None:
        self._inputs, self._make = inputs, make
        self._lock = threading.Lock()
        self._made: tuple[str, bytes] | None = None

    def read(self) -> bytes:
        """Return the page; who asks while it is made waits for it.

        Raises:
            ExaidError: there is nothing to show, or it is damaged.
        """
        with self._lock:
            inputs = self._inputs()
            if self._made is None or self._made[0] != inputs:
                self._made = (inputs, self._make().encode())
            return self._made[1]


class Server(ThreadingHTTPServer):
    """Answers `/` (progress), `/status` (the same as JSON) and `/report.html`, to this machine alone.

    A page of another origin can send requests here too, under a name of its own that leads to this machine; so the
    name that is asked for must be this machine's.

    Args:
        port: to listen at; 0 takes one that is free.
        title: of the campaign.
        follower: tells its progress.
        report: its page.
    """

    daemon_threads = True

    def __init__(self, port: int, title: str, follower: Follower, report: Report) -> None:
        super().__init__((HOST, port), _Handler)
        self.follower, self.report = follower, report
        self.names = {f"{name}:{self.server_port}" for name in (HOST, "localhost")}
        self._lock = threading.Lock()
        self.progress_page = page(
            f"{title} · exaid-evals",
            fill("viewer/assets/progress.html", title=title),
            "",
            style=asset("viewer.css"),
            script=script(("elements.js", "progress.js")),
            connects=True,
        ).encode()

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://{HOST}:{self.server_port}/"

    def status(self) -> bytes:
        """Return the campaign's progress as JSON."""
        with self._lock:
            return json.dumps(self.follower.look().as_json(), ensure_ascii=False).encode()


class _Handler(BaseHTTPRequestHandler):
    server: Server
    server_version = "exaid-evals"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer with the page or the numbers that the path names."""
        if self.headers.get("Host") not in self.server.names:
            self._answer(HTTPStatus.FORBIDDEN, b"asked for under a name that is not this machine's\n", "text/plain")
            return
        answers: dict[str, tuple[Callable[[], bytes], str]] = {
            "/": (lambda: self.server.progress_page, "text/html"),
            "/status": (self.server.status, "application/json"),
            "/report.html": (self.server.report.read, "text/html"),
        }
        made = answers.get(self.path.partition("?")[0])
        if made is None:
            self._answer(HTTPStatus.NOT_FOUND, b"there is /, /status and /report.html\n", "text/plain")
            return
        try:
            self._answer(HTTPStatus.OK, made[0](), made[1])
        except ExaidError as error:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, f"{error}\n".encode(), "text/plain")

    do_HEAD = do_GET  # noqa: N815 - the name is http.server's

    def _answer(self, status: HTTPStatus, content: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in {**_HEADERS, "Content-Type": f"{kind}; charset=utf-8"}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        """Say nothing: a page asks every other second."""
