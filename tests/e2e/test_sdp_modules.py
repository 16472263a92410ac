"""SDP fragments, Link headers and trickling: the page's modules, run in a browser."""

from typing import Any

import pytest

from .ping_page import PingPage

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_fragment_of_an_offer(modules: PingPage) -> None:
    offer = (
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE a b\r\n"
        "m=audio 50123 UDP/TLS/RTP/SAVPF 111 63\r\na=mid:a\r\na=ice-ufrag:uuuu\r\n"
        "a=ice-pwd:pppppppppppppppppppppp\r\n"
        "a=candidate:1 1 udp 1 192.0.2.1 50123 typ host\r\n"
        "m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=mid:b\r\na=bundle-only\r\n"
    )
    ice, fragment = await modules.run(
        """async (offer) => {
            const { readOfferIce, buildFragment } =
                await import('/client/sdp-fragment.js');
            const ice = readOfferIce(offer);
            const late = ['candidate:2 1 udp 1 x 1 typ host'];
            return [ice, buildFragment(ice, late, true)];
        }""",
        offer,
    )
    assert ice["candidates"] == ["candidate:1 1 udp 1 192.0.2.1 50123 typ host"]
    assert ice["complete"] is False
    assert fragment == (
        "a=group:BUNDLE a b\r\n"
        "m=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\n"
        "a=mid:a\r\n"
        "a=ice-ufrag:uuuu\r\n"
        "a=ice-pwd:pppppppppppppppppppppp\r\n"
        "a=candidate:2 1 udp 1 x 1 typ host\r\n"
        "a=end-of-candidates\r\n"
    )


async def test_fragment_of_an_offer_with_credentials_at_session_level(
    modules: PingPage,
) -> None:
    ice = await modules.run(
        """async (offer) =>
            (await import('/client/sdp-fragment.js')).readOfferIce(offer)""",
        "v=0\na=group:LS 0\na=ice-ufrag:u\na=ice-pwd:p\nm=audio 9 X 0\na=mid:7\n"
        "a=end-of-candidates\n",
    )
    assert (ice["bundle"], ice["mid"]) == (None, "7")
    assert (ice["ufrag"], ice["pwd"], ice["complete"]) == ("u", "p", True)


#: The agent's lines come from the session, the section, or (as of Chromium) both.
AGENTS = """v=0
a=ice-lite
a=ice-options:trickle ice2
a=ice-pacing:50
m=audio 9 X 0
a=mid:0
a=ice-ufrag:u
a=ice-pwd:p
a=ice-options:trickle ice2
a=ice-options:other
"""


async def test_fragments_name_the_agent_as_the_offer_does(modules: PingPage) -> None:
    """RFC 9725 section 4.3.3: ice-options, ice-pacing and ice-lite as in the offer."""
    fragment = await modules.run(
        """async (offer) => {
            const { readOfferIce, buildFragment } =
                await import('/client/sdp-fragment.js');
            return buildFragment(readOfferIce(offer), [], false);
        }""",
        AGENTS,
    )
    assert fragment.split("\r\n") == [
        "a=ice-lite",
        "a=ice-options:trickle ice2",
        "a=ice-pacing:50",
        "a=ice-options:other",
        "m=audio 9 X 0",
        "a=mid:0",
        "a=ice-ufrag:u",
        "a=ice-pwd:p",
        "",
    ]


@pytest.mark.parametrize("place", ["session", "section"])
async def test_the_answer_to_a_restart(modules: PingPage, place: str) -> None:
    password = "secret+secret/secret22"
    credentials = f"a=ice-ufrag:new1\r\na=ice-pwd:{password}\r\n"
    ice = await modules.run(
        "async (text) => (await import('/client/sdp-fragment.js')).readFragment(text)",
        "a=ice-options:trickle ice2\r\na=group:BUNDLE 0\r\n"
        + (credentials if place == "session" else "")
        + "m=audio 9 X 0\r\na=mid:0\r\n"
        + (credentials if place == "section" else "")
        + "a=candidate:1 1 udp 9 192.0.2.1 5000 typ host\r\na=end-of-candidates\r\n",
    )
    assert ice == {
        "ufrag": "new1",
        "pwd": password,
        "candidates": ["a=candidate:1 1 udp 9 192.0.2.1 5000 typ host"],
        "complete": True,
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>",
        "m=audio 9 X 0\r\na=ice-ufrag:new1\r\n",
        # RFC 8839 section 5.4: too short, too long, other characters.
        f"a=ice-ufrag:new1\r\na=ice-pwd:{'p' * 21}\r\n",
        f"a=ice-ufrag:new\r\na=ice-pwd:{'p' * 22}\r\n",
        f"a=ice-ufrag:{'u' * 257}\r\na=ice-pwd:{'p' * 22}\r\n",
        f"a=ice-ufrag:new1\r\na=ice-pwd:{'-' * 22}\r\n",
    ],
)
async def test_what_does_not_answer_a_restart(modules: PingPage, text: str) -> None:
    ice = await modules.run(
        "async (text) => (await import('/client/sdp-fragment.js')).readFragment(text)",
        text,
    )
    assert ice is None


#: One with credentials everywhere, candidates of the old session, and other things.
ANSWER = (
    "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 1 0\r\n"
    "a=ice-ufrag:old\r\na=ice-pwd:older\r\na=ice-lite\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=ice-ufrag:old\r\n"
    "a=setup:passive\r\n"
    "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=candidate:1 1 udp 9 192.0.2.1 1 typ"
    " host\r\na=end-of-candidates\r\na=ice-pwd:older\r\na=fingerprint:sha-256 AA\r\n"
)


@pytest.mark.parametrize("complete", [True, False])
async def test_a_restart_replaces_ice_and_nothing_else(
    modules: PingPage, complete: bool
) -> None:
    """RFC 9725 section 4.3.3: what is not about ICE still applies."""
    sdp = await modules.run(
        """async ([sdp, ice]) =>
            (await import('/client/sdp-fragment.js')).replaceIce(sdp, ice)
        """,
        [
            ANSWER,
            {
                "ufrag": "new",
                "pwd": "newer",
                "candidates": ["a=candidate:2 1 udp 8 192.0.2.2 2 typ host"],
                "complete": complete,
            },
        ],
    )
    assert sdp == (
        "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 1 0\r\n"
        "a=ice-lite\r\n"
        "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=setup:passive\r\n"
        "a=ice-ufrag:new\r\na=ice-pwd:newer\r\n"
        "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=fingerprint:sha-256 AA\r\n"
        "a=ice-ufrag:new\r\na=ice-pwd:newer\r\n"
        "a=candidate:2 1 udp 8 192.0.2.2 2 typ host\r\n"
        + ("a=end-of-candidates\r\n" if complete else "")
    )


@pytest.mark.parametrize(
    ("value", "links"),
    [
        (None, []),
        ("", []),
        ("nonsense", []),
        ("<a>", [["a", {}]]),
        (
            "<a>; rel=next, <b>;rel=prev",
            [["a", {"rel": "next"}], ["b", {"rel": "prev"}]],
        ),
        # Commas, semicolons and quotation marks within a quoted string are its own.
        (
            r'<a,b;c> ; REL = "x; y, <z>" ; t="say \"\\hi\"",<d>',
            [["a,b;c", {"rel": "x; y, <z>", "t": 'say "\\hi"'}], ["d", {}]],
        ),
        # Empty members and parameters, flags, and a name that comes twice.
        (", ,<a>;; flag;rel=1;rel=2,,", [["a", {"flag": "", "rel": "1"}]]),
        # Links after a malformed part are ignored.
        ('<a>;rel="ok" rubbish, <b>', [["a", {"rel": "ok"}]]),
        ('<a>;rel="open, <b>', [["a", {"rel": ""}]]),
        ("<a>;rel=next, <b", [["a", {"rel": "next"}]]),
    ],
)
async def test_link_headers(
    modules: PingPage, value: str | None, links: list[Any]
) -> None:
    """RFC 8288 section 3."""
    parsed = await modules.run(
        """async (value) =>
            (await import('/client/link-header.js')).parseLinkHeader(value).map(
                ({ target, parameters }) => [target, Object.fromEntries(parameters)])
        """,
        value,
    )
    assert parsed == links


async def test_ice_servers_of_a_link_header(modules: PingPage) -> None:
    """RFC 9725 section 4.6; unknown relations are ignored (section 4.9)."""
    servers = await modules.run(
        "async (value) => (await import('/client/link-header.js')).iceServersOf(value)",
        '<stun:stun.example.net>; rel="ice-server", '
        '<https://example.net/sse>; rel="urn:ietf:params:whip:ext:example", '
        '<turn:turn.example.net?transport=udp>; rel="ice-server"; username="user"; '
        'credential="my,Password"; credential-type="password", '
        "<turns:turn.example.net>; rel=ice-server; username=u; credential=p, "
        '<turn:o.example.net>; rel="ice-server"; credential-type="oauth", '
        '<https://example.net/>; rel="ice-server", '
        '<stun:other.example.net>; rel="next"',
    )
    assert servers == [
        {"urls": "stun:stun.example.net"},
        {
            "urls": "turn:turn.example.net?transport=udp",
            "username": "user",
            "credential": "my,Password",
        },
        {"urls": "turns:turn.example.net", "username": "u", "credential": "p"},
    ]


#: Makes a trickle of the ICE session "u", whose candidates get names.
TRICKLE = """
    const { CandidateTrickle } = await import('/client/trickle.js');
    const ice = {
        bundle: '0', media: 'audio 9 X 0', mid: '0', ufrag: 'u', pwd: 'p', agent: [],
        candidates: ['candidate:posted'], complete: false,
    };
    const log = [];
    const candidate = (name, rest = {}) => ({
        candidate: `candidate:${name}`, sdpMid: '0', usernameFragment: 'u', ...rest });
    const named = (fragment) => fragment.match(/(?<=a=candidate:).*/g)?.join() ?? '';
    const over = Promise.withResolvers();
"""


async def test_patches_are_sent_one_after_the_other(modules: PingPage) -> None:
    log = await modules.run(
        f"""async () => {{ {TRICKLE}
            const trickle = new CandidateTrickle(ice, () => {{
                const {{ candidates, patches, complete }} = trickle.trickled;
                log.push(`accepted ${{candidates}} in ${{patches}}`);
                if (complete) over.resolve();
            }});
            trickle.add(candidate('posted'));
            trickle.add(candidate('early'));
            let busy = false;
            let late = true;
            trickle.start(async (fragment) => {{
                if (busy) log.push('overlap');
                busy = true;
                log.push(named(fragment));
                if (late) {{
                    late = false;
                    trickle.add(candidate('late'));
                    trickle.add(candidate('later'));
                    trickle.add(null);
                }}
                await new Promise((resolve) => setTimeout(resolve, 50));
                busy = false;
            }});
            await over.promise;
            return log;
        }}"""
    )
    assert log == ["early", "accepted 1 in 1", "late,later", "accepted 3 in 2"]


async def test_only_candidates_of_its_ice_session_are_told(modules: PingPage) -> None:
    log = await modules.run(
        f"""async () => {{ {TRICKLE}
            const trickle = new CandidateTrickle(ice, over.resolve);
            trickle.add(candidate('before', {{ usernameFragment: 'old' }}));
            trickle.add(candidate('ours'));
            trickle.add(candidate('video', {{ sdpMid: '1' }}));
            trickle.add(candidate('unnamed', {{ usernameFragment: null }}));
            trickle.add(null);
            trickle.start(async (fragment) => log.push(named(fragment)));
            await over.promise;
            return log;
        }}"""
    )
    assert log == ["ours,unnamed"]


async def test_candidates_after_the_last_one_are_told_too(modules: PingPage) -> None:
    """As after a restart, when the browser ends the gathering of the session before."""
    log = await modules.run(
        f"""async () => {{ {TRICKLE}
            const trickle = new CandidateTrickle(ice, () => over.resolve());
            trickle.add(null);
            trickle.start(async (fragment) => {{
                const end = fragment.includes('a=end-of-candidates');
                log.push(`${{named(fragment)}} ${{end}}`);
            }});
            await over.promise;
            const more = Promise.withResolvers();
            over.resolve = more.resolve;
            trickle.add(candidate('after'));
            trickle.add(null);
            await more.promise;
            return log;
        }}"""
    )
    assert log == [" true", "after true"]


async def test_a_stopped_trickle_ignores_what_is_still_answered(
    modules: PingPage,
) -> None:
    """RFC 9725 section 4.3.3: responses to PATCHes from before a restart."""
    trickled = await modules.run(
        f"""async () => {{ {TRICKLE}
            const counts = [];
            for (const response of ['accept', 'refuse']) {{
                const sent = Promise.withResolvers();
                const answer = Promise.withResolvers();
                const trickle = new CandidateTrickle(ice, () => log.push('changed'));
                trickle.add(candidate('ours'));
                trickle.start(() => {{
                    sent.resolve();
                    return answer.promise;
                }});
                await sent.promise;
                trickle.stop();
                if (response === 'accept') answer.resolve();
                else answer.reject({{ isClientError: true, status: 412 }});
                await answer.promise.catch(() => {{}});
                await new Promise((resolve) => setTimeout(resolve));
                counts.push(trickle.trickled);
            }}
            return [log, counts];
        }}"""
    )
    nothing = {"patches": 0, "candidates": 0, "complete": False, "refused": None}
    assert trickled == [[], [nothing, nothing]]


async def test_the_first_candidates_are_collected_for_a_restart(
    modules: PingPage,
) -> None:
    first, late, none = await modules.run(
        f"""async () => {{ {TRICKLE}
            const trickle = new CandidateTrickle(ice, over.resolve);
            const collected = trickle.collect();
            trickle.add(candidate('first'));
            trickle.add(candidate('second'));
            const first = await collected;
            trickle.add(candidate('late'));
            trickle.add(null);
            trickle.start(async (fragment) => log.push(named(fragment)));
            await over.promise;
            const none = await new CandidateTrickle(ice, () => {{}}).collect();
            return [first, log, none];
        }}"""
    )
    assert first == {
        "candidates": ["candidate:first", "candidate:second"],
        "complete": False,
    }
    assert late == ["late"]
    assert none == {"candidates": [], "complete": False}
