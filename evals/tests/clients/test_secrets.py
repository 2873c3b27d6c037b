"""Secrets: where they come from, and how they are taken out of texts."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaid_evals.clients.endpoint import REDACTED, Redactor, endpoint_of
from exaid_evals.errors import ConfigError

KEY = "sk-planted/+key=0123456789"


@given(before=st.binary(max_size=7), after=st.binary(max_size=7))
def test_a_secret_inside_base64_is_found_at_any_offset(before: bytes, after: bytes) -> None:
    """Whatever was encoded together with it, no run of the secret's own base64 is left."""
    encoded = base64.b64encode(before + KEY.encode() + after).decode()
    inner = base64.b64encode(KEY.encode())[4:-4].decode()
    redacted = Redactor([KEY]).stored(encoded)
    assert REDACTED in redacted
    assert inner not in redacted


def test_every_way_of_writing_a_secret_is_found() -> None:
    """Raw, URL-encoded, base64 and hexadecimal."""
    written = [
        KEY,
        quote(KEY),
        quote(KEY, safe=""),
        KEY.encode().hex(),
        base64.urlsafe_b64encode(KEY.encode()).decode(),
    ]
    for text in written:
        assert Redactor([KEY]).stored(f"it is {text}, you see") == f"it is {REDACTED}, you see"


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
