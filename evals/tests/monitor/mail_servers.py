"""Mail servers on loopback, with a certificate that was made for the test."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER, PASSWORD = "trainer", "hunter2-of-the-test"


@dataclass
class Mailbox:
    """What a server received.

    Attributes:
        port: of the server.
        messages: their text, in order.
        logins: user names that were tried.
    """

    port: int = 0
    messages: list[str] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """Take a message."""
        self.messages.append(bytes(envelope.content or b"").decode("utf-8"))
        return "250 OK"

    def authenticate(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
        """Take the one user."""
        assert isinstance(given, LoginPassword)
        self.logins.append(given.login.decode())
        right = (given.login.decode(), given.password.decode()) == (USER, PASSWORD)
        return AuthResult(success=right, handled=False)


@contextmanager
def mail_server(certificate: Path | None = None, *, security: str = "none", login: bool = False) -> Iterator[Mailbox]:
    """Run a mail server.

    Args:
        certificate: file with key and certificate.
        security: `none`, `starttls` (then required), `ssl`.
        login: whether user and password are required.
    """
    box = Mailbox()
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    settings: dict[str, Any] = {"hostname": "127.0.0.1", "port": 0}
    if login:
        settings |= {
            "authenticator": box.authenticate, "auth_required": True, "auth_require_tls": security == "starttls",
        }  # fmt: skip
    if security == "ssl":
        controller: Controller = _Port(box, ssl_context=context, **settings)
    elif security == "starttls":
        controller = _Port(box, tls_context=context, require_starttls=True, **settings)
    else:
        controller = _Port(box, **settings)
    controller.start()
    try:
        box.port = controller.server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        yield box
    finally:
        controller.stop()


class _Port(Controller):
    """Takes any free port, and knows it before it looks at itself."""

    def _trigger_server(self) -> None:
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        if self.ssl_context is None:
            super()._trigger_server()
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection((self.hostname, self.port), 5) as plain, context.wrap_socket(plain) as wrapped:
            wrapped.recv(1)

    def factory(self) -> SMTP:
        """Make a server that announces a fixed name: looking up the machine's own may take seconds."""
        self.SMTP_kwargs["hostname"] = "mail.test"
        return super().factory()


def make_certificate(folder: Path, name: str = "127.0.0.1") -> Path:
    """Write a key and a self-signed certificate for an address into one file, and return it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(name))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path
