"""Game: players move on a field, and all see each other, 20 times a second.

    whipbird serve --app examples.game:Game

A player publishes a data channel "game" to /whip/ROOM. It sends {"move": [1, 0]}, and
gets {"you": ID, "players": {ID: [X, Y], ...}}.
"""

import asyncio
import json

from whipbird import Application, Channel, Session, Stream

SIZE = 100
INTERVAL = 0.05


class Game(Application):
    channels = "game"

    def __init__(self) -> None:
        self._places: dict[Session, tuple[int, int]] = {}

    async def on_channel(self, channel: Channel) -> None:
        session = channel.session
        if session not in self._places:
            self._places[session] = (SIZE // 2, SIZE // 2)
            session.create_task(self._tell(session, session.stream))

    async def on_message(self, channel: Channel, data: str | bytes) -> None:
        try:
            right, down = json.loads(data)["move"]
            step = max(-1, min(1, int(right))), max(-1, min(1, int(down)))
        except (ValueError, TypeError, KeyError):
            await channel.session.end("what it sent is no move")
            return
        x, y = self._places[channel.session]
        self._places[channel.session] = (x + step[0]) % SIZE, (y + step[1]) % SIZE

    async def on_end(self, session: Session) -> None:
        self._places.pop(session, None)

    async def _tell(self, player: Session, room: Stream) -> None:
        """Tell a player of all in its room, again and again."""
        while True:
            players = {
                s.id: self._places[s] for s in room.sessions if s in self._places
            }
            state = json.dumps({"you": player.id, "players": players})
            for channel in player.channels:
                # A player with a slow network misses some; the next one is newer.
                channel.try_send(state)
            await asyncio.sleep(INTERVAL)
