"""The modules of the page that know about media, without a page around them."""

from typing import Any

import pytest

from .ping_page import PingPage

pytestmark = pytest.mark.asyncio(loop_scope="session")

DASH = "\N{EN DASH}"


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("formatCodec('H264')", "H.264"),
        ("formatCodec('video/H265')", "H.265"),
        ("formatCodec('opus')", "Opus"),
        ("formatCodec('VP8')", "VP8"),
        ("formatCodec(null)", DASH),
        ("formatSize(1280, 720)", "1280 \N{MULTIPLICATION SIGN} 720"),
        ("formatSize(null, null)", DASH),
        ("formatSize(undefined, undefined)", DASH),
        ("formatFrameRate(29.97)", "30 fps"),
        ("formatFrameRate(0)", "0 fps"),
        ("formatFrameRate(undefined)", DASH),
        ("formatBitrate(0)", "0 kb/s"),
        ("formatBitrate(999_400)", "999 kb/s"),
        ("formatBitrate(2_496_000)", "2.50 Mb/s"),
        ("formatBitrate(null)", DASH),
        ("formatShare(0)", "0 %"),
        ("formatShare(0.0004)", "<0.1 %"),
        ("formatShare(0.0213)", "2.1 %"),
        ("formatShare(0.5)", "50 %"),
        ("formatShare(null)", DASH),
        ("formatRtt(0.00123)", "1.2 ms"),
        ("formatRtt(0.123)", "123 ms"),
        ("formatDuration(0.4)", "0 s"),
        ("formatDuration(59.9)", "59 s"),
        ("formatDuration(125)", "2 min 5 s"),
        ("formatDuration(7200)", "2 h 0 min"),
        ("formatDuration(200000)", "2 d 7 h"),
        ("formatOctets(0)", "0 kB"),
        ("formatOctets(1)", "1 kB"),
        ("formatOctets(12_345_678)", "12.3 MB"),
        ("formatOctets(2_000_000_000)", "2.00 GB"),
        # The day is told if it is another one. The time zone is the browser's.
        (
            "formatMoment('2031-02-03T12:00:00', new Date('2031-02-04T12:00:00'))",
            "3 Feb 2031, 12:00",
        ),
        (
            "formatMoment('2031-02-03T12:00:09', new Date('2031-02-03T20:00:00'))",
            "12:00:09",
        ),
        ("lossOf({ packets: 98, lost: 2, recovered: 0 })", 0.02),
        # Packets recovered over RTX are not lost.
        ("lossOf({ packets: 98, lost: 2, recovered: 2 })", 0),
        ("lossOf({ packets: 0, lost: 0, recovered: 0 })", None),
    ],
)
async def test_figures_in_words(modules: PingPage, call: str, text: Any) -> None:
    said = await modules.run(
        f"async () => {{ const words = await import('/media/media-words.js'); "
        f"return words.{call}; }}"
    )
    if isinstance(said, str):
        said = said.replace("\N{NO-BREAK SPACE}", " ")
    assert said == text


async def test_encodings(modules: PingPage) -> None:
    plain, layers = await modules.run(
        """async () => {
            const { encodingsFor } = await import('/media/encoding.js');
            const wish = { codec: '', bitrate: 900_000, frameRate: 30 };
            return [false, true].map(
                (simulcast) => encodingsFor({ ...wish, simulcast }));
        }"""
    )
    assert plain == [{"maxBitrate": 900_000, "maxFramerate": 30}]
    assert [
        (e["rid"], e["scaleResolutionDownBy"], e["maxBitrate"]) for e in layers
    ] == [("q", 4, 100_000), ("h", 2, 300_000), ("f", 1, 900_000)]
    assert all(encoding["maxFramerate"] == 30 for encoding in layers)


async def test_a_chosen_codec_is_the_only_one_offered(modules: PingPage) -> None:
    offered = await modules.run(
        """async () => {
            const { addTracks, sendableCodecs } = await import('/media/encoding.js');
            const { startPattern } = await import('/media/test-pattern.js');
            const size = { width: 64, height: 36, frameRate: 5, audio: false };
            const { media, stop } = startPattern(size);
            const offers = {};
            for (const codec of ['', ...sendableCodecs()]) {
                const pc = new RTCPeerConnection();
                addTracks(pc, media,
                    { codec, bitrate: 1e5, frameRate: 5, simulcast: false });
                const { sdp } = await pc.createOffer();
                offers[codec] = [...new Set([...sdp.matchAll(/a=rtpmap:\\d+ (\\w+)/g)]
                    .map(([, name]) => `video/${name}`))];
                pc.close();
            }
            stop();
            return offers;
        }"""
    )
    everything = offered.pop("")
    assert "video/VP8" in offered
    assert set(offered) < set(everything)
    for codec, names in offered.items():
        assert set(names) == {codec, "video/rtx"}


@pytest.mark.parametrize(
    ("hash_", "place"),
    [
        ("", ["ping", ""]),
        ("#", ["ping", ""]),
        ("#publish", ["publish", ""]),
        ("#publish/", ["publish", ""]),
        ("#publish/a.b~c", ["publish", "a.b~c"]),
        ("#publish/a%20b", ["publish", "a b"]),
        ("#publish/%", ["publish", "%"]),
        ("#publish/a/b", ["publish", "a/b"]),
        ("#toString", ["ping", ""]),
        ("#watch/x", ["ping", ""]),
    ],
)
async def test_places(modules: PingPage, hash_: str, place: list[str]) -> None:
    said = await modules.run(
        """async (hash) => {
            const { placeOf } = await import('/ui/navigation.js');
            const { view, stream } = placeOf(hash, ['ping', 'publish', 'streams']);
            return [view, stream];
        }""",
        hash_,
    )
    assert said == place


async def test_polling(modules: PingPage) -> None:
    runs = await modules.run(
        """async () => {
            const { Poll } = await import('/ui/poll.js');
            const seen = { most: 0 };
            let [count, now, release] = [0, 0, null];
            const poll = new Poll(async () => {
                count += 1;
                now += 1;
                seen.most = Math.max(seen.most, now);
                if (count === 3) await new Promise((resolve) => { release = resolve; });
                now -= 1;
            }, 1);
            const wait = (test) => new Promise((resolve) => {
                const timer = setInterval(
                    () => test() && (clearInterval(timer), resolve()), 1);
            });
            poll.start();
            await wait(() => release);
            // Stopped in the middle of one: no other follows.
            poll.stop();
            release();
            await wait(() => now === 0);
            const stopped = count;
            await new Promise((resolve) => setTimeout(resolve, 20));
            return [stopped, count, seen.most];
        }"""
    )
    assert runs == [3, 3, 1]


async def test_a_link_to_a_recording_has_its_ticket(modules: PingPage) -> None:
    links = await modules.run(
        """async () => {
            const { downloadOf } = await import('/resources/recordings-api.js');
            return [null, 'a&b'].map((ticket) => downloadOf({ file: 'x.mp4', ticket }));
        }"""
    )
    path = f"{modules.url}/api/recordings/x.mp4"
    assert links == [path, f"{path}?ticket=a%26b"]


async def test_a_page_that_is_behind_gets_no_backlog_of_ticks(
    modules: PingPage,
) -> None:
    """After a sleep, or with slow drawing, all else would wait for them."""
    later = await modules.run(
        """async () => {
            const { startTicking } = await import('/ui/ticker.js');
            let calls = 0;
            let begun;
            const [stop, passed] = await new Promise((resolve) => {
                const stop = startTicking(() => {
                    calls += 1;
                    const now = performance.now();
                    if (calls <= 5) while (performance.now() < now + 100);
                    if (calls === 5) begun = performance.now();
                    if (calls === 15) resolve([stop, performance.now() - begun]);
                }, 10);
            });
            stop();
            return passed;
        }"""
    )
    assert later > 50
