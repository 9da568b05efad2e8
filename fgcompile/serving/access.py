"""Who may ask, and whether others on the way can read it: a token and TLS, the same for both listeners."""

from __future__ import annotations

import hmac
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from fgcompile.artifact.regular import read_regular
from fgcompile.errors import InputError

_SCHEME = b"bearer "
_SHORTEST = 16


@dataclass(frozen=True)
class Access:
    """What a client needs.

    Attributes:
        token: What it has to know; None where anybody may ask.
        certificate: The chain of certificates, PEM; None without TLS.
        key: The certificate's private key, PEM.
    """

    token: bytes | None = field(default=None, repr=False)
    certificate: bytes | None = None
    key: bytes | None = field(default=None, repr=False)

    def admits(self, authorization: bytes | None) -> bool:
        """Whether an ``Authorization`` header has the token, found out in a time that does not tell."""
        if self.token is None:
            return True
        given = authorization or b""
        scheme = given[: len(_SCHEME)].lower() == _SCHEME
        return hmac.compare_digest(given[len(_SCHEME) :].strip(), self.token) and scheme


def read_access(certificate: Path | None, key: Path | None, token: Path | None) -> Access:
    """What the files say.

    Raises:
        InputError: One cannot be read, or is not what it should be.
    """
    if (certificate is None) != (key is None):
        raise InputError("TLS needs a certificate and its key: give both")
    secret = _read(token, "token").strip() if token else None
    if secret is not None and (len(secret) < _SHORTEST or not secret.isascii() or len(secret.split()) != 1):
        raise InputError(f"the token in {token} has to be one word of at least {_SHORTEST} characters of ASCII")
    if certificate is None or key is None:
        return Access(secret)
    access = Access(secret, _read(certificate, "certificate"), _read(key, "key"))
    open_tls(certificate, key)
    return access


def open_tls(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 or newer with a certificate.

    Raises:
        InputError: The files are none, or do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key, password=_refuse_password)
    except (OSError, ValueError) as error:
        raise InputError(f"{certificate} and {key} are no certificate with its key ({error})") from error
    return context


def _refuse_password() -> str:
    raise ValueError("the key is encrypted: give one without a password")


def _read(path: Path, what: str) -> bytes:
    try:
        return read_regular(path)
    except OSError as error:
        raise InputError(f"cannot read the {what} {path}: {error.strerror}") from error
