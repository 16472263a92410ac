"""The textbook server: WHIP on aiohttp and aiortc as their documentation has it.

What whoever writes a WHIP server in an afternoon would write. It is the line that
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
from aiortc.contrib.media import MediaBlackhole

peers: web.AppKey[dict[str, RTCPeerConnection]] = web.AppKey("peers", dict)


async def post(request: web.Request) -> web.Response:
    """Answer an offer."""
    offer = RTCSessionDescription(sdp=await request.text(), type="offer")
    # By default aiortc asks a STUN server on the internet about every session, which
    # takes seconds where there is no internet. That is not what is to be measured.
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    session = secrets.token_urlsafe(16)
    request.app[peers][session] = pc
    recorder = MediaBlackhole()

    @pc.on("connectionstatechange")
    async def on_connectionstatechange() -> None:
        if pc.connectionState == "failed":
            await pc.close()
            request.app[peers].pop(session, None)

    @pc.on("datachannel")
    def on_datachannel(channel: RTCDataChannel) -> None:
        @channel.on("message")
        def on_message(message: str | bytes) -> None:
            channel.send(message)

    @pc.on("track")
    def on_track(track: MediaStreamTrack) -> None:
        recorder.addTrack(track)

        @track.on("ended")
        async def on_ended() -> None:
            await recorder.stop()

    await pc.setRemoteDescription(offer)
    await recorder.start()
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
    app[peers] = {}
    app.router.add_post("/whip/{stream}", post)
    app.router.add_delete("/whip/{stream}/{session}", delete)
    app.on_shutdown.append(close_all)
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None)


if __name__ == "__main__":
    main()
