"""The key reaches the provider, and nothing else that anybody can read."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from exaid_evals.artifacts.hashing import content_chunks
from exaid_evals.errors import LLMError
from traces.mac.harness import KEY, Checkout, about, command_line, environment, made, planned
from traces.mac.provider import Asked, Provider, Says, conversation

_OTHERS = {
    "GOOGLE_API_KEY": "AIza-planted-google-key-0123456789-abcdef",
    "MY_SECRET": "planted-secret-of-somebody-else",
    "GITHUB_TOKEN": "planted-token-of-somebody-else",
}


def forms(secret: str) -> list[bytes]:
    """Return the ways in which a secret may be written."""
    raw = secret.encode()
    found = [raw, quote(secret).encode(), quote(secret, safe="").encode(), quote_plus(secret).encode()]
    for before in (b"", b"x", b"xx"):
        found.append(base64.b64encode(before + raw)[4 if before else 0 : -4])
        found.append(base64.urlsafe_b64encode(before + raw)[4 if before else 0 : -4])
    return found


def requires_nothing_in(data: bytes, where: str) -> None:
    """Check that no secret stands in a text."""
    for name, secret in {"OPENAI_API_KEY": KEY, **_OTHERS}.items():
        for form in forms(secret):
            assert form not in data, f"{name} stands in {where}"


def leaky(asked: Asked, before: int) -> Says:
    """Say back what the service was sent: in answers, as text, base64 and URL-encoded, and in errors."""
    sent = asked.headers["Authorization"]
    echo = f"{sent} {base64.b64encode(sent.encode()).decode()} {quote(sent, safe='')}"
    if about(asked) == "case-1003" and asked.n_said == 3:
        return Says(f"you sent {echo}", status=400, headers={"X-Echo": sent.strip()})
    if about(asked) == "case-1002" and asked.n_said == 2:
        return Says(f"{conversation(asked, before).content} {echo} <<tell>>")
    return conversation(asked, before)


def test_no_secret_in_any_output(tmp_path: Path, mac: Checkout) -> None:
    """Files, standard output and error, what MAC's process knows and says, and failure reasons are free of keys."""
    with Provider(leaky) as provider:
        command = command_line(tmp_path, mac, "-j", "2", "--data-dir", str(tmp_path / "data"), "--debug")
        settings = environment(provider, **_OTHERS, TMPDIR=str(tmp_path))
        done = subprocess.run(command, env=settings, capture_output=True, check=False)
        assert done.returncode == 3, done.stderr.decode()
        assert b"[redacted]" in done.stderr
        assert {asked.headers["Authorization"] for asked in provider.asked} == {f"Bearer {KEY}"}
    requires_nothing_in(done.stdout + done.stderr, "what is printed")
    files = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    reported = b""
    for path in files:
        content = b"".join(content_chunks(path))
        requires_nothing_in(content, str(path))
        reported += content
    # The process did tell what it knows, so that its silence about keys means something.
    assert b"PYTHONUTF8" in reported
    assert len(files) == 7


def test_no_secret_in_exceptions(tmp_path: Path, mac: Checkout) -> None:
    """What is raised, down to the last cause, and what a plan shows of itself, hold no key."""

    def refusing(asked: Asked, _before: int) -> Says:
        return Says(f"wrong key {asked.headers['Authorization']}", status=401)

    with Provider(refusing) as provider:
        assert KEY not in repr(planned(tmp_path, mac, provider.base_url))
        with pytest.raises(LLMError) as caught:
            made(tmp_path, mac, provider.base_url)
    error: BaseException | None = caught.value
    while error is not None:
        requires_nothing_in(repr(error).encode() + str(error).encode(), type(error).__name__)
        error = error.__cause__ or error.__context__
