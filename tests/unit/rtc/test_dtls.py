"""The DTLS transport: one context for all, and a clean end."""

import pytest
from aiortc import RTCDtlsTransport
from aiortc.rtcdtlstransport import SRTP_PROFILES
from OpenSSL import SSL

from tests.unit.rtc.conftest import Connect, sctp_of
from tests.waiting import until
from whipbird.rtc import Certificate


def test_peers_share_one_context(certificate: Certificate) -> None:
    first = certificate._create_ssl_context(SRTP_PROFILES)
    assert certificate._create_ssl_context(SRTP_PROFILES) is first


def test_rsa_servers_are_understood(certificate: Certificate) -> None:
    connection = SSL.Connection(certificate._create_ssl_context(SRTP_PROFILES))
    ciphers = connection.get_cipher_list()
    assert any(name.startswith("ECDHE-RSA") for name in ciphers)
    assert any(name.startswith("ECDHE-ECDSA") for name in ciphers)


async def test_the_peer_says_good_bye(connect: Connect) -> None:
    pair = await connect()
    await pair.client.close()
    await until(lambda: pair.server.connectionState == "closed")
    assert pair.server.closed_by_peer
    assert not pair.client.closed_by_peer


async def test_records_that_are_not_authentic_are_dropped(connect: Connect) -> None:
    pair = await connect()
    transport = pair.server.transport
    received: list[bytes] = []
    pair.server.on_message = lambda *message: received.append(message[2])
    for first in (20, 21, 22, 23, 24, 40, 63, 128, 191, 192):
        transport._receive_datagram(bytes([first]) + bytes(60))
        transport._receive_datagram(bytes([first]))
    pair.channel.send(b"still here")
    await until(lambda: received)
    assert pair.server.connectionState == "connected"


async def test_sending_on_a_closed_transport_is_an_error(connect: Connect) -> None:
    pair = await connect()
    await pair.client.close()
    with pytest.raises(ConnectionError):
        pair.client.transport.send_packet(b"late")
    assert not sctp_of(pair.client).send_message(pair.channel, 53, b"late")


async def test_octets_are_counted(connect: Connect) -> None:
    pair = await connect()
    stats = pair.server.transport._get_stats()
    (transport,) = stats.values()
    assert transport.packetsSent > 0
    assert transport.bytesReceived > 0


def test_what_aiortc_must_have() -> None:
    """The private parts that are overridden: a new aiortc may rename them."""
    for name in ("_RTCDtlsTransport__run", "_send_data", "_set_state", "_set_role"):
        assert callable(getattr(RTCDtlsTransport, name)), name
