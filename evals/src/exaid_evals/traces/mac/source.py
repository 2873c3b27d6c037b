"""MAC as a source of traces: each case in a process of its own, tried again where that may help, recorded, replayed."""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Self

from exaid_evals.artifacts.hashing import sha256_text
from exaid_evals.cases.base import Case, content_of
from exaid_evals.clients.base import StoppedError
from exaid_evals.config.mas_generation import Stage
from exaid_evals.errors import CaseFailedError, DataError, ExaidError, LLMError
from exaid_evals.execution.questions import Ask
from exaid_evals.traces.mac.call_service import CallService, RemoteCalls
from exaid_evals.traces.mac.calls import Answers, Session, Trouble
from exaid_evals.traces.mac.process import End, Said, Try, Verdict, agent_of, run_child, verdict_on
from exaid_evals.traces.mac.proxy import Address, Proxy
from exaid_evals.traces.mac.recording import Outcome, SaidAt
from exaid_evals.traces.mac.settings import MacSettings
from exaid_evals.traces.model import Message, Provenance, Trace

# As MAC spells them.
_STAGES = {Stage.INITIAL: "inital", Stage.FOLLOW_UP: "follow_up"}


class MacSource:
    """Runs MAC on cases while the `with` block lasts; any number of threads may ask for one case each.

    Args:
        settings: what to run, and how.
        provenance: what every record says about its making.
        epoch: time stamp of every case's first message.
        service: has what was recorded, and answers MAC's calls.
    """

    def __init__(self, settings: MacSettings, provenance: Provenance, epoch: str, service: CallService) -> None:
        self._settings = settings
        self._provenance = provenance
        self._epoch = epoch
        self._service = service
        self._stop = threading.Event()
        self._proxy: Proxy

    def __enter__(self) -> Self:
        """Open the proxy."""
        self._proxy = Proxy().__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """Kill what still runs."""
        self.stop()
        self._proxy.__exit__()

    def stop(self) -> None:
        """Have every process killed, within a moment."""
        self._stop.set()

    def inputs(self, case: Case) -> Mapping[str, Any]:
        """Return what the conversation about a case depends on. Time limits and retries are none of it."""
        made = self._provenance
        return {
            "case": content_of(case),
            "mac": self._settings.mac.model_dump(mode="json"),
            "model": self._settings.model.model_dump(mode="json"),
            "epoch": self._epoch,
            "provenance": [made.mas_run_id, made.mac_commit, made.model, made.stub],
        }

    def generate(self, case: Case) -> Trace:
        """Return MAC's conversation about a case.

        Raises:
            CaseFailedError: there is none, after all tries.
            DataError: a replay comes to something else than the recording.
            StoppedError: no more calls may be made, and it needs more. What was answered is recorded.
            LLMError: the provider refuses every call (key or quota).
            ExaidError: MAC cannot be started at all, or the stage was stopped.
        """
        if self._stop.is_set():
            raise _stopped(case.case_id)
        service = self._service
        known = service.outcome(case.case_id)
        if service.replaying and known is None:
            remedy = f"record it with {self._settings.command}"
            raise DataError("was not recorded to its end", where=case.case_id, remedy=remedy)
        if service.replaying and known is not None and known.failure_reason is not None:
            # A hang or a crash is not to be had again; that it was is what the recording says.
            raise CaseFailedError(known.failure_reason, where=case.case_id)
        if known is None and (stop_reason := service.stop_reason()) is not None:
            # It would be started to be refused its first new call.
            raise StoppedError(stop_reason, where=case.case_id)
        result, session, verdict, tries = self._tried(case.case_id, service.calls(case.case_id))
        if session.stopped:
            raise StoppedError(service.stop_reason() or "", where=case.case_id)
        if verdict.fatal:
            raise _fatal(case.case_id, verdict, session.trouble)
        hashes = tuple(sha256_text(item.content) for item in result.said) if verdict.failure is None else ()
        if service.replaying:
            self._require_as_recorded(case.case_id, known, verdict, hashes)
        if verdict.failure is not None:
            reason = verdict.failure if tries == 1 else f"{verdict.failure} (the last of {tries} tries)"
            service.add_outcome(case.case_id, Outcome(tries, failure_reason=reason))
            raise CaseFailedError(reason, where=case.case_id)
        if verdict.note is not None:
            service.note(f"{case.case_id}: {verdict.note}")
        if known is not None and tuple(one.content_sha256 for one in known.messages) == hashes:
            times = known.messages
        else:
            times = _times(result.said, hashes, session)
            service.add_outcome(case.case_id, Outcome(tries, note=verdict.note, messages=times))
        messages = tuple(
            Message(
                agent_of(item.name),
                item.content,
                at.stream[0][0] if at.stream else None,
                at.stream,
                item.tokens,
                end_t_rel_ms=None if at.stream else at.end_ms,
            )
            for item, at in zip(result.said, times, strict=True)
        )
        return Trace(case.case_id, self._epoch, messages, self._provenance)

    def _tried(self, case_id: str, calls: Answers) -> tuple[Try, Session, Verdict, int]:
        """Try until there is a conversation, or another try is not worth it."""
        live = self._settings.live
        for number in range(1, live.retry.attempts + 1):
            session = Session(calls)
            with self._proxy.serving(session) as address:
                task = self._task(case_id, address)
                result = run_child(task, time_limit_s=live.time_limit_s, stop=self._stop)
            if result.end is End.STOPPED:
                break
            verdict = verdict_on(result, session.trouble, report_required=live.report_required)
            again = verdict.passing in live.retry.again_after and number < live.retry.attempts
            if verdict.failure is None or verdict.fatal or not again:
                return result, session, verdict, number
            wait_s = self._wait_s(case_id, number, verdict.wait_s)
            self._service.note(f"{case_id}: {verdict.failure}; once more in {wait_s:.0f} s")
            if self._stop.wait(wait_s):
                break
        raise _stopped(case_id)

    def _wait_s(self, case_id: str, number: int, asked_s: float | None) -> float:
        retry = self._settings.live.retry
        scatter = random.Random(f"{case_id}:{number}").uniform(0.5, 1.5)  # noqa: S311 - no secret
        return min(max(retry.backoff_s * 2.0 ** (number - 1) * scatter, asked_s or 0.0), retry.backoff_max_s)

    def _task(self, case_id: str, address: Address) -> dict[str, Any]:
        """Return what MAC's process is given; its model configuration is put together as MAC's own `main()` does."""
        mac, model = self._settings.mac, self._settings.model
        service = {"model": model.model, "api_key": address.password, "base_url": address.base_url}
        return {
            "mac_dir": str(self._settings.mac_dir),
            "case_id": case_id,
            "stage": _STAGES[mac.stage],
            "num_doctors": mac.num_doctors,
            "n_round": mac.n_round,
            "model_config": {
                "cache_seed": model.cache_seed,
                # As MAC writes it: 1, not 1.0.
                "temperature": int(model.temperature) if model.temperature.is_integer() else model.temperature,
                "config_list": [service],
                "timeout": model.timeout,
            },
        }

    def _require_as_recorded(
        self, case_id: str, known: Outcome | None, verdict: Verdict, hashes: tuple[str, ...]
    ) -> None:
        recorded = tuple(one.content_sha256 for one in known.messages) if known else ()
        if verdict.failure is None and hashes == recorded:
            return
        if verdict.failure is not None:
            what = f"the replay comes to something else than the recording: {verdict.failure}"
        else:
            pairs = enumerate(zip(hashes, recorded, strict=False))
            number = next((n for n, (a, b) in pairs if a != b), min(len(hashes), len(recorded)))
            what = f"message {number} of the replay is not the recorded one"
        remedy = (
            "replay with the configuration, MAC and packages that were recorded, or record anew with "
            f"{self._settings.command}"
        )
        raise DataError(what, where=case_id, remedy=remedy)


class WorkerSource:
    """Runs MAC on a worker, one case after the other; the command that it asks keeps recording, budget and connection.

    Args:
        settings: of the command, without its connection.
        provenance: as of `MacSource`.
        epoch: as of `MacSource`.
        replaying: whether the command has nothing but a recording.
        ask: asks the command.
    """

    def __init__(self, settings: MacSettings, provenance: Provenance, epoch: str, replaying: bool, ask: Ask) -> None:
        service = RemoteCalls(ask, replaying=replaying)
        self._source = partial(MacSource, settings, provenance, epoch, service)

    def generate(self, case: Case) -> Trace:
        """Return MAC's conversation about a case; as of `MacSource`."""
        with self._source() as mac:
            return mac.generate(case)


def _times(said: list[Said], hashes: Sequence[str], session: Session) -> tuple[SaidAt, ...]:
    """Return when each message was there, in ms since the first; what recorded answers saved is added.

    A message that is, word for word, a streamed answer came as that did; of any other it is known when it was complete.
    """
    moments = [session.moment_ms(item.t_ns) for item in said]
    streams = session.streams([(item.content, moment) for item, moment in zip(said, moments, strict=True)])
    found: list[SaidAt] = []
    last_ms = 0
    for sha256, moment, stream in zip(hashes, moments, streams, strict=True):
        shifted = tuple((t_ms - moments[0], n_chars) for t_ms, n_chars in stream)
        # A chunk before the message above was there would be another message's.
        kept = shifted if shifted and shifted[0][0] >= last_ms else ()
        found.append(SaidAt(sha256, moment - moments[0], kept))
        last_ms = kept[0][0] if kept else moment - moments[0]
    return tuple(found)


def _stopped(case_id: str) -> ExaidError:
    return ExaidError("was stopped", where=case_id, remedy="the same command goes on from here")


def _fatal(case_id: str, verdict: Verdict, trouble: Trouble | None) -> ExaidError:
    what = verdict.failure or ""
    if trouble is None:
        return ExaidError(what, where=case_id, remedy="install what is missing: `pip install 'exaid-evals[live]'`")
    remedy = "mend key or quota, and run the same command again: what is done is kept, and no call is made twice"
    return LLMError(what, where=case_id, remedy=remedy)
