"""The floods: what is sent, how often, and what bounds its cost."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from . import channels, datagrams, media, requests
from .attacker import paced, paced_requests
from .datagrams import Strike
from .requests import Ask

# Datagrams per second: what a core of the server can take of the cheap ones is more.
PACKETS = 3000
# ... of packets for which it has much to do.
HEAVY = 500
# HTTP requests, or connections, per second.
REQUESTS = 300


@dataclass(frozen=True, slots=True)
class Flood:
    """One kind of flood.

    Attributes:
        name: on the command line.
        title: what is repeated.
        rate: how many per second.
        defence: what bounds its cost.
        packets: makes what sends one datagram; None for requests.
        requests: makes what sends one request; None for datagrams.
    """

    name: str
    title: str
    rate: int
    defence: str
    packets: Callable[[str], AbstractAsyncContextManager[Strike]] | None = None
    requests: Callable[[str], AbstractAsyncContextManager[Ask]] | None = None


def _packets(
    make: Callable[[str], AbstractAsyncContextManager[Strike]],
    title: str,
    defence: str,
    rate: int = PACKETS,
) -> Flood:
    name = make.__name__.replace("_", "-")
    return Flood(name, title, rate, defence, packets=make)


def _requests(
    make: Callable[[str], AbstractAsyncContextManager[Ask]],
    title: str,
    defence: str,
    rate: int = REQUESTS,
) -> Flood:
    name = make.__name__.replace("_", "-")
    return Flood(name, title, rate, defence, requests=make)


FLOODS = (
    _packets(datagrams.noise, "random UDP", "dropped by the address"),
    _packets(
        datagrams.unknown_checks, "STUN for no session", "dropped by the user name"
    ),
    _packets(
        datagrams.wrong_passwords,
        "STUN, wrong password",
        "HMAC first; answered with an error of less than its size",
    ),
    _packets(datagrams.right_checks, "STUN, right password", "answered, 1 to 1"),
    _packets(
        datagrams.forged_records,
        "forged DTLS records before a handshake",
        "dropped unless they are a ClientHello",
    ),
    _packets(
        datagrams.forged_hellos,
        "forged ClientHellos on a path that waits for one",
        "one handshake for a session; sessions are limited",
    ),
    _packets(
        datagrams.records_in_session,
        "DTLS records that are not authentic, from a session's path",
        "dropped by OpenSSL",
    ),
    _packets(
        datagrams.large_datagrams, "datagrams of 9,000 octets", "dropped by their size"
    ),
    _packets(channels.inits, "SCTP INIT", "one answer each; no state"),
    _packets(channels.cookies, "SCTP COOKIE ECHO, forged", "HMAC"),
    _packets(channels.garbage, "SCTP garbage", "dropped at the first unsound chunk"),
    _packets(
        channels.heartbeats,
        "80 SCTP HEARTBEATs in a packet",
        "64 answers in a turn",
        HEAVY,
    ),
    _packets(
        channels.resets,
        "RE-CONFIG, 256 streams each",
        "one request of a packet, 500 a second",
    ),
    _packets(
        channels.opens,
        "35 data-channel OPENs in a packet",
        "a number of channels; the receive window",
        HEAVY,
    ),
    _packets(
        channels.octets,
        "55 messages of one octet in a packet",
        "256 octets more each of `echo_buffer`",
        HEAVY,
    ),
    _packets(channels.unread, "echo that nobody acknowledges", "`echo_buffer`"),
    _packets(channels.holes, "messages with holes between them", "the receive window"),
    _packets(channels.gaps, "SACKs with 250 gaps", "one SACK of a packet"),
    _packets(channels.skips, "FORWARD TSN with 256 streams", "one pass of a packet"),
    _packets(media.new_sources, "RTP, each packet a new SSRC", "64 SSRCs are kept"),
    _packets(media.leaps, "RTP, each packet far ahead", "1,000 missing of a source"),
    _packets(
        media.new_reporters,
        "RTCP, each packet a new SSRC",
        "400 a second; 64 SSRCs are kept",
    ),
    _packets(
        media.nacks,
        "NACKs for 5,440 packets each",
        "400 a second; 1,000 numbers of a datagram, 4,000 a second; retransmissions "
        "by `Allowance`",
    ),
    _packets(
        media.key_frames,
        "60 PLI and FIR in a packet",
        "400 a second; 16 of a datagram; one request a second to the publisher",
    ),
    _packets(
        media.reports,
        "RR of 31 blocks, REMB, XR, transport-wide feedback",
        "400 a second; 16 of a datagram",
    ),
    _requests(
        requests.posts,
        "POSTs that never connect, 64 candidates each",
        "`post_rate`, `max_client_connecting`",
    ),
    _requests(requests.bad_offers, "POSTs of malformed SDP", "`post_rate`"),
    _requests(
        requests.restarts,
        "restarts by PATCH, 64 candidates each",
        "`patch_rate`; each counts as 20",
    ),
    _requests(requests.aborted_posts, "POSTs cut off by a reset", "`post_rate`"),
    _requests(
        requests.malformed, "malformed Host, target or request", "400; `request_rate`"
    ),
    _requests(requests.pages, "requests for the page", "`request_rate`", 1000),
    _requests(
        requests.silent,
        "silent connections",
        "`max_connections`: the address with most loses its oldest",
        1000,
    ),
    _requests(
        requests.slow_heads, "heads that never end", "as above; 75 s for a head", 1000
    ),
    _requests(
        requests.slow_bodies, "bodies that never end", "`post_rate`; 10 s for a body"
    ),
    _requests(
        requests.slow_readers,
        "responses that nobody reads",
        "`max_connections`; 60 s without progress",
    ),
)

BY_NAME = {flood.name: flood for flood in FLOODS}


async def rounds(
    flood: Flood, url: str, seconds: float
) -> AsyncGenerator[tuple[str, int]]:
    """Run a flood.

    Returns:
        First ``("ready", 0)``, when all is prepared; then, when the caller goes on,
        ``("sent", count)`` after the given time. What is held is held until the end.
    """
    if flood.packets is not None:
        async with flood.packets(url) as strike:
            yield "ready", 0
            yield "sent", await paced(strike, flood.rate, seconds)
    else:
        assert flood.requests is not None
        async with flood.requests(url) as ask:
            yield "ready", 0
            yield "sent", await paced_requests(ask, flood.rate, seconds)
