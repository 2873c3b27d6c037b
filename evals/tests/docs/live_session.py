"""The live session that the handbook shows, really had: a scripted model on loopback, and the stand-in for MAC.

Its blocks are fenced as `console session`. `python evals/tests/docs/live_session.py` has the session and writes what
the commands print into the handbook.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from docs.console import ROOT, Shell, Shown, matches, shown_in
from exaid_evals.config.campaign import configs_dir
from servers.openai_server import OpenAIServer, Received, default_answer
from traces.mac.harness import check_out

HANDBOOK = ROOT / "evals" / "README.md"
_BLOCK = re.compile(r"^```console session\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_OTHERS = ("/tmp/calibration", "/tmp/reviewer")  # noqa: S108 - as the handbook writes them
_FINDINGS = ("splenomegaly", "hepatomegaly", "anaemia", "seizures", "nystagmus", "ataxia", "a low platelet count")
_TURN = (
    "{speaker} weighs message {number}. The patient has fever and {finding}, which were named by nobody before. "
    "I would consider Gaucher disease, since the spleen is large and the blood count is low; a leukaemia is less "
    "likely, for no blast was seen. We should order a bone marrow biopsy and measure the enzyme in white cells. "
    "Against an infection speaks that cultures stayed negative for three weeks, although one of them was taken late. "
    "I am not certain about the liver: an ultrasound would show whether it is large as well. "
)
_MORE = (
    "As to {finding}: it was seen at the first visit, it has become worse since then, and no drug that the patient "
    "takes explains it. If it is part of one disease with the rest, a storage disease or a lymphoma would account for "
    "it, and the biopsy tells them apart. "
)
_REPORT = '{{"Most Likely Diagnosis": "Gaucher disease", "Recommended Tests": "{finding}"}}'


def session_in(text: str) -> list[Shown]:
    """Return the commands of the session."""
    return shown_in("".join(f"```console\n{block}```\n" for block in _BLOCK.findall(text)))


class LiveShell(Shell):
    """Runs the session's commands with a key, a service and MAC, over folders of its own."""

    def __init__(self, folder: Path, base_url: str) -> None:
        super().__init__(folder)
        mac = check_out(folder / "mac")
        configs = folder / "configs"
        shutil.copytree(configs_dir(), configs)
        generation = (configs / "mas_generation.yaml").read_text(encoding="utf-8")
        changed = re.sub(r"(?m)^(  commit: )\w+", rf"\g<1>{mac.commit}", generation)
        (configs / "mas_generation.yaml").write_text(changed, encoding="utf-8")
        del self._environment["EXAID_SOURCE"]
        self._environment |= {
            "EXAID_CONFIG_DIR": str(configs),
            "EXAID_MAC_DIR": str(mac.folder),
            "OPENAI_API_KEY": "scripted-key-0123456789",
            "OPENAI_BASE_URL": base_url,
        }
        others = {name: str(folder / Path(name).name) for name in _OTHERS}
        self._written = {**others, "evals/data": str(self._data), "evals/configs": str(configs)}
        self._shown = {place: name for name, place in self._written.items()}
        self._shown |= {str(mac.folder): "third_party/mac", base_url: "http://127.0.0.1:8080/v1"}

    def run(self, command: str) -> tuple[str, ...]:
        """Return a command's standard output, with places as the handbook writes them."""
        for name, place in self._written.items():
            command = command.replace(name, place)
        lines = super().run(command)
        return tuple(_replaced(line, self._shown) for line in lines)


def _replaced(line: str, names: dict[str, str]) -> str:
    for place in sorted(names, key=len, reverse=True):
        line = line.replace(place, names[place])
    return line


@contextmanager
def shell() -> Iterator[LiveShell]:
    """Serve, and yield a shell to have the session in."""
    with tempfile.TemporaryDirectory() as folder, OpenAIServer(answer=_answer) as server:
        yield LiveShell(Path(folder).resolve(), server.base_url)


def _answer(received: Received) -> str:
    """Answer the middleware as the stub model would, and MAC's agents so that they end after three rounds."""
    system = received.messages[0][1]
    if not system.startswith("You are Doctor") and not system.startswith("You are Supervisor"):
        return default_answer(received)
    number = len(received.messages) - 1
    words = {"speaker": system.removeprefix("You are ").rstrip("."), "number": number}
    finding = _FINDINGS[number % len(_FINDINGS)]
    text = _TURN.format(**words, finding=finding)
    others = [_FINDINGS[(number + step) % len(_FINDINGS)] for step in range(1, 2 + number % 3)]
    text += "".join(_MORE.format(finding=other) for other in others)
    if "Supervisor" not in system:
        return text
    return text + _REPORT.format(finding=finding) + ("TERMINATE" if number > 8 else "")


def main() -> None:
    """Write what the commands print into the handbook; blocks that still match keep their ellipses."""
    text = HANDBOOK.read_text(encoding="utf-8")
    with shell() as running:

        def rewrite(block: re.Match[str]) -> str:
            lines: list[str] = []
            for shown in shown_in(f"```console\n{block[1]}```\n"):
                actual = running.run(shown.command)
                lines += [f"$ {shown.command}", *(shown.output if matches(shown.output, actual) else actual)]
            return "```console session\n" + "".join(f"{line}\n" for line in lines) + "```"

        HANDBOOK.write_text(_BLOCK.sub(rewrite, text), encoding="utf-8")


if __name__ == "__main__":
    main()
