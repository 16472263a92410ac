"""How long a played stream is delayed, and how long it should be: pure modules."""

from typing import Any

import pytest

from .ping_page import PingPage

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: Runs readings `[seconds, loss, rtt, jitter]` through an `AutomaticDelay`.
_FOLLOW = """async (readings) => {
    const { AutomaticDelay } = await import('/media/delay.js');
    const automatic = new AutomaticDelay();
    return readings.map(([second, loss, rtt, jitter]) => automatic.update(
        { video: { loss, jitter }, audio: null, rtt }, 1000 * second));
}"""


async def follow(modules: PingPage, readings: list[list[Any]]) -> list[float]:
    """The targets after each reading, in milliseconds."""
    targets: list[float] = await modules.run(_FOLLOW, readings)
    return targets


@pytest.mark.parametrize(
    ("video", "audio", "rtt", "picture", "sound"),
    [
        (0.25, 1, 0.5, 0.5, 1.25),
        (None, 1, 0.5, None, 1.25),
        (0.25, None, None, 0.25, None),
        (None, None, 0.5, None, None),
    ],
)
async def test_delay_there_is(
    modules: PingPage,
    video: float | None,
    audio: float | None,
    rtt: float | None,
    picture: float | None,
    sound: float | None,
) -> None:
    found = await modules.run(
        """async ([video, audio, rtt]) => {
            const { delaysOf } = await import('/media/delay.js');
            return delaysOf({ video: { wait: video }, audio: { wait: audio }, rtt });
        }""",
        [video, audio, rtt],
    )
    assert found == {"video": picture, "audio": sound}
    nothing = await modules.run(
        """async () => (await import('/media/delay.js'))
            .delaysOf({ video: null, audio: null, rtt: null })"""
    )
    assert nothing == {"video": None, "audio": None}


@pytest.mark.parametrize(
    ("loss", "rtt", "jitter", "target"),
    [
        (0, 50, 5, 0),
        (0.004, 300, 100, 0),
        # The more is lost, the more round trips it takes until nothing is missing.
        (0.01, 0, 0, 30),
        (0.01, 50, 5, 80),
        (0.05, 50, 5, 130),
        (0.1, 50, 5, 130),
        (0.2, 50, 5, 230),
        # Copies do without a round trip.
        (0.2, 1, 3, 40),
        (0.2, 300, 50, 500),
        (1, 0, 0, 30),
        (1, 50, 0, 480),
    ],
)
async def test_delay_that_loss_needs(
    modules: PingPage, loss: float, rtt: float, jitter: float, target: float
) -> None:
    found = await modules.run(
        """async (path) => (await import('/media/delay.js')).delayFor(...path)""",
        [loss, rtt, jitter],
    )
    assert found == target


async def test_a_clean_path_has_no_delay(modules: PingPage) -> None:
    readings = [[second, 0, 0.2, 0.05] for second in range(30)]
    assert await follow(modules, readings) == [0] * 30


async def test_it_grows_with_loss_at_once_and_falls_late(modules: PingPage) -> None:
    lossy = [[second, 0.1, 0.05, 0] for second in range(10)]
    clean = [[10 + second, 0, 0.05, 0] for second in range(60)]
    targets = await follow(modules, lossy + clean)
    assert targets[0] == targets[9] == 130
    # Loss goes on for a while in the average, and may come again.
    assert targets[20] == 130
    assert targets[-1] == 0
    assert sorted(targets[9:], reverse=True) == targets[9:]
    # Each change is seen and heard: there are few.
    assert len(set(targets)) <= 4


async def test_one_lost_packet_is_no_loss(modules: PingPage) -> None:
    readings = [[second, 0.01 * (second == 5), 0.05, 0] for second in range(10)]
    assert await follow(modules, readings) == [0] * 10


async def test_without_packets_it_stays(modules: PingPage) -> None:
    readings = [[second, None, 0.05, 0] for second in range(60)]
    readings[0][1] = 0.1
    assert await follow(modules, readings) == [130] * 60


async def test_unknown_round_trips_and_jitter_count_nothing(modules: PingPage) -> None:
    assert await follow(modules, [[0, 0.1, None, None]]) == [30]


async def test_the_worse_of_picture_and_sound_counts(modules: PingPage) -> None:
    found = await modules.run(
        """async () => {
            const { AutomaticDelay } = await import('/media/delay.js');
            const of = (video, audio) =>
                new AutomaticDelay().update({ video, audio, rtt: 0.05 }, 0);
            const [clean, lossy] = [0, 0.1].map((loss) => ({ loss, jitter: 0.004 }));
            return [of(clean, clean), of(clean, lossy), of(lossy, clean),
                of(lossy, null), of(null, lossy)];
        }"""
    )
    assert found == [0, 130, 130, 130, 130]


@pytest.mark.parametrize(
    ("video", "audio", "words"),
    [
        (0.1, 0.05, "Delay: the picture 100 ms, the sound 50 ms (half a round trip,"),
        (0.1, None, "Delay: the picture 100 ms (half a round trip, and"),
        (None, 0.05, "Delay: the sound 50 ms (half a round trip, and"),
        (None, None, "Delay: half a round trip, and the time in this browser"),
    ],
)
async def test_delay_in_words(
    modules: PingPage, video: float | None, audio: float | None, words: str
) -> None:
    said = await modules.run(
        """async ([video, audio]) =>
            (await import('/media/delay-words.js')).describeDelays(
            { video: { wait: video }, audio: { wait: audio }, rtt: null })""",
        [video, audio],
    )
    assert said.replace("\N{NO-BREAK SPACE}", " ").startswith(words)
    assert said.endswith("What the publisher takes is not in it.")


@pytest.mark.parametrize(
    ("choice", "target", "words"),
    [
        ("0", 80, "Shortest: what comes late is left out"),
        ("500", 80, "At least 0.5 s: time for late and lost packets"),
        ("auto", 0, "Automatic: as short as possible, because next to no packets get"),
        ("auto", 80, "Automatic: at least 80 ms, so that lost packets (4.2 %) can"),
    ],
)
async def test_choice_in_words(
    modules: PingPage, choice: str, target: int, words: str
) -> None:
    said = await modules.run(
        """async ([choice, target]) => (await import('/media/delay-words.js'))
            .describeChoice(choice, { target, loss: 0.042 })""",
        [choice, target],
    )
    said = said.replace("\N{NO-BREAK SPACE}", " ")
    assert said.startswith(words)
