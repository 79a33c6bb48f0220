"""A throw-away authority and a certificate that it signed, made by the `openssl` of this machine."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

_AUTHORITY = """
[req]
distinguished_name = name
prompt = no
x509_extensions = authority
[name]
CN = an authority of one test
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
"""
_SERVER = """
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = DNS:{host}
"""
_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    server: ssl.SSLContext
    """Shows a certificate for the host."""
    client: ssl.SSLContext
    """Trusts the authority, and nobody else."""


def certificates(folder: Path, host: str) -> Certificates:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on this machine")
    (folder / "authority.cnf").write_text(_AUTHORITY)
    (folder / "server.ext").write_text(_SERVER.format(host=host))
    _openssl(
        folder, "req -x509 -config authority.cnf -days 2 -keyout authority.key -out authority.pem", *_NEW_KEY
    )
    _openssl(
        folder, "req -config authority.cnf -subj /CN=server -keyout server.key -out server.csr", *_NEW_KEY
    )
    _openssl(
        folder,
        "x509 -req -in server.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days 2"
        " -extfile server.ext -out server.pem",
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "server.pem", folder / "server.key")
    return Certificates(
        server=server, client=ssl.create_default_context(cafile=str(folder / "authority.pem"))
    )


def _openssl(folder: Path, command: str, *more: str) -> None:
    subprocess.run(["openssl", *command.split(), *more], cwd=folder, check=True, capture_output=True)
