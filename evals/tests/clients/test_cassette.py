"""Cassettes: what is recorded is kept, found, and never silently wrong."""

from __future__ import annotations

import errno
import gzip
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from conversations import ScriptedLLM
from exaid_evals.artifacts import atomic
from exaid_evals.artifacts.jsonl import read_jsonl, write_jsonl
from exaid_evals.cli.main import run
from exaid_evals.clients.base import Budget, CallContext, ChatMessage, LLMRequest, LLMResponse, Usage
from exaid_evals.clients.cassette import CallKey, CallKeys, Recorder, canonical_request, read_cassette
from exaid_evals.clients.replay import RecordingClient, ReplayClient, first_difference
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import DataError, LLMError

RUN = "eval-0123456789abcdef"
CLIENT = ScriptedLLM([], stub=False)


def context(case_id: str = "case-1", variant_id: str = "V3") -> CallContext:
    """Return a case's context."""
    return CallContext(RUN, variant_id, case_id)


def request(text: str = "FEVER", task: str = "summary") -> LLMRequest:
    """Return a request."""
    return LLMRequest(task, (ChatMessage("system", "Summarise."), ChatMessage("user", text)), {"type": "object"})


def response(text: str) -> LLMResponse:
    """Return an answer with everything that a record holds."""
    return LLMResponse(text, Usage(1, 4, len(text) // 4, 17, None), 1234, "stop", 2, "json_object")


def key(keys: CallKeys, text: str = "FEVER") -> CallKey:
    """Return the next call."""
    return keys.next(canonical_request(request(text), CLIENT))


def record(folder: Path, *texts: str, case_id: str = "case-1") -> Path:
    """Record calls that answer each text with itself, end the run, and return the file."""
    keys = CallKeys(context(case_id))
    with Recorder(folder) as recorder:
        for text in texts:
            recorder.add(key(keys, text), response(text))
    return folder / f"{RUN}.jsonl.gz"


def test_what_was_recorded_is_found_as_it_was(tmp_path: Path) -> None:
    """Every part of the answer comes back, also from the file; another call is not found."""
    record(tmp_path, "FEVER", "RASH")
    recorder, keys = Recorder(tmp_path), CallKeys(context())
    assert recorder.find(key(keys, "RASH")) == response("RASH")
    assert recorder.find(key(keys, "FEVER")) == response("FEVER")
    assert recorder.find(key(keys, "COUGH")) is None
    assert recorder.find(key(CallKeys(context("case-2")))) is None


def test_the_same_request_again_has_an_answer_of_its_own(tmp_path: Path) -> None:
    """A repeat is another call of the same case: the first and the second answer stay apart."""
    keys = CallKeys(context())
    with Recorder(tmp_path) as recorder:
        recorder.add(key(keys), response("first"))
        recorder.add(key(keys), response("second"))
    recorder, keys = Recorder(tmp_path), CallKeys(context())
    texts = [found.text for _ in range(2) if (found := recorder.find(key(keys)))]
    assert texts == ["first", "second"]


def test_a_call_is_on_the_disk_when_it_is_recorded(tmp_path: Path) -> None:
    """Without the end of the run, as after a kill, the file holds every call as a gzip member of its own."""
    keys = CallKeys(context())
    recorder = Recorder(tmp_path)
    recorder.add(key(keys, "FEVER"), response("FEVER"))
    recorder.add(key(keys, "RASH"), response("RASH"))
    path = tmp_path / f"{RUN}.jsonl.gz"
    assert [item["response_text"] for item in read_jsonl(path)] == ["FEVER", "RASH"]
    assert path.read_bytes().count(b"\x1f\x8b\x08") == 2


def test_threads_record_in_any_order_and_the_file_is_the_same(tmp_path: Path) -> None:
    """Ended, the file is sorted by case and call, in one member without a time."""
    calls = [(f"case-{number}", text) for number in range(8) for text in ("A", "B", "C")]
    for folder, jobs in ((tmp_path / "one", 1), (tmp_path / "many", 8)):
        keys = {case_id: CallKeys(context(case_id)) for case_id, _ in calls}
        work = [(key(keys[case_id], text), response(text)) for case_id, text in calls]
        with Recorder(folder) as recorder, ThreadPoolExecutor(jobs) as pool:
            list(pool.map(lambda pair, recorder=recorder: recorder.add(*pair), work if jobs == 1 else work[::-1]))
    name = f"{RUN}.jsonl.gz"
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "many" / name).read_bytes()
    assert len(read_jsonl(tmp_path / "one" / name)) == 24


@pytest.mark.parametrize("torn", [1, 9, 30, -1])
def test_a_torn_end_is_mended(tmp_path: Path, torn: int) -> None:
    """A kill in the midst of a write costs that call at most, and what is recorded next can be read."""
    path = record(tmp_path, "FEVER", "RASH")
    members = [gzip.compress(line + b"\n") for line in gzip.decompress(path.read_bytes()).splitlines()]
    path.write_bytes(members[0] + members[1][:torn])
    assert read_cassette(path)[1]
    keys = CallKeys(context())
    with Recorder(tmp_path) as recorder:
        assert recorder.find(key(keys, "FEVER")) == response("FEVER")
        lost = key(keys, "RASH")
        if recorder.find(lost) is None:
            recorder.add(lost, response("RASH"))
    assert [item["response_text"] for item in read_jsonl(path)] == ["FEVER", "RASH"]


def test_a_killed_runs_file_is_rewritten_when_the_next_run_ends(tmp_path: Path) -> None:
    """Also when nothing is left to record, the members of a killed run become one; a finished file stays."""
    ended = record(tmp_path / "ended", "FEVER", "RASH")
    keys, recorder = CallKeys(context()), Recorder(tmp_path / "killed")
    for text in ("FEVER", "RASH"):
        recorder.add(key(keys, text), response(text))
    with Recorder(tmp_path / "killed") as again:
        again.find(key(CallKeys(context())))
    assert (tmp_path / "killed" / ended.name).read_bytes() == ended.read_bytes()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"request_sha256": f"sha256:{'0' * 64}"}, "request_sha256 is not the hash"),
        ({"latency_ms": -1}, "latency_ms"),
        ({"authorization": "Bearer x"}, "authorization"),
        ({"schema_version": "9.0.0"}, "newer than this release"),
    ],
)
def test_a_damaged_cassette_is_refused(tmp_path: Path, change: dict[str, Any], problem: str) -> None:
    """An answer that is not filed under its own request is not an answer; nothing is called in its place."""
    path = record(tmp_path, "FEVER", "RASH")
    records = read_jsonl(path)
    records[1] |= change
    write_jsonl(path, records)
    with pytest.raises(DataError, match=f"(?s){path.name}:2.*{problem}"):
        Recorder(tmp_path).find(key(CallKeys(context())))


def test_of_a_call_that_stands_twice_the_first_counts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is the answer that was acted on; the duplicate is reported, and nothing is refused."""
    path = record(tmp_path, "FEVER")
    [first] = read_jsonl(path)
    write_jsonl(path, [first, {**first, "response_text": "OTHER"}])
    assert Recorder(tmp_path).find(key(CallKeys(context()))) == response("FEVER")
    assert "1 calls are duplicates; the first of each is kept" in caplog.text


@pytest.mark.parametrize("call", ["write", "fsync"])
@pytest.mark.parametrize("trouble", [errno.ENOSPC, errno.EIO])
def test_a_write_that_fails_half_way_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, trouble: int
) -> None:
    """The half is cut off; the answer, which is paid for, stays known and is written with the next one."""
    keys = CallKeys(context())
    recorder = Recorder(tmp_path).__enter__()
    recorder.add(key(keys, "FEVER"), response("FEVER"))
    path = tmp_path / f"{RUN}.jsonl.gz"
    whole = path.read_bytes()

    def fail(target: Any, *data: bytes) -> int:
        if data:
            target.write(data[0][: len(data[0]) // 2])
        raise OSError(trouble, os.strerror(trouble))

    with monkeypatch.context() as patch:
        if call == "write":
            patch.setattr(atomic, "append_whole", fail)
        else:
            patch.setattr(os, "fsync", fail)
        lost = key(keys, "RASH")
        with pytest.raises(OSError, match=f"{path.name}"):
            recorder.add(lost, response("RASH"))
    assert path.read_bytes() == whole
    assert recorder.find(lost) == response("RASH")
    recorder.add(key(keys, "COUGH"), response("COUGH"))
    assert [item["response_text"] for item in read_jsonl(path)] == ["FEVER", "RASH", "COUGH"]


def test_room_is_taken_before_a_call_is_paid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a disk that fills up meanwhile the answer takes the reserve; and without a reserve nothing is asked."""
    keys = CallKeys(context())
    with Recorder(tmp_path) as recorder:
        call = key(keys, "FEVER")
        recorder.prepare(call)
        [reserve] = tmp_path.iterdir()
        append = atomic.append_whole

        def full(stream: Any, data: bytes) -> None:
            if reserve.exists():
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            append(stream, data)

        monkeypatch.setattr(atomic, "append_whole", full)
        recorder.add(call, response("FEVER"))
        assert not reserve.exists()
        monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
        with pytest.raises(OSError, match="full"):
            recorder.prepare(key(keys, "RASH"))
        monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == [f"{RUN}.jsonl.gz"]
    assert [item["response_text"] for item in read_jsonl(tmp_path / f"{RUN}.jsonl.gz")] == ["FEVER"]


def test_what_is_left_of_a_damaged_cassette_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Half a member with others behind it, a bit that flipped, a duplicate, a wrong hash: the rest is found."""
    path = record(tmp_path / "data" / "cassettes", *"ABCDE")
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    members = [gzip.compress(line) for line in lines]
    flipped = bytearray(members[2])
    flipped[len(flipped) // 2] ^= 255
    wrong = gzip.compress(lines[4].replace(b"sha256:", b"sha256:0", 1).replace(b'"E"', b'"F"'))
    damaged = members[0] + members[1][:50] + members[3] + bytes(flipped) + members[3] + wrong + members[4][:-1]
    path.write_bytes(damaged)
    with pytest.raises(DataError, match="exaid-evals cassette repair"):
        read_cassette(path)
    assert run(["cassette", "repair", "--data-dir", str(tmp_path / "data")]) == 3
    assert "(3 records" in capsys.readouterr().out
    assert [item["response_text"] for item in read_cassette(path)[0]] == ["A", "D", "E"]
    assert path.with_name(f"{path.name}.damaged").read_bytes() == damaged
    assert run(["cassette", "repair", str(path)]) == 0
    assert "is whole (3 records)" in capsys.readouterr().out


def test_a_recorded_call_is_not_made_again(tmp_path: Path) -> None:
    """A second client over the same folder asks nobody and spends nothing."""
    budget = Budget()
    with Recorder(tmp_path) as recorder:
        live = RecordingClient(ScriptedLLM(["one"], stub=False), recorder, budget).bind(context())
        first = live.complete(request())
    assert (budget.spent.calls, budget.spent.ctu) == (1, request().prompt_ctu + first.usage.completion_ctu)
    free = Budget(max_calls=1)
    free.stop("nothing may be spent")
    again = RecordingClient(ScriptedLLM([], stub=False), Recorder(tmp_path), free).bind(context())
    assert again.complete(request()) == first


def test_a_failed_call_is_not_recorded(tmp_path: Path) -> None:
    """What was not answered is asked again next time."""
    with Recorder(tmp_path) as recorder:
        live = RecordingClient(ScriptedLLM([LLMError("HTTP 400")], stub=False), recorder, Budget()).bind(context())
        with pytest.raises(LLMError):
            live.complete(request())
    assert list(tmp_path.iterdir()) == []


def replayed(folder: Path, case_id: str = "case-1") -> Any:
    """Return a replay client bound to a case."""
    return ReplayClient(CLIENT, Campaign(folder)).bind(context(case_id))


def test_a_replay_speaks_for_the_recorded_client(tmp_path: Path) -> None:
    """Name, model and parameters are the recorded client's, and so are the answers."""
    record(tmp_path / "cassettes", "FEVER")
    client = replayed(tmp_path)
    assert (client.name, client.model, client.stub) == (CLIENT.name, CLIENT.model, False)
    assert client.complete(request("FEVER")) == response("FEVER")


@pytest.mark.parametrize(
    ("asked", "reported"),
    [
        (request("RASH"), 'messages[1].content: "FEVER" was recorded, "RASH" is asked'),
        (request("FEVER", task="trigger"), 'task: "summary" was recorded, "trigger" is asked'),
    ],
)
def test_what_was_not_recorded_is_reported(tmp_path: Path, asked: LLMRequest, reported: str) -> None:
    """Case, variant, number and task of the call, and the first field that differs from the nearest recorded one."""
    record(tmp_path / "cassettes", "FEVER", "A" * 50)
    with pytest.raises(LLMError) as caught:
        replayed(tmp_path).complete(asked)
    assert str(caught.value).startswith(
        f"case-1 under V3, call 1 ({asked.task}) was not recorded: it differs from the "
    )
    assert reported in str(caught.value)


def test_a_case_without_recordings_is_reported(tmp_path: Path) -> None:
    """Where nothing is near, that is said."""
    record(tmp_path / "cassettes", "FEVER")
    with pytest.raises(LLMError, match=r"case-9 under V3, call 1 .*no call of this case was recorded"):
        replayed(tmp_path, "case-9").complete(request())


def test_a_repeat_too_many_is_reported(tmp_path: Path) -> None:
    """The same request once more than it was recorded."""
    record(tmp_path / "cassettes", "FEVER")
    client = replayed(tmp_path)
    client.complete(request())
    with pytest.raises(LLMError, match=r"call 2 .*made less often"):
        client.complete(request())


def test_the_first_difference_is_of_the_nearest() -> None:
    """Of several recorded requests the one with the fewest differing fields counts, then the longest agreement."""
    base = canonical_request(request("The patient has FEVER, and it does not go away for weeks."), CLIENT)
    other_model = {**base, "model": "m-2"}
    late = canonical_request(request("The patient has FEVER, and it does not go away at all."), CLIENT)
    early = canonical_request(request("A girl."), CLIENT)
    warmer = {**base, "parameters": {"temperature": 0.5}}
    assert first_difference(base, [early, late]) == (
        "messages[1].content from character 47 on: …'es not go away at all.' was recorded, "
        "…'es not go away for weeks.' is asked"
    )
    assert str(first_difference(base, [{**early, "model": "m-2"}, other_model])).startswith('model: "m-2"')
    assert first_difference(base, [warmer]) == "parameters.temperature: 0.5 was recorded, nothing is asked"
    assert first_difference(base, [base]) is None
