"""WHIP: opens a session; later looks at its connection, and at its echo."""

import asyncio
import secrets

from ..client import WhipClient, WhipError
from ..sdp.candidate import Candidate
from ..sdp.errors import SdpError
from ..sdp.parser import parse_description
from ..sdp.transport import candidates
from ..transport.path import Path
from .finding import Finding, State, failed, ok, skipped, warning
from .subject import Subject

CHECK = "WHIP"
CONNECTION = "Connection"
ECHO = "Echo"

# What is offered, until the server accepts it. A data channel alone takes no name from
# a publisher; not all servers know one.
OFFERS = (("application",), ("audio", "video", "application"), ("audio", "video"))

# Refusals that do not depend on what is offered.
_FINAL = frozenset((401, 403, 404, 405, 409, 421, 429, 501, 502, 503, 504))

_NO_ENDPOINT = frozenset((404, 405, 501))
_GATEWAY = frozenset((502, 504))

# Seconds within which a message comes back.
ECHO_TIMEOUT = 3.0


async def open_session(subject: Subject) -> list[Finding]:
    """POST an offer, and begin to connect."""
    refusal: WhipError | None = None
    for kinds in OFFERS:
        client = subject.client = _new_client(subject, kinds)
        try:
            await client.post()
            break
        except WhipError as error:
            refusal = refusal or error
            await client.close()
            subject.client = subject.channel = None
            if error.status is None or error.status in _FINAL:
                break
    if subject.client is None:
        assert refusal is not None
        subject.stopped = "there is no session"
        return [judge_refusal(refusal, has_token=subject.options.token is not None)]
    subject.candidates = _candidates_of(subject.client.answer)
    subject.connecting = asyncio.create_task(subject.client.connected())
    # It may fail while other checks are made.
    subject.connecting.add_done_callback(lambda t: t.cancelled() or t.exception())
    return [ok(CHECK, f"the server has answered the offer ({' and '.join(kinds)})")]


def _new_client(subject: Subject, kinds: tuple[str, ...]) -> WhipClient:
    client = WhipClient(
        str(subject.endpoint),
        token=subject.options.token,
        timeout=subject.options.timeout,
        tls_fingerprint=subject.fingerprint,
    )
    for kind in kinds:
        if kind == "application":
            subject.channel = client.peer.createDataChannel("whipbird-doctor")
        else:
            client.peer.addTransceiver(kind, "sendonly")
    return client


def judge_refusal(error: WhipError, *, has_token: bool) -> Finding:
    """Say why there is no session."""
    status = error.status
    advice = "See the log of the server."
    if status is None:
        advice = "Is this machine connected, and does the server run?"
    elif status == 401:
        advice = (
            "Is it the right token, and has it expired?"
            if has_token
            else "Give one with --token-file."
        )
    elif status == 403:
        advice = "The token is known, but has no right to publish under this name."
    elif status in _NO_ENDPOINT:
        advice = "Is this the URL of a WHIP endpoint? Whipbird's end with /whip/NAME."
    elif status == 409:
        advice = "Somebody else publishes under this name: use another one in the URL."
    elif status == 421:
        advice = "Add this name to the setting allowed_hosts of the server."
    elif status == 429:
        advice = "Wait: it has had too many requests from this address."
    elif status in _GATEWAY:
        advice = "A proxy does not reach the server: does it run?"
    elif status == 503:
        advice = (
            "It is full or about to stop; see its settings max_sessions and others."
        )
    elif 300 <= status < 400:
        advice = "Use the URL that it redirects to, or let it redirect with 308."
    elif status < 300:
        advice = "Is this the URL of a WHIP endpoint?"
    # Where there is no better one, the detail is a question that the advice answers.
    text = f"{status} {error.title}" if error.detail.endswith("?") else str(error)
    return failed(CHECK, text, advice)


def _candidates_of(answer: str) -> tuple[Candidate, ...]:
    try:
        sections = parse_description(answer).media
        found = [c for section in sections for c in candidates(section)]
    except SdpError:
        return ()
    return tuple(dict.fromkeys(c for c in found if c.component == 1 and c.port))


# The connection


async def connection(subject: Subject) -> list[Finding]:
    """Wait for the connection, and say which way it goes."""
    client, connecting = subject.client, subject.connecting
    assert client is not None
    assert connecting is not None
    try:
        await connecting
    except WhipError as error:
        subject.stopped = "there is no connection"
        return [judge_connection(error, subject.udp_answers, subject.tcp_answers)]
    ice = client.peer.connection.transport.ice
    assert ice.selected is not None
    return [ok(CONNECTION, describe_path(ice.selected, client, ice.rtt))]


def describe_path(path: Path, client: WhipClient, rtt: float | None) -> str:
    """The way of a connection, in words."""
    kind = client.peer.candidate_type or "unknown"
    taken = "" if rtt is None else f", round trip {rtt * 1e3:.1f} ms"
    how = "through a TURN server," if client.peer.is_relayed else "UDP"
    return (
        f"{how} from {path.local[0]} port {path.local[1]} to {path.remote[0]} port "
        f"{path.remote[1]} ({kind} candidate){taken}"
    )


def judge_connection(
    error: WhipError, udp_answers: bool | None, tcp_answers: bool | None
) -> Finding:
    """Say why there is no connection, as far as the other checks tell."""
    if udp_answers:
        return failed(
            CONNECTION,
            f"UDP gets through, but {error.detail}",
            "ICE or DTLS fails: see the log of the server, and try whipbird check.",
        )
    if tcp_answers:
        return failed(
            CONNECTION,
            "none over UDP",
            "Browsers connect over TCP here; whipbird ping and publish, OBS and FFmpeg "
            "need UDP, or a TURN server.",
        )
    return failed(
        CONNECTION, error.detail, "Mend what UDP and TCP say above, or add TURN."
    )


# The echo


async def echo(subject: Subject) -> list[Finding]:
    """Send a message, and wait for it to come back."""
    client, channel = subject.client, subject.channel
    assert client is not None
    if channel is None:
        return [skipped(ECHO, "the server takes no data channels")]
    messages: asyncio.Queue[str | bytes] = asyncio.Queue()
    channel.on("message", messages.put_nowait)
    try:
        await client.opened(channel)
    except WhipError as error:
        return [judge_channel(error, is_whipbird=subject.is_whipbird)]
    loop = asyncio.get_running_loop()
    text = secrets.token_hex(8)
    begin = loop.time()
    channel.send(text)
    try:
        async with asyncio.timeout(min(ECHO_TIMEOUT, subject.options.timeout)):
            while await messages.get() != text:
                pass
    except TimeoutError:
        return [judge_silence(is_whipbird=subject.is_whipbird)]
    taken = (loop.time() - begin) * 1e3
    return [ok(ECHO, f"a message came back on a data channel after {taken:.1f} ms")]


def judge_channel(error: WhipError, *, is_whipbird: bool) -> Finding:
    """Judge a data channel that does not open."""
    if is_whipbird:
        return failed(ECHO, str(error), "See the log of the server.")
    return skipped(ECHO, "the server opens no data channel")


def judge_silence(*, is_whipbird: bool) -> Finding:
    """Judge a message that does not come back."""
    if is_whipbird:
        advice = "The path loses much, or the server is busy: try whipbird ping."
        return warning(ECHO, "the data channel is open, but nothing comes back", advice)
    return Finding(ECHO, State.OK, "the data channel is open; the server has no echo")
