"""Link header fields (RFC 8288) and ICE servers (RFC 9725 section 4.6)."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from whipbird.sdp.link import (
    IceServer,
    Link,
    format_ice_server,
    ice_servers,
    parse_links,
)

thorough = settings(max_examples=400, deadline=5000, derandomize=True)

TURN = IceServer("turn:turn.example?transport=udp", "user", "pass")


def test_the_example_of_the_specification() -> None:
    """RFC 9725 section 4.6."""
    credentials = 'username="user"; credential="myPassword"; credential-type="password"'
    fields = [
        '<stun:stun.example.net>; rel="ice-server"',
        *(
            f'<{url}?transport={transport}>; rel="ice-server"; {credentials}'
            for url, transport in (
                ("turn:turn.example.net", "udp"),
                ("turn:turn.example.net", "tcp"),
                ("turns:turn.example.net", "tcp"),
            )
        ),
    ]
    servers = ice_servers(parse_links(fields))
    assert servers == (
        IceServer("stun:stun.example.net"),
        IceServer("turn:turn.example.net?transport=udp", "user", "myPassword"),
        IceServer("turn:turn.example.net?transport=tcp", "user", "myPassword"),
        IceServer("turns:turn.example.net?transport=tcp", "user", "myPassword"),
    )
    assert [format_ice_server(server) for server in servers] == fields
    assert ice_servers(parse_links([", ".join(fields)])) == servers


@pytest.mark.parametrize(
    "url",
    [
        "stun:stun.example",
        "stun:stun.example:3478",
        "stuns:192.0.2.1:5349",
        "stun:[2001:db8::1]",
        "stun:[::ffff:192.0.2.1]:65535",
        "STUN:Stun.Example:1",
    ],
)
def test_stun_servers(url: str) -> None:
    assert IceServer(url).url == url


@pytest.mark.parametrize(
    "url",
    [
        "turn:turn.example",
        "turns:turn.example:443?transport=tcp",
        "turn:[2001:db8::1]:3478?transport=udp",
        "Turn:t?Transport=UDP",
    ],
)
def test_turn_servers(url: str) -> None:
    assert IceServer(url, "user", "pass").url == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "stun:",
        "stun.example:3478",
        "http://stun.example",
        "stun://stun.example",
        "stun:user:pass@stun.example",
        "stun:stun.example:",
        "stun:stun.example:0",
        "stun:stun.example:65536",
        "stun:stun.example:port",
        "stun:2001:db8::1",
        "stun:[2001:db8::1",
        "stun:[2001:db8:::1]",
        "stun:[192.0.2.1]",
        "stun:stun.example?transport=udp",
        "stun:a b",
        "stun:a>; rel=x",
        "stun:a\r\nX: y",
        "stun:a\n",
        "stun:ä.example",
        "stun:a,b",
    ],
)
def test_what_is_no_stun_server(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        IceServer(url)


@pytest.mark.parametrize(
    "url",
    [
        "turn:turn.example?transport=sctp",
        "turn:turn.example?transport=",
        "turn:turn.example?x=y",
        "turn:turn.example?transport=udp&x=y",
        "turn:turn.example/path",
        "turn:secret@turn.example",
    ],
)
def test_what_is_no_turn_server(url: str) -> None:
    with pytest.raises(ValueError, match="URL") as caught:
        IceServer(url, "user", "pass")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "username", "credential"),
    [
        ("stun:a", "user", "secret"),
        ("stun:a", "user", None),
        ("stun:a", None, "secret"),
        ("stun:a", "", ""),
        ("turn:a", None, None),
        ("turn:a", "user", None),
        ("turn:a", None, "secret"),
        ("turn:a", "user", ""),
        ("turn:a", "", "secret"),
        ("turn:a", "user", "secret\r\nX: y"),
        ("turn:a", "user\x7f", "secret"),
        ("turn:a", "üser", "secret"),
        ("turn:a", "user", "secret\n"),
    ],
)
def test_credentials_that_do_not_fit(
    url: str, username: str | None, credential: str | None
) -> None:
    with pytest.raises(ValueError, match=r"STUN|TURN") as caught:
        IceServer(url, username, credential)
    assert "secret" not in str(caught.value)


def test_the_credential_is_not_shown() -> None:
    server = IceServer("turn:a", "user", "secret")
    assert "secret" not in repr(server)
    assert "turn:a" in repr(server)


def test_quotes_are_escaped() -> None:
    server = IceServer("turn:a", 'a"b', "a\\b, c; d")
    value = format_ice_server(server)
    assert 'username="a\\"b"' in value
    assert 'credential="a\\\\b, c; d"' in value
    assert ice_servers(parse_links([value])) == (server,)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", []),
        (" , ,, ", []),
        ("<a>", [Link("a", {})]),
        ("<>", [Link("", {})]),
        ("<a>,<b>", [Link("a", {}), Link("b", {})]),
        (", <a> ,, <b>,", [Link("a", {}), Link("b", {})]),
        ("<a,b;c>; rel=x", [Link("a,b;c", {"rel": "x"})]),
        ('<a>; rel="x,y;z"; q=1', [Link("a", {"rel": "x,y;z", "q": "1"})]),
        ("<a>;REL=X", [Link("a", {"rel": "X"})]),
        ("<a> ; rel = x ; q = \t1", [Link("a", {"rel": "x", "q": "1"})]),
        ("<a>; rel=x; rel=y", [Link("a", {"rel": "x"})]),
        ("<a>; foo; rel=x", [Link("a", {"foo": "", "rel": "x"})]),
        ("<a>; foo=; rel=x", [Link("a", {"foo": "", "rel": "x"})]),
        ('<a>; foo=""; rel=x', [Link("a", {"foo": "", "rel": "x"})]),
        ("<a>;; ;rel=x;", [Link("a", {"rel": "x"})]),
        (r'<a>; q="\"\\\x"', [Link("a", {"q": '"\\x'})]),
        ("<a>; title*=UTF-8''%e4", [Link("a", {"title*": "UTF-8''%e4"})]),
        ("<a>;\r\n rel=x", [Link("a", {"rel": "x"})]),
        ("< a >", [Link("a", {})]),
        # Malformed parts are left out, and what follows them is read.
        ("junk, <a>", [Link("a", {})]),
        ('junk "<x>, <y>", <a>', [Link("a", {})]),
        ("junk <x>; rel=x, <a>", [Link("a", {})]),
        ("<a> junk; rel=x", [Link("a", {"rel": "x"})]),
        ("<a>; =x; rel=y", [Link("a", {"rel": "y"})]),
        (
            '<a>; q="1"junk; rel=x, <b>',
            [Link("a", {"q": "1", "rel": "x"}), Link("b", {})],
        ),
        ('<a>; q="1""2"; rel=x, <b>', [Link("a", {"q": "1"}), Link("b", {})]),
        ("<a", []),
        ("<a>, <b", [Link("a", {})]),
        ('<a>; q="b, <c>', [Link("a", {"q": "b, <c>"})]),
        ('<a>; q="b\\', [Link("a", {"q": "b"})]),
    ],
)
def test_links(value: str, expected: list[Link]) -> None:
    assert parse_links([value]) == expected


def test_a_field_that_is_not_closed_spoils_no_other() -> None:
    links = parse_links(['<a>; q="x', "<b", "<c>"])
    assert [link.target for link in links] == ["a", "c"]


@pytest.mark.parametrize(
    ("rel", "expected"),
    [
        ("ice-server", ("ice-server",)),
        ('"Next ICE-Server"', ("next", "ice-server")),
        ('"  a   b "', ("a", "b")),
        ('""', ()),
        ('"urn:ietf:params:whip:ext:X"', ("urn:ietf:params:whip:ext:x",)),
    ],
)
def test_relations(rel: str, expected: tuple[str, ...]) -> None:
    (link,) = parse_links([f"<a>; rel={rel}"])
    assert link.relations == expected


def test_no_relation() -> None:
    assert Link("a", {}).relations == ()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("<stun:a>; rel=ice-server", (IceServer("stun:a"),)),
        ('<stun:a>; rel="x ICE-SERVER"', (IceServer("stun:a"),)),
        ("<stun:a>; rel=ice-server; username=u; credential=c", (IceServer("stun:a"),)),
        (
            "<turn:a>; rel=ice-server; credential=c; username=u",
            (IceServer("turn:a", "u", "c"),),
        ),
        (
            "<turn:a>; rel=ice-server; credential=c; username=u; "
            "credential-type=Password",
            (IceServer("turn:a", "u", "c"),),
        ),
        ("<stun:a>", ()),
        ("<stun:a>; rel=next; rel=ice-server", ()),
        ("<turn:a>; rel=ice-server", ()),
        ("<turn:a>; rel=ice-server; username=u", ()),
        (
            "<turn:a>; rel=ice-server; username=u; credential=c; credential-type=oauth",
            (),
        ),
        ("<https://a>; rel=ice-server", ()),
        ("<stunning>; rel=ice-server", ()),
    ],
)
def test_servers_among_links(value: str, expected: tuple[IceServer, ...]) -> None:
    assert ice_servers(parse_links([value])) == expected


# Properties

names = st.from_regex(r"[a-z0-9][a-z0-9.-]{0,20}", fullmatch=True)
hosts = names | st.ip_addresses(v=4).map(str) | st.ip_addresses(v=6).map("[{}]".format)
ports = st.just("") | st.integers(1, 65535).map(":{}".format)
secrets = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1)
stun = st.builds(
    lambda scheme, host, port: IceServer(f"{scheme}:{host}{port}"),
    st.sampled_from(["stun", "stuns"]),
    hosts,
    ports,
)
turn = st.builds(
    lambda scheme, host, port, transport, username, credential: IceServer(
        f"{scheme}:{host}{port}{transport}", username, credential
    ),
    st.sampled_from(["turn", "turns"]),
    hosts,
    ports,
    st.sampled_from(["", "?transport=udp", "?transport=tcp"]),
    secrets,
    secrets,
)


@thorough
@given(st.lists(stun | turn, max_size=5), st.booleans())
@example([TURN, TURN], True)
def test_what_is_written_is_read(servers: list[IceServer], joined: bool) -> None:
    """In a field each, or in one."""
    fields = [format_ice_server(server) for server in servers]
    for text in fields:
        assert text.isascii()
        assert text.isprintable()
    assert ice_servers(parse_links([", ".join(fields)] if joined else fields)) == tuple(
        servers
    )


parameter_names = st.from_regex(r"[a-z*][a-z0-9*-]{0,10}", fullmatch=True)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@thorough
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_characters=">")).map(str.strip),
            st.dictionaries(parameter_names, st.text()),
        ),
        max_size=4,
    )
)
def test_any_target_and_any_parameters(
    links: list[tuple[str, dict[str, str]]],
) -> None:
    value = ",".join(
        f"<{target}>" + "".join(f";{k}={quoted(v)}" for k, v in parameters.items())
        for target, parameters in links
    )
    expected = [Link(target, parameters) for target, parameters in links]
    assert parse_links([value]) == expected


@thorough
@given(st.text('<>;,="\\ abrel\t\r\n') | st.text())
def test_any_text_is_read(text: str) -> None:
    """Something or nothing, but always the same, and what is well-formed after it."""
    links = parse_links([text, format_ice_server(TURN)])
    assert links[-1].target == TURN.url
    assert all(
        link.parameters.keys() == {*map(str.lower, link.parameters)} for link in links
    )
    ice_servers(links)


@pytest.mark.parametrize(
    ("url", "host", "port", "is_tcp", "is_secure"),
    [
        ("stun:a.example", "a.example", 3478, False, False),
        ("turn:a.example:80", "a.example", 80, False, False),
        ("turn:[2001:db8::1]?transport=tcp", "2001:db8::1", 3478, True, False),
        ("turns:a.example", "a.example", 5349, True, True),
        ("TURNS:a.example?transport=UDP", "a.example", 5349, False, True),
    ],
)
def test_the_address_of_a_server(
    url: str, host: str, port: int, is_tcp: bool, is_secure: bool
) -> None:
    """RFC 7064 section 3.2 and RFC 7065 section 3.2."""
    is_turn = url.lower().startswith("turn")
    server = IceServer(url, "a", "b") if is_turn else IceServer(url)
    address = server.address
    assert (address.host, address.port) == (host, port)
    assert (address.is_turn, address.is_tcp, address.is_secure) == (
        is_turn,
        is_tcp,
        is_secure,
    )
