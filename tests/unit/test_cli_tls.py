"""The commands over HTTPS: a certificate of one's own, and files that will not do."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.certificates import write_tls_files
from tests.server import ServerProcess


async def whipbird(*arguments: str) -> tuple[int, str]:
    """The exit code and all output of a command."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "whipbird", *arguments],
        capture_output=True,
        text=True,
        timeout=90,
    )
    return done.returncode, done.stdout + done.stderr


async def test_ping_takes_a_self_signed_certificate_by_its_fingerprint() -> None:
    server = ServerProcess("--tls-self-signed", "--ice-loopback")
    await server.start()
    try:
        url = server.url.replace("http:", "https:") + "/whip/test"
        found = re.search(r"SHA-256 ([0-9A-F:]{95})\n", server.output)
        assert found is not None
        assert "  Page:  https://" in server.output
        code, output = await whipbird("ping", url, "-c", "1")
        assert code == 1
        assert "is not trusted: self-signed certificate" in output
        good = ("--tls-fingerprint", found[1])
        code, output = await whipbird("ping", url, "-c", "1", *good)
        assert code == 0, output
        wrong = ("--tls-fingerprint", "00" * 32)
        code, output = await whipbird("ping", url, "-c", "1", *wrong)
        assert code == 1
        assert f"its SHA-256 digest is {found[1]}" in output
        code, output = await whipbird("check", url, "--only", "get-endpoint", *good)
        assert code == 0, output
        # Who has accepted it need not do so again.
        await server.terminate()
        await server.start()
        assert server.output.count(f"SHA-256 {found[1]}\n") == 2
    finally:
        await server.stop()


@pytest.mark.parametrize(
    ("options", "code", "reason"),
    [
        (["--tls-cert", "{cert}"], 2, 'set "tls_cert" and "tls_key" together'),
        (["--tls-redirect"], 2, "tls_redirect: it needs HTTPS"),
        (["--hsts", "5"], 2, "hsts: it needs HTTPS"),
        (["--tls-cert", "{cert}", "--tls-key", "{key}"], 1, "has expired on"),
        (["--tls-cert", "{key}", "--tls-key", "{key}"], 1, "has no certificate"),
    ],
)
async def test_serve_says_what_is_wrong_with_tls(
    tmp_path: Path, options: list[str], code: int, reason: str
) -> None:
    cert, key = write_tls_files(tmp_path, begins=-2, ends=-1)
    given = [option.format(cert=cert, key=key) for option in options]
    found, output = await whipbird("serve", "--port", "0", *given)
    assert found == code
    assert reason in output
    assert "Traceback" not in output
