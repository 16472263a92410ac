"""Floods of datagrams from outside of any session, or from a session's own path."""

import os
import random
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from whipbird.transport.stun import binding_request

from .attacker import (
    Attacker,
    attribute,
    data_offer,
    http_session,
    post_offer,
    udp_socket,
)

Strike = Callable[[], None]
"""Sends one hostile datagram or packet."""


@asynccontextmanager
async def noise(url: str) -> AsyncIterator[Strike]:
    """Random octets, of random sizes, from an address that has no session."""
    with udp_socket(url) as sock:
        datagrams = [os.urandom(random.randint(1, 1400)) for _ in range(256)]
        yield lambda: _send(sock.send, random.choice(datagrams))


@asynccontextmanager
async def unknown_checks(url: str) -> AsyncIterator[Strike]:
    """STUN checks for sessions that do not exist."""
    with udp_socket(url) as sock:
        yield lambda: _send(
            sock.send, _check(secrets.token_hex(2).encode() + b":x", b"wrong")
        )


@asynccontextmanager
async def wrong_passwords(url: str) -> AsyncIterator[Strike]:
    """STUN checks with the user name of a session, and a wrong password."""
    async with http_session() as http:
        answer = await post_offer(http, url, data_offer())
    ufrag = attribute(answer, "ice-ufrag").encode()
    with udp_socket(url) as sock:
        yield lambda: _send(sock.send, _check(ufrag + b":x", b"wrong"))


@asynccontextmanager
async def right_checks(url: str) -> AsyncIterator[Strike]:
    """STUN checks with the right password: each is answered."""
    async with http_session() as http:
        offer = data_offer()
        answer = await post_offer(http, url, offer)
    user = f"{attribute(answer, 'ice-ufrag')}:{attribute(offer, 'ice-ufrag')}".encode()
    password = attribute(answer, "ice-pwd").encode()
    with udp_socket(url) as sock:
        yield lambda: _send(sock.send, _check(user, password))


@asynccontextmanager
async def forged_hellos(url: str) -> AsyncIterator[Strike]:
    """ClientHellos that differ, on a path that waits for one."""
    async with _verified_path(url) as send:
        yield lambda: _send(send, client_hello())


@asynccontextmanager
async def forged_records(url: str) -> AsyncIterator[Strike]:
    """Records of any kind, on a path that waits for a ClientHello."""
    async with _verified_path(url) as send:
        yield lambda: _send(
            send, bytes((random.randint(20, 63),)) + b"\xfe\xfd" + os.urandom(200)
        )


@asynccontextmanager
async def records_in_session(url: str) -> AsyncIterator[Strike]:
    """Application data that is not authentic, on the path of a session."""
    async with connected(url) as attacker:
        header = b"\x17\xfe\xfd\x00\x01"
        yield lambda: attacker.send_raw(
            header + secrets.token_bytes(6) + (600).to_bytes(2) + bytes(600)
        )


@asynccontextmanager
async def large_datagrams(url: str) -> AsyncIterator[Strike]:
    """Datagrams of 9,000 octets that look like media, on the path of a session."""
    async with connected(url, media=True) as attacker:
        body = b"\x80\x60" + bytes(8998)
        yield lambda: attacker.send_raw(body)


@asynccontextmanager
async def connected(url: str, *, media: bool = False) -> AsyncIterator[Attacker]:
    """A session of the attackers, with a data channel, or as a publisher."""
    async with Attacker(url) as attacker:
        if media:
            attacker.peer.addTransceiver("video", direction="sendonly")
            await attacker.connect()
        else:
            channel = attacker.peer.createDataChannel("flood")
            await attacker.connect()
            await attacker.opened(channel)
        yield attacker


@asynccontextmanager
async def _verified_path(url: str) -> AsyncIterator[Callable[[bytes], object]]:
    """A path on which the server waits for the client's handshake."""
    async with http_session() as http:
        offer = data_offer()
        answer = await post_offer(http, url, offer)
    user = f"{attribute(answer, 'ice-ufrag')}:{attribute(offer, 'ice-ufrag')}".encode()
    password = attribute(answer, "ice-pwd").encode()
    with udp_socket(url) as sock:
        for _ in range(3):
            _send(sock.send, _check(user, password, nominates=True))
        yield sock.send


def _check(user: bytes, password: bytes, *, nominates: bool = False) -> bytes:
    return binding_request(
        secrets.token_bytes(12),
        username=user,
        key=password,
        priority=1,
        controlling=True,
        tie_breaker=secrets.randbits(64),
        nominates=nominates,
    )


def client_hello() -> bytes:
    """A ClientHello of DTLS 1.2 that OpenSSL takes (RFC 6347 section 4.2.1)."""
    extensions = bytes.fromhex(
        "000a00060004001d0017"  # supported_groups: x25519, secp256r1
        "000b00020100"  # ec_point_formats: uncompressed
        "000d000a00080403050308040401"  # signature_algorithms
        "000e00050002000700"  # use_srtp: AES-128-GCM
        "00170000"  # extended_master_secret
    )
    body = (
        b"\xfe\xfd"
        + secrets.token_bytes(32)
        + bytes(2)  # no session, no cookie
        + bytes.fromhex("0004c02bc02f")  # cipher suites
        + bytes.fromhex("0100")  # no compression
        + len(extensions).to_bytes(2)
        + extensions
    )
    size = len(body).to_bytes(3)
    message = b"\x01" + size + bytes(2) + bytes(3) + size + body
    return b"\x16\xfe\xfd" + bytes(8) + len(message).to_bytes(2) + message


def _send(send: Callable[[bytes], object], datagram: bytes) -> None:
    """Send a datagram; a full buffer, or a port that is closed, harms nobody."""
    try:
        send(datagram)
    except OSError:
        return
