"""Certificates of our own, and the file that keeps them."""

import ipaddress
import logging
import os
import stat
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from whipbird.http.self_signed import LIFETIME, MAX_NAMES, RENEW_AHEAD, SelfSigned

from .test_tls import served

NOW = datetime.now(UTC).replace(microsecond=0)


def names_of(made: SelfSigned) -> list[str]:
    certificate = x509.load_der_x509_certificate(served(made()))
    names = certificate.extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    ).value
    return [
        *names.get_values_for_type(x509.DNSName),
        *map(str, names.get_values_for_type(x509.IPAddress)),
    ]


def test_it_is_for_its_names() -> None:
    made = SelfSigned(["localhost", "198.51.100.7", "2001:db8::7", "localhost"])
    assert names_of(made) == ["localhost", "198.51.100.7", "2001:db8::7"]
    assert ipaddress.ip_address(names_of(made)[2]).version == 6
    assert len(made.fingerprint) == 95
    assert made.problem is None
    assert made.fingerprint != SelfSigned(["localhost"]).fingerprint


def test_it_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "state" / "self-signed.pem"
    first = SelfSigned(["localhost", "198.51.100.7"], file)
    again = SelfSigned(["198.51.100.7"], file)
    assert again.fingerprint == first.fingerprint
    assert served(again()) == served(first())
    assert [entry.name for entry in file.parent.iterdir()] == [file.name]


@pytest.mark.skipif(sys.platform == "win32", reason="no such modes there")
def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    file = tmp_path / "state" / "self-signed.pem"
    SelfSigned(["localhost"], file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_new_name_makes_another_for_the_old_names_too(tmp_path: Path) -> None:
    file = tmp_path / "self-signed.pem"
    home = SelfSigned(["localhost", "192.168.0.7"], file)
    office = SelfSigned(["localhost", "10.1.0.7"], file)
    assert office.fingerprint != home.fingerprint
    # Back at home nobody has to accept another one.
    assert SelfSigned(["192.168.0.7"], file).fingerprint == office.fingerprint
    assert names_of(office) == ["localhost", "10.1.0.7", "192.168.0.7"]


def test_names_are_bounded(tmp_path: Path) -> None:
    file = tmp_path / "self-signed.pem"
    for number in range(3):
        made = SelfSigned([f"10.0.{number}.{last}" for last in range(30)], file)
    assert len(names_of(made)) == MAX_NAMES
    assert "10.0.2.0" in names_of(made)


@pytest.mark.parametrize(("days", "is_new"), [(-1, False), (1, True)])
def test_it_is_renewed_at_the_start(tmp_path: Path, days: int, is_new: bool) -> None:
    file = tmp_path / "self-signed.pem"
    first = SelfSigned(["localhost"], file)
    later = NOW + LIFETIME - RENEW_AHEAD + timedelta(days=days)
    again = SelfSigned(["localhost"], file, lambda: later)
    assert (again.fingerprint != first.fingerprint) is is_new


def test_it_is_renewed_while_the_server_runs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    now = NOW
    file = tmp_path / "self-signed.pem"
    made = SelfSigned(["localhost"], file, lambda: now)
    before, context = made.fingerprint, made()
    assert made() is context
    now += LIFETIME - RENEW_AHEAD + timedelta(days=1)
    assert made() is not context
    assert made.fingerprint != before
    assert caplog.messages == [
        f"The TLS certificate is new: SHA-256 {made.fingerprint}"
    ]
    kept = SelfSigned(["localhost"], file, lambda: now)
    assert kept.fingerprint == made.fingerprint


@pytest.mark.parametrize("content", [b"", b"-----BEGIN CERTIFICATE-----\n", b"\0\xff"])
def test_a_file_that_is_damaged_is_replaced(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "self-signed.pem"
    file.write_bytes(content)
    made = SelfSigned(["localhost"], file)
    assert "no certificate that can be used" in caplog.text
    assert SelfSigned(["localhost"], file).fingerprint == made.fingerprint


def test_the_key_of_another_certificate_is_not_used(tmp_path: Path) -> None:
    one, other = tmp_path / "one.pem", tmp_path / "other.pem"
    SelfSigned(["localhost"], one)
    SelfSigned(["localhost"], other)
    end = "-----END PRIVATE KEY-----\n"
    key = one.read_text().partition(end)[0] + end
    one.write_text(key + other.read_text().partition(end)[2])
    mixed = one.read_bytes()
    SelfSigned(["localhost"], one)
    assert one.read_bytes() != mixed


def test_a_folder_that_cannot_be_used_is_a_problem_only(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    made = SelfSigned(["localhost"], tmp_path / "state" / "self-signed.pem")
    assert made.problem is not None
    assert os.fspath(tmp_path / "state") in made.problem
    assert served(made())
