"""The layers of a simulcast that a viewer has chosen."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..media.feed import Feed


@dataclass(frozen=True, slots=True)
class LayerChoice:
    """A viewer's choice of layers; by default, the best for its network.

    Attributes:
        rid: the rid of a layer.
        max_width, max_height: the largest picture, in pixels.
    """

    rid: str | None = None
    max_width: int | None = None
    max_height: int | None = None

    def among(self, feeds: Sequence[Feed]) -> Sequence[Feed]:
        """The feeds that match the choice.

        Args:
            feeds: the feeds to choose from, smallest first; one at least.

        Returns:
            One feed at least: the closest ones to the choice. If no feed has the rid,
            all within the size limits: the stream has a new publisher.
        """
        for feed in feeds:
            if self.rid is not None and feed.encoding.rid == self.rid:
                return (feed,)
        return [feed for feed in feeds if self._is_small_enough(feed)] or feeds[:1]

    def _is_small_enough(self, feed: Feed) -> bool:
        parameters = feed.encoding.parameters
        if parameters is None:
            return True
        return (self.max_width is None or parameters.width <= self.max_width) and (
            self.max_height is None or parameters.height <= self.max_height
        )


def combined(choices: Iterable[LayerChoice]) -> LayerChoice:
    """The choice whose layer is enough for all of several viewers.

    That is their own if all have the same; otherwise the largest limits of them, and no
    rid, whose size is not known here.
    """
    found = list(choices)
    if not found:
        return LayerChoice()
    if all(choice == found[0] for choice in found):
        return found[0]
    if any(choice.rid is not None for choice in found):
        return LayerChoice()
    return LayerChoice(
        max_width=_largest(choice.max_width for choice in found),
        max_height=_largest(choice.max_height for choice in found),
    )


def _largest(limits: Iterable[int | None]) -> int | None:
    """The largest of several limits; None if one of them is none."""
    known = list(limits)
    numbers = [limit for limit in known if limit is not None]
    return max(numbers) if len(numbers) == len(known) else None
