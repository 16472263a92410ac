"""The modules behind the panels of the Ping view, run in a browser."""

import re
from typing import Any

import pytest

from .ping_page import PingPage

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_late_ping_is_not_lost(modules: PingPage) -> None:
    summary, again, samples = await modules.run(
        """async () => {
            const { RttStatistics } = await import('/ping/rtt-statistics.js');
            const statistics = new RttStatistics();
            statistics.add(1, 5);
            statistics.add(2, null);
            statistics.add(3, null);
            statistics.addLate(3, 2500);
            // Once only; not one that was answered in time, nor one that is not known.
            for (const sequence of [3, 1, 7]) statistics.addLate(sequence, 2600);
            const summary = statistics.summary();
            const samples = statistics.recent(3);
            statistics.reset();
            statistics.addLate(2, 9000);
            return [summary, statistics.summary(), samples];
        }"""
    )
    assert (summary["answered"], summary["lost"], summary["late"]) == (1, 1, 1)
    assert summary["max"] == 5
    assert (again["lost"], again["late"]) == (0, 0)
    assert samples[2] == {"sequence": 3, "rtt": None, "late": 2500}


async def test_a_pinger_tells_late_from_lost(modules: PingPage) -> None:
    told = await modules.run(
        """async () => {
            const { Pinger } = await import('/ping/ping.js');
            const channel = Object.assign(new EventTarget(), {
                readyState: 'open',
                sent: [],
                send(data) { this.sent.push(data); },
            });
            const echo = (data) =>
                channel.dispatchEvent(new MessageEvent('message', { data }));
            const pinger = new Pinger({ timeout: 20 });
            const told = [];
            const lost = new Promise((done) => pinger.addEventListener('lost', done));
            for (const type of ['echo', 'lost', 'late']) {
                pinger.addEventListener(type, ({ detail }) =>
                    told.push([type, detail.sequence]));
            }
            pinger.attach(channel);
            pinger.ping(64);
            await lost;
            echo(channel.sent[0].slice(0, 63));
            echo(channel.sent[0]);
            echo(channel.sent[0]);
            pinger.timeout = 60000;
            pinger.ping(64);
            echo(channel.sent[1]);
            pinger.detach();
            return told;
        }"""
    )
    assert told == [["lost", 1], ["late", 1], ["echo", 2]]


async def test_series(modules: PingPage) -> None:
    data: dict[str, Any] = await modules.run(
        """async () => {
            const { Series } = await import('/ping/series.js');
            const series = new Series(3);
            const pair = (id, bytes, rtt) =>
                ({ id, bytesSent: bytes, bytesReceived: 2 * bytes, rtt });
            series.tick(0, null);
            series.answered(10);
            series.answered(26);
            series.lost();
            series.happened(500, 'connected');
            series.happened(600, 'connected');
            series.tick(1000, pair('a', 1000, 7));
            series.tick(2000, pair('a', 2000, 7));
            // Another pair counts anew.
            series.tick(3000, pair('b', 500));
            const told = { ...series.toJSON(), recent: series.recent(2).length };
            // The device slept.
            series.tick(5900, null);
            return { ...told, after: series.toJSON().rows };
        }"""
    )
    first, second, third = data["rows"]
    # The first of four has made room.
    assert first["time"] == "1970-01-01T00:00:01.000Z"
    assert (first["rtt"], first["iceRtt"], first["jitter"]) == (18, 7, 1)
    assert (first["answered"], first["lost"]) == (2, 1)
    assert (first["up"], first["down"]) == (None, None)
    assert (second["up"], second["down"]) == (8000, 16000)
    assert (second["rtt"], second["jitter"], second["lost"]) == (None, None, 0)
    assert (third["up"], third["iceRtt"]) == (None, None)
    assert [each["what"] for each in data["happenings"]] == ["connected"]
    assert data["recent"] == 2
    times = [row["time"][-7:] for row in data["after"]]
    assert times == ["03.000Z", "04.900Z", "05.900Z"]
    assert [data["after"][1][key] for key in ("rtt", "lost", "up")] == [None, 0, None]


async def test_happenings_are_bounded(modules: PingPage) -> None:
    count = await modules.run(
        """async () => {
            const { Series } = await import('/ping/series.js');
            const series = new Series();
            for (let i = 0; i < 600; i += 1) series.happened(i, `state ${i}`);
            return [series.happenings.length, series.happenings[0].what];
        }"""
    )
    assert count == [500, "state 100"]


async def test_charts_have_the_newest_at_the_right(modules: PingPage) -> None:
    charts = await modules.run(
        """async () => {
            const { chartsOf } = await import('/views/series-panel.js');
            const row =
                { rtt: 5, iceRtt: null, lost: 1, jitter: 2, up: 1e6, down: 3e6 };
            const rows = [1, 2, 3].map((n) => ({ ...row, time: n * 1000 }));
            const happenings = [{ time: 500, what: 'a' }, { time: 1500, what: 'b' }];
            return [chartsOf(rows, happenings, 300), chartsOf([], [], 60)];
        }"""
    )
    [rtt, lost, rate], nothing = charts
    assert rtt["places"] == 60
    assert rtt["lines"][0]["values"] == [None] * 57 + [5, 5, 5]
    assert rtt["lines"][1]["values"] == [None] * 60
    assert rtt["marks"] == [58]
    assert lost["lines"][0]["values"][-1] == 1
    assert [line["values"][-1] for line in rate["lines"]] == [3, 1]
    assert nothing[0]["labels"] == []


async def test_curves_break_at_gaps(modules: PingPage) -> None:
    found = await modules.run(
        """async () => {
            const { runs } = await import('/ping/chart.js');
            return [[...runs([null, 1, 2, null, 3])], [...runs([])]];
        }"""
    )
    assert found == [[[[1, 1], [2, 2]], [[4, 3]]], []]


#: A channel to a server that answers as ours does, after a while, and counts.
FAKE_SERVER = """
    const channel = Object.assign(new EventTarget(), {
        readyState: 'open',
        asked: 0,
        most: 0,
        send(data) {
            const size = new DataView(data).getUint32(0);
            this.asked += 1;
            this.most = Math.max(this.most, this.asked);
            setTimeout(() => {
                this.asked -= 1;
                const answer = new ArrayBuffer(Math.max(8, size));
                this.dispatchEvent(new MessageEvent('message', { data: answer }));
            }, 5);
        },
    });
"""


@pytest.mark.parametrize("direction", ["down", "up"])
async def test_a_direction_is_measured(modules: PingPage, direction: str) -> None:
    found: dict[str, Any] = await modules.run(
        """async (direction) => {
            const { DirectionTest } = await import('/ping/throughput.js');"""
        + FAKE_SERVER
        + """
            const test = new DirectionTest(channel, direction);
            const rates = [];
            test.addEventListener('reading', ({ detail }) => rates.push(detail));
            const ended = new Promise((done) =>
                test.addEventListener('end', ({ detail }) => done(detail)));
            test.start(1500);
            const how = await ended;
            return { how, rates, most: channel.most };
        }""",
        direction,
    )
    assert found["how"] == "done"
    assert len(found["rates"]) >= 2
    assert min(found["rates"]) > 0
    # As many blocks are on the way as two seconds carry, within a bound.
    assert 16 <= found["most"] <= (96 if direction == "down" else 512)


async def test_both_directions_of_a_real_connection(modules: PingPage) -> None:
    found: dict[str, Any] = await modules.run(
        """async () => {
            const { WhipClient } = await import('/client/whip-client.js');
            const { ThroughputTest } = await import('/ping/throughput.js');
            const client = new WhipClient('/whip/throughput-test');
            client.pc.createDataChannel('ping');
            await client.connect();
            const test = new ThroughputTest();
            const how = await new Promise((done) => {
                test.addEventListener('end', ({ detail }) => done(detail));
                test.start(client.pc, 700);
            });
            await client.close();
            return { how, running: test.running, ...test.readings };
        }"""
    )
    assert (found["how"], found["running"]) == ("done", None)
    for direction in ("down", "up"):
        assert sum(found[direction]) > 0, direction


async def test_a_test_ends_when_nothing_answers_or_it_is_stopped(
    modules: PingPage,
) -> None:
    found = await modules.run(
        """async () => {
            const { DirectionTest, averageOf } = await import('/ping/throughput.js');
            const end = (act) => new Promise((done) => {
                const channel = Object.assign(new EventTarget(),
                    { readyState: 'open', send() {} });
                const test = new DirectionTest(channel, 'down');
                test.addEventListener('end', ({ detail }) => done(detail));
                test.start(60000);
                act(test, channel);
            });
            return [
                await end((test) => test.stop()),
                await end((test, channel) => channel.dispatchEvent(new Event('close'))),
                averageOf([9, 9, 9, 9, 1, 3]),
                averageOf([4, 2]),
                averageOf([]),
            ];
        }"""
    )
    assert found[:2] == ["stopped", "closed"]
    assert found[2:] == [2, 3, None]


async def test_the_result_in_words(modules: PingPage) -> None:
    done, silent, closed = await modules.run(
        """async () => {
            const { describeResult } = await import('/views/throughput-panel.js');
            return [
                describeResult({ down: [25e6, 25e6], up: [4e5] }, 'done'),
                describeResult({ down: [0, 0], up: [] }, 'silent'),
                describeResult({ down: [1e6], up: [] }, 'closed'),
            ];
        }"""
    )
    assert done.startswith("From the server: 25.0 Mb/s. To the server: 400 kb/s. ")
    assert silent.startswith("The server does not answer to the test")
    assert closed.endswith("Start again when it is back.")


#: A report as browsers give it, of pairs [state, requestsSent, responsesReceived, …].
REPORT = """(pairs, selected) => new Map([
    ['l', { type: 'local-candidate', candidateType: 'host', protocol: 'udp',
            address: '192.0.2.1', port: 5000 }],
    ['r', { type: 'remote-candidate', candidateType: 'host', protocol: 'udp',
            address: '2001:db8::1', port: 8080 }],
    ['t', { type: 'transport', selectedCandidatePairId: selected }],
    ...pairs.map(([state, requestsSent, responsesReceived, requestsReceived], n) =>
        [`p${n}`, {
            id: `p${n}`, type: 'candidate-pair',
            localCandidateId: 'l', remoteCandidateId: 'r',
            state, requestsSent, responsesReceived, requestsReceived,
        }]),
])"""


@pytest.mark.parametrize(
    ("pairs", "selected", "state", "words"),
    [
        ([], None, "connecting", "There is no pair yet"),
        ([], None, "failed", "Check that this device is in a network"),
        ([["waiting", 0, 0, 0]], None, "connecting", "Nothing was sent yet to [2001:"),
        (
            [["in-progress", 5, 0, 0]],
            None,
            "failed",
            "ask who runs it whether the port",
        ),
        ([["failed", None, None, None]], None, "failed", "nothing came back"),
        ([["in-progress", 5, 0, 3]], None, "failed", "in one direction only"),
        ([["succeeded", 5, 1, 3]], None, "connecting", "is choosing a pair"),
        ([["succeeded", 9, 1, 3]], "p0", "connected", "Data goes directly over UDP"),
        ([["succeeded", 9, 1, 3]], "p0", "disconnected", "does not now"),
    ],
)
async def test_pairs_in_words(
    modules: PingPage,
    pairs: list[Any],
    selected: str | None,
    state: str,
    words: str,
) -> None:
    text = await modules.run(
        f"""async ([pairs, selected, state]) => {{
            const {{ pairsIn, explainPairs }} =
                await import('/client/candidate-pairs.js');
            return explainPairs(pairsIn(({REPORT})(pairs, selected)), state);
        }}""",
        [pairs, selected, state],
    )
    assert words in text


async def test_pairs_are_sorted_and_complete(modules: PingPage) -> None:
    rows = await modules.run(
        f"""async () => {{
            const {{ pairsIn }} = await import('/client/candidate-pairs.js');
            const {{ rowOf }} = await import('/views/pairs-panel.js');
            const pairs = [['failed', 4, 0, 0], ['succeeded', null, null, null],
                ['succeeded', 2, 2, 1]];
            return pairsIn(({REPORT})(pairs, 'p2')).map(rowOf);
        }}"""
    )
    assert [row[0] for row in rows] == ["selected", "succeeded", "failed"]
    assert rows[0][1:3] == [
        "udp 192.0.2.1:5000 (host)",
        "udp [2001:db8::1]:8080 (host)",
    ]
    assert rows[0][4:] == ["2 sent, 2 answered", "1 received, 0 answered"]
    # Firefox does not count them.
    assert rows[1][4:] == ["\N{EN DASH}"] * 2


#: What a person can do, in the words of the page.
ADVICE = re.compile(
    r"Check|check|give you|Try|try|Choose|Enter|tell|Reload|Please use|mistake|again"
    r"|another"
)


async def test_every_error_says_what_a_person_can_do(modules: PingPage) -> None:
    told = await modules.run(
        """async () => {
            const { explain } = await import('/link/problems.js');
            const { WhipError } = await import('/client/whip-error.js');
            const errors = [
                ...['unsupported', 'network', 'timeout', 'lost', 'ended', 'protocol']
                    .map((kind) => new WhipError(kind, {})),
                ...[400, 401, 403, 404, 406, 409, 413, 415, 422, 429, 500, 503].flatMap(
                    (status) => [true, false].map((hadToken) => new WhipError('http', {
                        status, hadToken, method: 'POST',
                        title: 'No', detail: 'So it is.',
                        retryAfter: status === 429 ? 5 : undefined,
                    }))),
            ];
            return errors.map((error) => [error.kind, error.status, explain(error)]);
        }"""
    )
    assert len(told) == 30
    for kind, status, explanation in told:
        words = explanation["text"].replace("It said: No. So it is.", "")
        assert ADVICE.search(words) or status == 429, (kind, status, words)
        # Whole sentences, none twice.
        assert words.endswith((".", "?")), words


async def test_reasons_for_no_path_say_what_can_be_done(modules: PingPage) -> None:
    reasons = await modules.run(
        """async () => {
            const { whyNoPath } = await import('/client/no-path.js');
            const line = (address) =>
                `a=candidate:1 1 udp 1 ${address} 8080 typ host\\r\\n`;
            const of = (answer, local, host = 'example.com', code = null) => whyNoPath({
                answer, local, host, servers: [],
                errors: code ? [{ url: 'turn:t', errorCode: code, errorText: '' }] : [],
            });
            const local = line('192.0.2.7');
            return [
                of('', local),
                of(line('203.0.113.1'), ''),
                ...['127.0.0.1', '10.0.0.1', '203.0.113.1'].map((address) =>
                    of(line(address), local)),
                ...[701, 401, 486].map((code) =>
                    of(line('203.0.113.1'), local, 'example.com', code)),
            ];
        }"""
    )
    for reason in reasons:
        assert re.search(
            r"--public-address|[Tt]ell|connect this device|must be", reason
        )
