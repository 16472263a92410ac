"""What viewers are sent, in Python and compiled: the same."""

import asyncio
import ctypes
import errno
import gc
import os
import socket
import subprocess
import threading
import weakref
from collections.abc import AsyncIterator, Sequence
from dataclasses import astuple

import pytest

from tests.native import WAYS, native, needs_native
from tests.unit.media.watching import DELTA, KEY, MORE
from tests.unit.native.rig import LOOPBACK, Rig, open_socket
from tests.waiting import until
from whipbird.media.report_rounds import DueReport
from whipbird.native import Native
from whipbird.net.udp_socket import UdpSocket
from whipbird.rtp.packet import RtpPacket
from whipbird.rtp.rewriter import Rewriter
from whipbird.rtp.rtcp import (
    SenderReport,
    write_receiver_report,
    write_sdes,
    write_sender_report,
)
from whipbird.transport.srtp import PROFILES

NTP = 3_900_000_000 << 32


@pytest.fixture(params=WAYS)
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    made = Rig(request.param)
    yield made
    made.close()


@pytest.fixture
async def compiled_rig() -> AsyncIterator[Rig]:
    made = Rig(native())
    yield made
    made.close()


def frame(*sizes: int) -> tuple[bytes, ...]:
    """The payloads of a frame, of these sizes."""
    first, *rest = sizes
    return (DELTA.ljust(first, b"d"), *(MORE.ljust(size, b"m") for size in rest))


# Frames of one datagram, of many of one size, with a shorter and a longer one at the
# end, of more than one batch has, and of more than the kernel cuts.
FRAMES = [
    frame(20),
    frame(1000, 1000, 1000),
    frame(1000, 1000, 7),
    frame(500, 900, 900, 20, 20, 21),
    frame(*[1100] * 70),
    frame(*range(10, 50)),
]


def relative(packets: list[RtpPacket]) -> list[tuple[int, int, int, bytes]]:
    """Packets with numbers from 0 on."""
    first = packets[0]
    return [
        (
            (p.sequence - first.sequence) & 0xFFFF,
            (p.timestamp - first.timestamp) & 0xFFFFFFFF,
            p.payload_type | p.marker << 7,
            p.payload,
        )
        for p in packets
    ]


async def test_every_viewer_gets_every_packet(rig: Rig) -> None:
    for profile in PROFILES:
        for _ in range(2):
            rig.add(profile=profile, watching=True)
    await rig.source.play(KEY)
    for payloads in FRAMES:
        rig.source.send(*payloads)
        await rig.source.play(DELTA)
    expected = [KEY, *(p for payloads in FRAMES for p in (*payloads, DELTA))]
    found = [viewer.packets() for viewer in rig.viewers]
    for packets, viewer in zip(found, rig.viewers, strict=True):
        assert [p.payload for p in packets] == expected
        assert {(p.ssrc, p.payload_type) for p in packets} == {(7, 120)}
        assert relative(packets) == relative(found[0])
        rewriter = viewer.forwarder.rewriter
        assert rewriter.last_sequence == packets[-1].sequence
        assert rewriter.continued == len(expected)
        sent = viewer.forwarder.sent
        assert (sent.packets, sent.octets) == (len(expected), sum(map(len, expected)))


@needs_native
async def test_the_state_of_a_stream_is_that_of_python() -> None:
    """All attributes of a rewriter, after the same packets."""
    states = []
    for way in (None, native()):
        rig = Rig(way)
        viewer = rig.add()
        await rig.source.play(KEY)
        rewriter = viewer.forwarder.rewriter
        before = rewriter.last_sequence
        for payloads in FRAMES:
            rig.source.send(*payloads)
            await rig.source.play(DELTA)
        last = rewriter.last
        assert last is not None
        states.append(
            (
                (rewriter.last_sequence - before) & 0xFFFF,
                rewriter.continued,
                (rewriter.packets, rewriter.octets, rewriter.payload_type),
                last,
                rewriter.original(rewriter.last_sequence),
                (rewriter.timestamp_of(last.timestamp) - rewriter._last_timestamp),
                rewriter._live,
                rewriter.clock_rate,
            )
        )
        rig.close()
    assert states[0] == states[1]


async def test_retransmissions_and_rtcp_are_of_the_same_context(rig: Rig) -> None:
    """No number is used twice, whoever sends the packet."""
    viewer = rig.add()
    await rig.source.play(KEY, DELTA, DELTA)
    packets = viewer.packets()
    lost = packets[1]
    viewer.forwarder.retransmit([lost.sequence], 0.0)
    (again,) = viewer.packets()
    assert (again.ssrc, again.payload_type) == (8, 122)
    assert again.payload == lost.sequence.to_bytes(2) + lost.payload
    for _ in range(3):
        viewer.connection.send_rtcp(write_receiver_report(7, ()))
    reports = viewer.datagrams()
    assert len(set(reports)) == 3
    assert {viewer.srtp.unprotect_rtcp(r) for r in reports} == {
        write_receiver_report(7, ())
    }
    await rig.source.play(DELTA)
    (packet,) = viewer.packets()
    assert packet.sequence == (packets[-1].sequence + 1) & 0xFFFF


@needs_native
async def test_a_viewer_goes_from_one_way_to_the_other(compiled_rig: Rig) -> None:
    """What is held back for a thin path is Python's to send."""
    viewer, other = compiled_rig.add(), compiled_rig.add()
    await compiled_rig.source.play(KEY, DELTA)
    forwarder = viewer.forwarder
    assert forwarder.compiled_stream is forwarder.rewriter
    forwarder.set_redundancy(1)
    assert forwarder.compiled_stream is None
    await compiled_rig.source.play(DELTA)
    forwarder.set_redundancy(0)
    assert forwarder.compiled_stream is forwarder.rewriter
    await compiled_rig.source.play(DELTA)
    assert relative(viewer.packets()) == relative(other.packets())


async def test_what_is_held_back_arrives_in_its_order(rig: Rig) -> None:
    """A limited rate: the viewer is sent a part of each frame at a time."""
    viewer, other = rig.add(), rig.add()
    await rig.source.play(KEY, DELTA)
    forwarder = viewer.forwarder
    forwarder.pacer.limit(2_000_000)
    forwarder._choose_way()
    assert forwarder.compiled_stream is None
    rig.source.send(*frame(*[1000] * 30))
    await rig.source.play(DELTA)
    came, now = viewer.packets(), asyncio.get_running_loop().time()
    assert len(came) < 34
    for step in range(200):
        forwarder.handle_timeout(now + 0.01 * step)
        came += viewer.packets()
    assert relative(came) == relative(other.packets())
    assert len(came) == 33
    assert forwarder.rewriter.last_sequence == came[-1].sequence


@needs_native
@pytest.mark.parametrize("count", [3, 130])
async def test_many_threads_are_as_one(
    count: int, compiled_rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(4))
    for _ in range(count):
        compiled_rig.add()
    await compiled_rig.source.play(KEY)
    payloads = frame(*[200] * 32)
    compiled_rig.source.send(*payloads)
    await compiled_rig.source.play(DELTA)
    expected = [KEY, *payloads, DELTA]
    for viewer in compiled_rig.viewers:
        assert [p.payload for p in viewer.packets()] == expected


async def test_some_sockets_cannot_cut_batches(rig: Rig) -> None:
    """A network interface that cannot says so; then each datagram is sent alone."""
    viewer = rig.add()
    await rig.source.play(KEY)
    if rig.sender.compiled is None:
        rig.sender._segments = False
    else:
        rig.sender._unsent([b"x"], viewer.sock.getsockname(), errno.EIO)
        assert viewer.datagrams()[-1] == b"x"
        assert not rig.sender._segments
        assert not rig.sender.compiled.segments
    rig.source.send(*FRAMES[1])
    await rig.source.play(DELTA)
    assert [p.payload for p in viewer.packets()][-4:] == [*FRAMES[1], DELTA]


async def test_what_is_too_large_for_a_datagram_is_dropped_and_counted(
    rig: Rig,
) -> None:
    """Each alone: others in the same batch arrive. Nobody can be sent to port 0."""
    viewer = rig.add()
    nowhere = rig.add(remote=(LOOPBACK, 0))
    await rig.source.play(KEY)
    rig.source.send(*FRAMES[2])
    await rig.source.play(DELTA)
    assert len(viewer.packets()) == 5
    assert rig.sender.dropped == 5
    assert nowhere.forwarder.sent.packets == 5


@needs_native
async def test_a_closed_socket_sends_nothing(compiled_rig: Rig) -> None:
    """Its number may be another file's by then."""
    sender = open_socket(native())
    viewer = compiled_rig.add(sender)
    other = compiled_rig.add()
    await compiled_rig.source.play(KEY)
    assert len(viewer.packets()) == 1
    assert sender.compiled is not None
    sender.compiled.close()
    # Python's turn: its socket is open yet.
    await compiled_rig.source.play(DELTA)
    assert len(viewer.packets()) == 1
    assert len(other.packets()) == 2


@needs_native
async def test_what_waits_is_not_overtaken(compiled_rig: Rig) -> None:
    """Python keeps what the network does not take, and sends meanwhile."""
    viewer = compiled_rig.add()
    await compiled_rig.source.play(KEY)
    sender = compiled_rig.sender
    assert sender.compiled is not None
    sender._wait([b"first"], viewer.sock.getsockname())
    assert sender.compiled.is_blocked
    await compiled_rig.source.play(DELTA)
    await until(lambda: not sender.backlog(viewer.sock.getsockname()))
    await until(lambda: sender.compiled is not None and not sender.compiled.is_blocked)
    await compiled_rig.source.play(DELTA)
    datagrams = viewer.datagrams()
    assert datagrams[1] == b"first"
    del datagrams[1]
    found = [viewer.srtp.unprotect_rtp(d) for d in datagrams]
    assert [d[12:] for d in found] == [KEY, DELTA, DELTA]


def socket_that_takes_little() -> socket.socket:
    """A UDP socket in a network without neighbours: what it sends waits for them.

    Raises:
        OSError: when no such network can be made.
    """
    made: list[socket.socket] = []

    def make() -> None:
        # Of this thread alone.
        new_network = 0x40000000
        if ctypes.CDLL(None).unshare(new_network) == 0:
            for command in (
                "ip link add veth-a type veth peer name veth-b",
                "ip address add 198.51.100.1/24 dev veth-a",
                "ip link set veth-a up",
                "ip link set veth-b up",
            ):
                subprocess.run(command.split(), check=True, capture_output=True)
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind(("198.51.100.1", 0))
            sock.setblocking(False)
            made.append(sock)

    thread = threading.Thread(target=_quietly, args=(make,))
    thread.start()
    thread.join()
    if not made:
        raise OSError("no network can be made")
    return made[0]


def _quietly(make: object) -> None:
    try:
        make()  # type: ignore[operator]
    except (OSError, subprocess.CalledProcessError):
        return


@pytest.mark.parametrize("way", WAYS)
async def test_the_network_takes_nothing_more(way: Native | None) -> None:
    """What it does not take waits, each viewer's in its order, and is bounded."""
    try:
        sock = socket_that_takes_little()
    except OSError as error:
        pytest.skip(str(error))
    rig = Rig(way)
    sender: UdpSocket = open_socket(way, sock)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4608)
    for host in range(2, 7):
        rig.add(sender, (f"198.51.100.{host}", 5000))
    near, came = rig.add(), 0
    await rig.source.play(KEY)
    for _ in range(3):
        rig.source.send(*FRAMES[4])
        await asyncio.sleep(0)
        came += len(near.packets())
    await rig.source.play(DELTA)
    waiting = [sender.backlog((f"198.51.100.{host}", 5000)) for host in range(2, 7)]
    assert all(1100 * 70 < octets < 1160 * 211 for octets in waiting)
    if sender.compiled is not None:
        assert sender.compiled.is_blocked
    assert came + len(near.packets()) == 212
    assert all(viewer.forwarder.sent.packets == 212 for viewer in rig.viewers)
    rig.close()


@needs_native
async def test_nothing_stays_of_a_viewer_that_leaves() -> None:
    rig = Rig(native())
    viewer = rig.add()
    await rig.source.play(KEY, DELTA)
    gone = [
        weakref.ref(found)
        for found in (viewer.forwarder, viewer.connection, rig.sender)
    ]
    viewer.forwarder.leave()
    rig.close()
    assert astuple(viewer.forwarder.sent)[0] == 2
    del viewer, rig
    gc.collect()
    assert [ref() for ref in gone] == [None, None, None]


@needs_native
async def test_sender_reports_are_those_of_python() -> None:
    """Of several viewers and both ciphers, from several sockets: the same octets."""
    found = []
    for way in (None, native()):
        rig = Rig(way)
        other = open_socket(way)
        for profile in PROFILES:
            rig.add(profile=profile)
            rig.add(profile=profile, sender=other)
        await rig.source.play(KEY, DELTA)
        due: list[DueReport] = []
        for number, viewer in enumerate(rig.viewers):
            viewer.datagrams()
            tails = write_sdes(7, "name"), write_sdes(7, "name" * number)
            due += [(viewer.forwarder.rewriter, 2**32 - 5, tail) for tail in tails]
        others: Sequence[int] = range(len(due))
        if way is not None:
            others = way.send_reports(due, NTP)
            assert list(others) == []
        for number in others:
            rewriter, timestamp, tail = due[number]
            report = SenderReport(7, NTP, timestamp, rewriter.packets, rewriter.octets)
            connection = rig.viewers[number // 2].connection
            connection.send_rtcp(write_sender_report(report) + tail)
        sent = [viewer.datagrams() for viewer in rig.viewers]
        assert [len(datagrams) for datagrams in sent] == [2] * len(rig.viewers)
        found.append(sent)
        for viewer, datagrams in zip(rig.viewers, sent, strict=True):
            for datagram in datagrams:
                viewer.srtp.unprotect_rtcp(datagram)
        rig.close()
    assert found[0] == found[1]


@needs_native
async def test_sender_reports_that_python_has_to_send(compiled_rig: Rig) -> None:
    """There is no connection, or the socket takes nothing now; others are sent."""
    way, rig = native(), compiled_rig
    there, waiting, gone = rig.add(), rig.add(sender=open_socket(way)), rig.add()
    await rig.source.play(KEY)
    assert waiting.connection._sender.compiled is not None
    waiting.connection._sender.compiled.is_blocked = True
    gone.connection._outlet.clear()
    there.datagrams()
    tail = write_sdes(7, "name")
    streams = [viewer.forwarder.rewriter for viewer in rig.viewers]
    plain = Rewriter(7, sequence=0, timestamp=0)
    due = [(stream, 9, tail) for stream in (*streams, plain)]
    packets = there.connection._outlet.packets
    assert list(way.send_reports(due, NTP)) == [1, 2, 3]
    assert there.connection._outlet.packets == packets + 1
    (report,) = there.datagrams()
    assert there.srtp.unprotect_rtcp(report).endswith(tail)
