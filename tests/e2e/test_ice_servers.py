"""STUN and TURN servers that the endpoint names (RFC 9725 section 4.6)."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aioice import stun
from playwright.async_api import Route

from tests.server import ServerProcess

from .conftest import OpenPage
from .ping_page import PingPage
from .restart_lab import LAB

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: What the STUN server says of everybody, so that it is told from other candidates.
SEEN_AS = ("203.0.113.7", 7777)


class StunServer(asyncio.DatagramProtocol):
    """Answers STUN Binding requests (RFC 8489 section 3), always the same."""

    transport: asyncio.DatagramTransport

    @property
    def url(self) -> str:
        return f"stun:127.0.0.1:{self.transport.get_extra_info('sockname')[1]}"

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        request = stun.parse_message(data)
        response = stun.Message(
            message_method=request.message_method,
            message_class=stun.Class.RESPONSE,
            transaction_id=request.transaction_id,
        )
        response.attributes["XOR-MAPPED-ADDRESS"] = SEEN_AS
        self.transport.sendto(bytes(response), addr)


@pytest_asyncio.fixture(loop_scope="session")
async def stun_server() -> AsyncIterator[StunServer]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(
        StunServer, local_addr=("127.0.0.1", 0)
    )
    protocol.transport = transport
    yield protocol
    transport.close()


@pytest_asyncio.fixture(loop_scope="session")
async def naming_server(stun_server: StunServer) -> AsyncIterator[ServerProcess]:
    server = ServerProcess(
        *("--ice-server", stun_server.url),
        # A quotation mark and a comma need quoting in the header.
        *("--ice-server", 'turn:127.0.0.1:9?transport=udp us,er pass"word'),
    )
    try:
        await server.start()
        yield server
    finally:
        await server.stop()


async def reflexive(page: PingPage, first: int = 0) -> list[str]:
    """The server-reflexive candidates in PATCHes from `first` on, when there are."""
    async with asyncio.timeout(60):
        while True:
            bodies = [p.post_data or "" for p in page.whip_requests("PATCH")[first:]]
            if told := re.findall("a=candidate:.* srflx .*", "".join(bodies)):
                return told
            await asyncio.sleep(0.05)


async def test_the_servers_of_the_endpoint_are_used(
    naming_server: ServerProcess, stun_server: StunServer, open_page: OpenPage
) -> None:
    ping_page = await open_page(naming_server)
    await ping_page.open_without_application()
    await ping_page.run(LAB)
    configuration, marks = await ping_page.run(
        """async () => {
            // Chromium gathers no more once it is connected, and this path is short.
            const apply = RTCPeerConnection.prototype.setRemoteDescription;
            RTCPeerConnection.prototype.setRemoteDescription = async function (answer) {
                await until(() => /srflx/.test(this.localDescription.sdp));
                return apply.call(this, answer);
            };
            await connect();
            const marks = [...client.marks].sort(([, a], [, b]) => a - b);
            return [client.pc.getConfiguration(), marks.map(([name]) => name)];
        }"""
    )
    assert configuration["bundlePolicy"] == "max-bundle"
    servers = [
        (server["urls"], server.get("username", ""), server.get("credential", ""))
        for server in configuration["iceServers"]
    ]
    assert [
        (*urls, *rest) if isinstance(urls, list) else (urls, *rest)
        for urls, *rest in servers
    ] == [
        (stun_server.url, "", ""),
        ("turn:127.0.0.1:9?transport=udp", "us,er", 'pass"word'),
    ]
    # They were known before the gathering began, so no restart was needed.
    assert marks.index("answered") < marks.index("gathering") < marks.index("applied")
    told = await reflexive(ping_page)
    patches = ping_page.whip_requests("PATCH")
    assert all(patch.headers["if-match"] != "*" for patch in patches)
    assert all(f" {SEEN_AS[0]} {SEEN_AS[1]} " in candidate for candidate in told)
    # A restart gathers with them, too.
    earlier = len(patches)
    await ping_page.run("() => client.restartIce()")
    assert await reflexive(ping_page, earlier)
    await ping_page.run("() => client.close()")


@pytest.mark.parametrize("own", ["[]", "[{ urls: 'stun:127.0.0.1:9' }]"])
async def test_the_callers_own_servers_count_for_more(
    naming_server: ServerProcess, open_page: OpenPage, own: str
) -> None:
    ping_page = await open_page(naming_server)
    await ping_page.open_without_application()
    await ping_page.run(LAB)
    servers = await ping_page.run(
        f"""async () => {{
            await connect({{ iceServers: {own} }});
            const {{ iceServers }} = client.pc.getConfiguration();
            await client.close();
            return iceServers.map(({{ urls }}) => String(urls));
        }}"""
    )
    assert servers == ([] if own == "[]" else ["stun:127.0.0.1:9"])


async def test_a_server_that_the_browser_does_not_take_is_left_out(
    server: ServerProcess, open_page: OpenPage
) -> None:
    async def name_servers(route: Route) -> None:
        response = await route.fetch()
        link = (
            '<stun:127.0.0.1:99999999>; rel="ice-server", '
            '<turn:127.0.0.1:9?transport=pigeon>; rel="ice-server", '
            '<stun:127.0.0.1:9>; rel="ice-server"'
        )
        await route.fulfill(
            response=response, headers={**response.headers, "link": link}
        )

    ping_page = await open_page(server)
    await ping_page.page.route("**/whip/restart", name_servers)
    await ping_page.open_without_application()
    await ping_page.run(LAB)
    servers = await ping_page.run(
        """async () => {
            await connect();
            const { iceServers } = client.pc.getConfiguration();
            await client.close();
            return iceServers.map(({ urls }) => String(urls));
        }"""
    )
    assert servers == ["stun:127.0.0.1:9"]
