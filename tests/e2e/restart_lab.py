"""A page with a WHIP client that can be watched while it restarts ICE."""

from typing import Any

from playwright.async_api import Request

from .ping_page import PingPage

#: Makes `window.connect`: a client with an open channel, numbered messages on demand.
LAB = """async () => {
    const { WhipClient } = await import('/client/whip-client.js');
    const { selectedPair } = await import('/client/candidate-pair.js');
    const { dtlsTransport } = await import('/client/peer-connection.js');
    window.until = async (test) => {
        while (!(await test())) await new Promise((resolve) => setTimeout(resolve, 20));
    };
    const opened = (channel) => channel.readyState === 'open' ||
        new Promise((resolve) => channel.addEventListener('open', resolve));
    window.connect = async (options = {}) => {
        const client = new WhipClient('/whip/restart', options);
        window.client = client;
        window.channel = client.pc.createDataChannel('reliable');
        window.loose = client.pc.createDataChannel(
            'loose', { ordered: false, maxRetransmits: 0 });
        await client.connect();
        await Promise.all([opened(channel), opened(loose)]);
    };
    /** Sends a number on both channels every 10 ms, and notes what comes back. */
    window.count = () => {
        const counting = { sent: 0, echoed: [], loose: [] };
        channel.onmessage = ({ data }) => counting.echoed.push(Number(data));
        loose.onmessage = ({ data }) => counting.loose.push(Number(data));
        const timer = setInterval(() => {
            channel.send(String(counting.sent));
            loose.send(String(counting.sent));
            counting.sent += 1;
        }, 10);
        counting.stop = async () => {
            clearInterval(timer);
            await until(() => counting.echoed.length >= counting.sent);
            return counting;
        };
        return counting;
    };
    const field = (description, name) =>
        description.sdp.match(`a=${name}:(.*)`)?.[1].trim();
    /** Statistics that name no ICE session, as in some browsers; `change` gets each. */
    window.hideUfrags = (pc, change = () => {}) => {
        const getStats = pc.getStats.bind(pc);
        pc.getStats = async () => {
            const report = new Map([...await getStats()].map(([id, entry]) =>
                [id, { ...entry, usernameFragment: undefined }]));
            change(report);
            return report;
        };
    };
    /** What an ICE restart changes, and what it must not change. */
    window.look = async () => {
        const { pc } = client;
        const stats = [...(await pc.getStats()).values()];
        const transport = stats.find(({ type }) => type === 'transport');
        const pair = await selectedPair(pc);
        const dtls = dtlsTransport(pc);
        const digest = async (data) => [...new Uint8Array(
            await crypto.subtle.digest('SHA-256', data))].join();
        return {
            etag: client.etag,
            localUfrag: field(pc.localDescription, 'ice-ufrag'),
            remoteUfrag: field(pc.remoteDescription, 'ice-ufrag'),
            pair: [pair.local.ufrag, pair.remote.ufrag],
            port: pair.local.port,
            bytes: [transport.bytesSent, transport.bytesReceived],
            same: {
                location: client.location,
                fingerprint: field(pc.localDescription, 'fingerprint'),
                remoteFingerprint: field(pc.remoteDescription, 'fingerprint'),
                remoteCertificate: await digest(dtls.getRemoteCertificates()[0]),
                certificateId: transport.localCertificateId,
                dtls: [transport.dtlsState, dtls.state, transport.tlsVersion],
                role: transport.dtlsRole,
                sctp: [pc.sctp.state, pc.sctp.maxMessageSize],
                signaling: pc.signalingState,
            },
        };
    };
}"""

#: Asks for a restart and gives the error's kind and words, or else how long it took.
RESTART = """() => client.restartIce().then(
    (times) => ({ times }),
    ({ kind, status, message }) => ({ kind, status: status ?? null, message }),
)"""

SESSION = "**/whip/restart/*"


async def lab(ping_page: PingPage, options: dict[str, Any] | None = None) -> PingPage:
    """A page without application, with a client that is connected."""
    await ping_page.open_without_application()
    await ping_page.run(LAB)
    await ping_page.run("(options) => connect(options)", options or {})
    return ping_page


def restarts(ping_page: PingPage) -> list[Request]:
    """The PATCHes that ask for a restart."""
    return [
        request
        for request in ping_page.whip_requests("PATCH")
        if request.headers["if-match"] == "*"
    ]
