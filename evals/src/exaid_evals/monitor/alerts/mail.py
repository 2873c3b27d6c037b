"""Alerts by e-mail."""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from collections.abc import Mapping
from email.message import EmailMessage

from exaid_evals.artifacts.printable import printable, printable_lines
from exaid_evals.errors import ConfigError
from exaid_evals.monitor.alerts.base import Alert, DeliveryError
from exaid_evals.monitor.environment import secret
from exaid_evals.monitor.settings import EmailConfig

_MOST_IN_SUBJECT = 150


class MailChannel:
    """Hands alerts to a mail server, over an encrypted connection unless the configuration says `none`."""

    name = "email"

    def __init__(self, config: EmailConfig, timeout: float) -> None:
        """Prepare to send; nothing is connected.

        Args:
            config: server, addresses, and the variables of user and password.
            timeout: seconds, of connecting and of each answer.

        Raises:
            ConfigError: a variable is not set; the certificates cannot be read.
        """
        self._config, self._timeout = config, timeout
        self._login: tuple[str, str] | None = None
        if config.username is not None and config.password is not None:
            self._login = (
                secret(config.username, "alerts.email.username"),
                secret(config.password, "alerts.email.password"),
            )
        try:
            self._context = ssl.create_default_context(cafile=str(config.ca_file) if config.ca_file else None)
        except (OSError, ssl.SSLError) as error:
            where = f"alerts.email.ca_file: {config.ca_file}"
            raise ConfigError(f"cannot be read ({error})", where=where, remedy="name a file in PEM form") from None

    def send(self, alert: Alert) -> None:
        """Send an alert to all recipients.

        Raises:
            DeliveryError: the server could not be reached, refused user or password, or took no recipient.
        """
        message = EmailMessage()
        # A line end in a name would begin a header of its own.
        message["Subject"] = printable(alert.subject)[:_MOST_IN_SUBJECT]
        message["From"] = self._config.sender
        message["To"] = ", ".join(self._config.recipients)
        message.set_content(printable_lines(alert.body))
        try:
            refused = self._delivered(message)
        except smtplib.SMTPAuthenticationError:
            raise DeliveryError("the server refused user or password", lasting=True) from None
        except ssl.SSLCertVerificationError as error:
            raise DeliveryError(f"the certificate is not trusted ({error.verify_message})", lasting=True) from None
        except smtplib.SMTPResponseException as error:
            raise DeliveryError(f"the server answered {error.smtp_code}", lasting=error.smtp_code >= 500) from None
        except TimeoutError:
            raise DeliveryError("no answer in time") from None
        except (OSError, smtplib.SMTPException, UnicodeError) as error:
            # smtplib wraps what happens while it reads an answer.
            late = isinstance(error.__context__, TimeoutError)
            raise DeliveryError("no answer in time" if late else type(error).__name__) from None
        if refused:
            raise DeliveryError(f"{len(refused)} of {len(self._config.recipients)} recipients refused", lasting=True)

    def _delivered(self, message: EmailMessage) -> Mapping[str, object]:
        """Hand over a message, and return the recipients that were refused."""
        server = self._connected()
        try:
            if self._login is not None:
                server.login(*self._login)
            refused = server.send_message(message)
            # The message is with the server: no answer to the farewell may have it sent again.
            with contextlib.suppress(OSError, smtplib.SMTPException):
                server.quit()
        finally:
            server.close()
        return refused

    def _connected(self) -> smtplib.SMTP:
        host, port = self._config.host, self._config.port
        if self._config.security == "ssl":
            return smtplib.SMTP_SSL(host, port, timeout=self._timeout, context=self._context)
        server = smtplib.SMTP(host, port, timeout=self._timeout)
        if self._config.security == "starttls":
            try:
                server.starttls(context=self._context)
            except BaseException:
                server.close()
                raise
        return server
