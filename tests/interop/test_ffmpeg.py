"""FFmpeg's own WHIP muxer, through PyAV: it has no candidates and does not trickle."""

import asyncio
import datetime
import sys
from pathlib import Path

import av
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pytest_aiohttp.plugin import AiohttpServer

from tests.waiting import until
from whipbird.app import STORE, create_app
from whipbird.config import Settings
from whipbird.rtc.receiver import Receiver
from whipbird.sessions import EndReason, Session

FRAMES = 60

PUBLISH = """
import sys, time
from fractions import Fraction
import av

url, folder, frames, options = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]
flags = dict(option.split("=") for option in options)
flags |= {"cert_file": f"{folder}/cert.pem", "key_file": f"{folder}/key.pem"}
with av.open(url, "w", format="whip", options=flags) as output:
    video = output.add_stream("libx264", rate=30)
    video.width, video.height, video.pix_fmt = 640, 360, "yuv420p"
    video.options = {"profile": "baseline", "preset": "ultrafast", "bf": "0"}
    audio = output.add_stream("libopus", rate=48000, layout="stereo")
    start = time.monotonic()
    for n in range(frames):
        frame = av.VideoFrame(640, 360, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes([4 * n % 256]) * plane.buffer_size)
        frame.pts, frame.time_base = n, Fraction(1, 30)
        for packet in video.encode(frame):
            output.mux(packet)
        sound = av.AudioFrame("s16", "stereo", 1600)
        sound.planes[0].update(bytes(sound.planes[0].buffer_size))
        sound.pts, sound.rate, sound.time_base = 1600 * n, 48000, Fraction(1, 48000)
        for packet in audio.encode(sound):
            output.mux(packet)
        time.sleep(max(0.0, start + n / 30 - time.monotonic()))
    for packet in video.encode():
        output.mux(packet)
"""


def _write_certificate(folder: Path) -> None:
    """A certificate on P-256: FFmpeg's own, by GnuTLS, may be on a curve too small."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "publisher")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


@pytest.mark.skipif(
    "whip" not in av.formats_available, reason="this FFmpeg has no WHIP muxer"
)
@pytest.mark.parametrize("options", [(), ("whip_flags=dtls_active",)])
async def test_ffmpeg_publishes(
    aiohttp_server: AiohttpServer, tmp_path: Path, options: tuple[str, ...]
) -> None:
    app = create_app(Settings())
    server = await aiohttp_server(app)
    _write_certificate(tmp_path)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PUBLISH, str(server.make_url("/whip/ffmpeg"))),
        *(str(tmp_path), str(FRAMES), *options),
        stderr=asyncio.subprocess.PIPE,
    )
    sessions: list[Session] = []

    def opened() -> bool:
        sessions[:] = app[STORE]._sessions.values()
        return bool(sessions)

    await until(opened)
    session = sessions[0]
    async with asyncio.timeout(60):
        _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    await until(lambda: session.reason)
    assert session.reason is EndReason.DELETED
    packets = {}
    for transceiver in session.peer.getTransceivers():
        assert isinstance(transceiver.receiver, Receiver)
        packets[transceiver.kind] = transceiver.receiver.packets
    # Some of the last may still be under way when FFmpeg sends its DELETE.
    assert packets["video"] >= 0.9 * FRAMES
    assert packets["audio"] >= 0.9 * FRAMES * 50 / 30
