"""What a try at a case comes to: a conversation, or a failure and whether it is worth another try."""

from __future__ import annotations

from dataclasses import dataclass

from exaid_evals.config.mas_generation import Passing
from exaid_evals.traces.mac.calls import Trouble
from exaid_evals.traces.mac.check import problem_with
from exaid_evals.traces.mac.process import End, Try


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a try comes to.

    Attributes:
        failure: why there is no conversation; None where there is one.
        passing: the kind of a failure that another try may not meet.
        fatal: whether every other case would fail likewise.
        wait_s: how long the provider asks to wait.
        note: what MAC raised after a complete conversation.
    """

    failure: str | None = None
    passing: Passing | None = None
    fatal: bool = False
    wait_s: float | None = None
    note: str | None = None


def verdict_on(result: Try, trouble: Trouble | None, *, report_required: bool) -> Verdict:
    """Judge a try.

    Args:
        result: what MAC's process gave.
        trouble: why its last call was not answered; None where it was.
        report_required: whether a complete conversation counts only if MAC can read the diagnosis out of it.
    """
    so_far = f"after {len(result.said)} message{'' if len(result.said) == 1 else 's'}"
    if result.end is End.DONE:
        return Verdict(problem_with(result.said, result.written))
    if result.end is End.TIMED_OUT:
        last = f"; the last call: {trouble.what}" if trouble else ""
        return Verdict(f"timeout: {result.detail}, {so_far}{last}", Passing.TIMEOUT)
    if result.end is End.CRASHED:
        return Verdict(f"crash: MAC's process ended, {result.detail}, {so_far}", Passing.CRASH)
    if not result.ready:
        return Verdict(f"MAC cannot be started: {result.detail}", fatal=True)
    if trouble is not None:
        passing = Passing.PROVIDER if trouble.passing else None
        return Verdict(f"{trouble.what}, {so_far}", passing, trouble.fatal, trouble.wait_s)
    raised = f"MAC raised {result.detail}"
    if problem_with(result.said, result.written) is None and not report_required:
        # The conversation is complete and written; what MAC could not do is read the diagnosis out of it.
        return Verdict(note=f"{raised} {so_far}, of a conversation that is complete and written")
    return Verdict(f"{raised}, {so_far}")
