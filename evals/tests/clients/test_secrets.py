"""Secrets: where they come from, and how they are taken out of texts."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaid_evals.artifacts.redaction import REDACTED, Redactor
from exaid_evals.cli.main import run
from exaid_evals.clients.completion import json_object
from exaid_evals.clients.endpoint import endpoint_of
from exaid_evals.errors import ConfigError
from exaid_evals.monitor.environment import secret_in_keys
from timing import growth
from torture.encodings import ENCODINGS

KEY = "sk-planted/+key=0123456789"


@given(before=st.binary(max_size=7), after=st.binary(max_size=7))
def test_a_secret_inside_base64_is_found_at_any_offset(before: bytes, after: bytes) -> None:
    """Whatever was encoded together with it, no run of the secret's own base64 is left."""
    encoded = base64.b64encode(before + KEY.encode() + after).decode()
    inner = base64.b64encode(KEY.encode())[4:-4].decode()
    redacted = Redactor([KEY]).stored(encoded)
    assert REDACTED in redacted
    assert inner not in redacted


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("secret", [KEY, 'pass "word" & <more>\\é/=+%', "correct horse battery staple", "a/b+c=d&e"])
def test_every_way_of_writing_a_secret_is_found(secret: str, encoding: str) -> None:
    """As a whole, wherever it stands, and nothing around it is taken along."""
    written = ENCODINGS[encoding](secret)
    assert Redactor([secret]).stored(f"it is {written}, you see") == f"it is {REDACTED}, you see"


@pytest.mark.parametrize("pump", ["s", "sk-", "\\", "%25", "&amp;", "bearer ", "a:", "```x\n", '"', "AIza", "eyJ"])
def test_no_text_takes_long(pump: str) -> None:
    """200 kB of whatever leads a pattern astray: of keys, of addresses in configurations, of fences in answers."""

    def seen(length: int) -> None:
        text = (pump * length)[:length]
        Redactor([KEY]).shown(text)
        secret_in_keys({text: 1})
        with pytest.raises(ValueError, match="not JSON"):
            json_object(text)

    assert growth(seen, 20_000, times=10) < 40


@pytest.mark.parametrize(
    "arguments",
    [
        ["run-variants", "--stub", "--model"],
        ["make-traces", "--llm"],
        ["explain", "main", "V3"],
        ["validate", "--limit"],
    ],
)
def test_a_key_on_the_command_line_is_refused_and_not_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """Whatever the option is for, and however the value is wrong for it."""
    key = "sk-proj-0123456789abcdefXYZ"
    assert run([*arguments, key, "--data-dir", str(tmp_path / "data")]) == 2
    said = "".join(capsys.readouterr())
    assert key not in said
    assert "looks like a key" in said or "[redacted]" in said or "No such option" in said
    assert not (tmp_path / "data").exists()


def test_what_is_stored_loses_nothing_but_secrets() -> None:
    """A local server's key such as `none` is not a secret that would be taken out of a model's every sentence."""
    assert Redactor(["none", "test"]).stored("none stated in the test") == "none stated in the test"
    assert "Bearer" in Redactor([]).shown("Authorization: Bearer abcdefgh12345678")
    assert "abcdefgh" not in Redactor([]).shown("Authorization: Bearer abcdefgh12345678")
    assert Redactor([]).shown("key sk-abcdefghijklmnop1234!") == f"key {REDACTED}!"


def test_each_provider_has_its_own_key_and_url() -> None:
    """Google's key never goes to OpenAI's URL, and each is named in the error when it is missing."""
    environment = {"OPENAI_API_KEY": "openai-key", "OPENAI_BASE_URL": "http://one/v1", "GOOGLE_API_KEY": "google-key"}
    google, openai = endpoint_of("google", environment), endpoint_of("openai", environment)
    assert (google.key, google.base_url) == (
        "google-key",
        "https://generativelanguage.googleapis.com/v1beta/openai",
    )
    assert (openai.key, openai.base_url) == ("openai-key", "http://one/v1")
    with pytest.raises(ConfigError, match="GOOGLE_API_KEY"):
        endpoint_of("google", {"OPENAI_API_KEY": "openai-key"}).check()


@pytest.mark.parametrize("url", ["ftp://host/v1", "host:80", "http://", "http://host:notaport/v1", "https://[::1"])
def test_a_base_url_that_is_none_is_an_error_that_does_not_show_it(url: str) -> None:
    """It may hold a password, so only the variable is named."""
    with pytest.raises(ConfigError, match="OPENAI_BASE_URL") as caught:
        endpoint_of("openai", {"OPENAI_API_KEY": "key-of-mine", "OPENAI_BASE_URL": url}).check()
    assert url not in str(caught.value)


@pytest.mark.parametrize("key", ["two words", "smart“quotes”", "line\nbreak"])
def test_a_malformed_key_is_an_error_that_does_not_show_it(key: str) -> None:
    """HTTP libraries put a header that they cannot encode into their message; it never gets so far."""
    with pytest.raises(ConfigError, match="OPENAI_API_KEY") as caught:
        endpoint_of("openai", {"OPENAI_API_KEY": key}).check()
    assert key not in str(caught.value)


def test_user_password_and_query_of_the_base_url_are_secrets() -> None:
    """They are neither shown nor left in texts; a harmless parameter is."""
    url = "https://someuser:pass%2Fword99@host:8443/v1?token=querysecret&api-version=2024-06-01"
    endpoint = endpoint_of("openai", {"OPENAI_API_KEY": "key-of-mine", "OPENAI_BASE_URL": url})
    assert endpoint.shown == "https://host:8443/v1"
    assert endpoint.query == {"token": "querysecret", "api-version": "2024-06-01"}
    text = "someuser pass/word99 pass%2Fword99 querysecret 2024-06-01"
    assert endpoint.redactor.stored(text) == f"{REDACTED} {REDACTED} {REDACTED} {REDACTED} 2024-06-01"
    assert "querysecret" not in repr(endpoint)
    assert "key-of-mine" not in repr(endpoint)
