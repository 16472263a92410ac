"""The certificate of HTTPS: checked, loaded again, made."""

import logging
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.certificates import write_tls_files
from whipbird.http import tls
from whipbird.http.self_signed import SelfSigned
from whipbird.http.tls import TlsError, TlsFiles


def served(context: ssl.SSLContext) -> bytes:
    """The certificate, in DER, that a client is shown."""
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname = False
    client_context.verify_mode = ssl.CERT_NONE
    client_in, client_out = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(client_in, client_out)
    server = context.wrap_bio(client_out, client_in, server_side=True)
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    found = client.getpeercert(binary_form=True)
    assert found is not None
    return found


def test_files_are_used(tmp_path: Path) -> None:
    certificate, key = write_tls_files(tmp_path)
    found = served(TlsFiles(certificate, key)())
    expected = x509.load_pem_x509_certificate(certificate.read_bytes())
    assert found == expected.public_bytes(serialization.Encoding.DER)


def test_expired(tmp_path: Path) -> None:
    with pytest.raises(TlsError, match=r"cert\.pem has expired on \d{4}-\d\d-\d\d"):
        TlsFiles(*write_tls_files(tmp_path, begins=-3, ends=-1))


def test_not_valid_yet(tmp_path: Path) -> None:
    with pytest.raises(TlsError, match=r"cert\.pem is not valid before"):
        TlsFiles(*write_tls_files(tmp_path, begins=1))


def test_of_two_pairs(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    certificate, _ = write_tls_files(tmp_path)
    _, key = write_tls_files(tmp_path / "other")
    with pytest.raises(TlsError, match=r"key\.pem is not that of the certificate"):
        TlsFiles(certificate, key)


def test_of_wrong_kinds(tmp_path: Path) -> None:
    certificate, key = write_tls_files(tmp_path)
    missing = tmp_path / "missing"
    with pytest.raises(TlsError, match="missing: No such file"):
        TlsFiles(missing, key)
    with pytest.raises(TlsError, match="missing: No such file"):
        TlsFiles(certificate, missing)
    with pytest.raises(TlsError, match="Is a directory"):
        TlsFiles(tmp_path, key)
    with pytest.raises(TlsError, match="has no certificate in PEM"):
        TlsFiles(key, key)
    with pytest.raises(TlsError, match="has no private key in PEM"):
        TlsFiles(certificate, certificate)


def test_an_encrypted_key(tmp_path: Path) -> None:
    """Nobody is asked for a passphrase."""
    certificate, key = write_tls_files(tmp_path)
    private = serialization.load_pem_private_key(key.read_bytes(), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(TlsError, match="is encrypted"):
        TlsFiles(certificate, key)


def test_a_new_certificate_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "LOOK_INTERVAL", 0.0)
    files = TlsFiles(*write_tls_files(tmp_path))
    before = files()
    assert files() is before
    write_tls_files(tmp_path)
    assert served(files()) != served(before)


def test_a_broken_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said once; a later one is used."""
    monkeypatch.setattr(tls, "LOOK_INTERVAL", 0.0)
    certificate, key = write_tls_files(tmp_path)
    files = TlsFiles(certificate, key)
    before = files()
    certificate.write_bytes(b"half of")
    with caplog.at_level(logging.WARNING):
        assert files() is before
        assert files() is before
    [record] = caplog.records
    assert "stays the old one" in record.getMessage()
    certificate.unlink()
    assert files() is before
    write_tls_files(tmp_path)
    assert files() is not before


def test_they_are_not_looked_at_for_each_connection(tmp_path: Path) -> None:
    files = TlsFiles(*write_tls_files(tmp_path))
    before = files()
    write_tls_files(tmp_path)
    assert files() is before


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_modern_tls_only(version: ssl.TLSVersion) -> None:
    context = SelfSigned(["localhost"])()
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert version <= context.maximum_version or context.maximum_version < 0
    for cipher in context.get_ciphers():
        assert cipher["aead"], cipher
