"""The page's pure modules, run where they live: in a browser."""

from typing import Any

import pytest

from .ping_page import PingPage

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_statistics(modules: PingPage) -> None:
    summary: dict[str, Any] = await modules.run(
        """async () => {
            const { RttStatistics } = await import('/ping/rtt-statistics.js');
            const statistics = new RttStatistics();
            for (let i = 1; i <= 100; i += 1) statistics.add(i, i);
            statistics.add(101, null);
            return statistics.summary();
        }"""
    )
    assert summary == {
        "answered": 100,
        "lost": 1,
        "late": 0,
        "last": 100,
        "min": 1,
        "average": 50.5,
        "p95": 95,
        "max": 100,
    }


async def test_statistics_of_nothing(modules: PingPage) -> None:
    summary = await modules.run(
        """async () => {
            const { RttStatistics } = await import('/ping/rtt-statistics.js');
            const statistics = new RttStatistics();
            statistics.add(1, 5);
            statistics.reset();
            return statistics.summary();
        }"""
    )
    assert summary.pop("answered") == summary.pop("lost") == summary.pop("late") == 0
    assert set(summary.values()) == {None}


async def test_statistics_are_about_all_pings_and_keep_the_latest(
    modules: PingPage,
) -> None:
    summary, recent = await modules.run(
        """async () => {
            const { RttStatistics } = await import('/ping/rtt-statistics.js');
            const statistics = new RttStatistics(3);
            [9, null, 2, 4].forEach((rtt, i) => statistics.add(i, rtt));
            return [statistics.summary(), statistics.recent(2)];
        }"""
    )
    assert (summary["answered"], summary["lost"]) == (3, 1)
    assert (summary["min"], summary["max"], summary["last"]) == (2, 9, 4)
    assert summary["average"] == 5
    assert recent == [{"sequence": 2, "rtt": 2}, {"sequence": 3, "rtt": 4}]


async def test_late_losses_find_their_place(modules: PingPage) -> None:
    recent = await modules.run(
        """async () => {
            const { RttStatistics } = await import('/ping/rtt-statistics.js');
            const statistics = new RttStatistics(5);
            for (const [sequence, rtt] of
                [[1, 1], [4, 1], [2, null], [5, 1], [3, null], [6, 1]])
                statistics.add(sequence, rtt);
            return statistics.recent(9).map(({ sequence }) => sequence);
        }"""
    )
    assert recent == [2, 3, 4, 5, 6]


async def test_phases_of_a_setup_add_up(modules: PingPage) -> None:
    names, durations, total, gathering = await modules.run(
        """async () => {
            const { phases, totalTime } = await import('/views/timeline.js');
            // What the browser tells late, here DTLS, happened in time all the same.
            const marks = new Map(Object.entries({ start: 100, offered: 140.04,
                posted: 140.04, answered: 150.06, gathering: 150.5, applied: 151,
                iceconnected: 160.04, channelopen: 170.04, dtlsconnected: 171,
                gathered: 300 }));
            const list = phases(marks);
            const steps = list.filter(({ aside }) => !aside);
            return [list.map(({ name }) => name),
                steps.map(({ duration }) => Number(duration.toFixed(1))),
                totalTime(marks), list.at(-1).duration];
        }"""
    )
    assert names == ["Offer", "POST", "ICE", "DTLS", "Channel open", "Gathering"]
    assert durations == [40, 10.1, 9.9, 10, 0]
    assert sum(durations) == total == 70
    assert gathering == pytest.approx(149.5)


async def test_phases_of_a_setup_that_goes_on(modules: PingPage) -> None:
    shown = await modules.run(
        """async () => {
            const { renderTimeline } = await import('/views/timeline.js');
            const marks = new Map([['start', 0], ['offered', 5], ['posted', 5],
                ['answered', 9], ['gathering', 9]]);
            return [true, false].map((active) => {
                const body = document.createElement('tbody');
                renderTimeline(body, marks, active);
                return [...body.querySelectorAll('.time')].map((e) => e.textContent);
            });
        }"""
    )
    ellipsis, dash = "\N{HORIZONTAL ELLIPSIS}", "\N{EN DASH}"
    assert shown[0] == ["5.0 ms", "4.0 ms", ellipsis, dash, dash, ellipsis]
    assert shown[1] == ["5.0 ms", "4.0 ms", *[dash] * 4]


@pytest.mark.parametrize(
    ("ms", "fine", "text"),
    [
        (None, True, "\N{EN DASH}"),
        (0.123, True, "0.12 ms"),
        (0.123, False, "0.1 ms"),
        (12.34, True, "12.3 ms"),
        (123.4, True, "123 ms"),
        (1234.5, True, "1.23 s"),
    ],
)
async def test_durations_in_words(
    modules: PingPage, ms: float | None, fine: bool, text: str
) -> None:
    shown = await modules.run(
        """async ([ms, fine]) =>
            (await import('/ping/rtt-statistics.js')).formatMs(ms, fine)""",
        [ms, fine],
    )
    assert shown == text


async def test_back_off(modules: PingPage) -> None:
    longest, shortest = await modules.run(
        """async () => {
            const { backoffDelay } = await import('/link/reconnect.js');
            const attempts = [0, 1, 2, 3, 4, 5, 100];
            return [0, 1].map((n) => attempts.map((a) => backoffDelay(a, () => n)));
        }"""
    )
    assert longest == [1000, 2000, 4000, 8000, 15000, 15000, 15000]
    assert shortest == pytest.approx([800, 1600, 3200, 6400, 12000, 12000, 12000])


async def test_ping_messages(modules: PingPage) -> None:
    results = await modules.run(
        """async () => {
            const { encodePing, decodePing } = await import('/ping/ping.js');
            const foreign = new Uint8Array(20).buffer;
            return [
                decodePing(encodePing(7, 8)), decodePing(encodePing(8, 1000)),
                decodePing('ping'), decodePing(new ArrayBuffer(3)), decodePing(foreign),
            ];
        }"""
    )
    assert results == [
        {"sequence": 7, "size": 8},
        {"sequence": 8, "size": 1000},
        None,
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(None, None), ("7", 7), ("nonsense", None), ("Thu, 01 Jan 1970 00:00:30 GMT", 20)],
)
async def test_retry_after(
    modules: PingPage, value: str | None, seconds: float | None
) -> None:
    parsed = await modules.run(
        """async (value) =>
            (await import('/client/whip-error.js'))
                .parseRetryAfter(value, 10000) ?? null""",
        value,
    )
    assert parsed == seconds


@pytest.mark.parametrize(
    ("largest", "ticks"),
    [
        (0.21, [0, 0.1, 0.2, 0.3]),
        (8, [0, 2, 4, 6, 8]),
        (9, [0, 2.5, 5, 7.5, 10]),
        (1000, [0, 250, 500, 750, 1000]),
    ],
)
async def test_axis_ticks(
    modules: PingPage, largest: float, ticks: list[float]
) -> None:
    shown = await modules.run(
        "async (max) => (await import('/ping/rtt-graph.js')).ticks(max)", largest
    )
    assert shown == ticks


async def test_close_before_the_answer_ends_the_session_all_the_same(
    modules: PingPage,
) -> None:
    kind = await modules.run(
        """async () => {
            const { WhipClient } = await import('/client/whip-client.js');
            const client = new WhipClient('/whip/hasty');
            client.pc.createDataChannel('ping');
            const connected = client.connect().catch((error) => error.kind);
            await new Promise((resolve) => client.addEventListener('mark', (event) =>
                event.detail.name === 'posted' && resolve()));
            await client.close();
            return connected;
        }"""
    )
    assert kind == "closed"
    (deletion,) = modules.whip_requests("DELETE")
    response = await deletion.response()
    assert response is not None
    assert response.status == 200
