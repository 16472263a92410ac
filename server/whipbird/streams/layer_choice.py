"""Which layers of a simulcast a viewer will have."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..rtc import Feed


@dataclass(frozen=True, slots=True)
class LayerChoice:
    """What a viewer has asked for; nothing, for the best that its network carries.

    Attributes:
        rid: the name of a layer.
        max_width, max_height: of the picture, in pixels.
    """

    rid: str | None = None
    max_width: int | None = None
    max_height: int | None = None

    def among(self, feeds: Sequence[Feed]) -> Sequence[Feed]:
        """Those that may be sent.

        Args:
            feeds: those that can be, smallest first; one at least.

        Returns:
            One at least: what comes nearest to what was asked for. All, when nothing
            has the name: the publisher is another one now.
        """
        for feed in feeds:
            if self.rid is not None and feed.layer.rid == self.rid:
                return (feed,)
        return [feed for feed in feeds if self._has_room_for(feed)] or feeds[:1]

    def _has_room_for(self, feed: Feed) -> bool:
        parameters = feed.layer.parameters
        if parameters is None:
            return True
        return (self.max_width is None or parameters.width <= self.max_width) and (
            self.max_height is None or parameters.height <= self.max_height
        )
