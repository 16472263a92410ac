"""The textbook server: WHIP and WHEP on aiohttp and aiortc, as these document it.

What whoever writes such a server in an afternoon would write. It is the line that
Whipbird is measured against: ``python -m bench.textbook --port 8081``.
"""

import argparse
import secrets

from aiohttp import web
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.contrib.media import MediaBlackhole, MediaRelay

peers: web.AppKey[dict[str, RTCPeerConnection]] = web.AppKey("peers", dict)
# Stream -> what is published.
streams: web.AppKey[dict[str, list[MediaStreamTrack]]] = web.AppKey("streams", dict)
relay = web.AppKey("relay", MediaRelay)


def new_peer(app: web.Application) -> tuple[str, RTCPeerConnection]:
    """A peer, and the name of its session."""
    # By default aiortc asks a STUN server on the internet about every session, which
    # takes seconds where there is no internet. That is not what is to be measured.
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    session = secrets.token_urlsafe(16)
    app[peers][session] = pc

    @pc.on("connectionstatechange")
    async def on_connectionstatechange() -> None:
        if pc.connectionState == "failed":
            await pc.close()
            app[peers].pop(session, None)

    return session, pc


async def publish(request: web.Request) -> web.Response:
    """Answer the offer of who sends."""
    offer = RTCSessionDescription(sdp=await request.text(), type="offer")
    session, pc = new_peer(request.app)
    recorder = MediaBlackhole()
    tracks = request.app[streams][request.match_info["stream"]] = []

    @pc.on("datachannel")
    def on_datachannel(channel: RTCDataChannel) -> None:
        @channel.on("message")
        def on_message(message: str | bytes) -> None:
            channel.send(message)

    @pc.on("track")
    def on_track(track: MediaStreamTrack) -> None:
        recorder.addTrack(request.app[relay].subscribe(track))
        tracks.append(track)

        @track.on("ended")
        async def on_ended() -> None:
            await recorder.stop()

    await pc.setRemoteDescription(offer)
    await recorder.start()
    return await answer(request, session, pc)


async def watch(request: web.Request) -> web.Response:
    """Answer the offer of who receives."""
    offer = RTCSessionDescription(sdp=await request.text(), type="offer")
    tracks = request.app[streams].get(request.match_info["stream"])
    if tracks is None:
        raise web.HTTPNotFound
    session, pc = new_peer(request.app)
    for track in tracks:
        pc.addTrack(request.app[relay].subscribe(track))
    await pc.setRemoteDescription(offer)
    return await answer(request, session, pc)


async def answer(
    request: web.Request, session: str, pc: RTCPeerConnection
) -> web.Response:
    """What both are answered."""
    await pc.setLocalDescription(await pc.createAnswer())
    return web.Response(
        status=201,
        text=pc.localDescription.sdp,
        content_type="application/sdp",
        headers={"Location": f"{request.path}/{session}"},
    )


async def delete(request: web.Request) -> web.Response:
    """End a session."""
    pc = request.app[peers].pop(request.match_info["session"], None)
    if pc is None:
        raise web.HTTPNotFound
    await pc.close()
    return web.Response()


async def close_all(app: web.Application) -> None:
    """End all sessions."""
    for pc in app[peers].values():
        await pc.close()


def main() -> None:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser(description="The textbook WHIP server.")
    parser.add_argument("--port", type=int, default=8081)
    port: int = parser.parse_args().port
    app = web.Application()
    app[peers], app[streams], app[relay] = {}, {}, MediaRelay()
    app.router.add_post("/whip/{stream}", publish)
    app.router.add_post("/whep/{stream}", watch)
    app.router.add_delete("/{endpoint}/{stream}/{session}", delete)
    app.on_shutdown.append(close_all)
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None)


if __name__ == "__main__":
    main()
