"""Which worker takes the next viewer of a stream (no I/O)."""

from collections.abc import Container, Mapping


def relay_cost(kept: int) -> int:
    """As many sessions as passing a stream on costs a worker.

    Args:
        kept: viewers of a stream that are not worth it: about two workers' share.
    """
    return kept // 2


def taker(
    viewers: int,
    own: int,
    others: Mapping[int, int],
    relayed: Container[int],
    kept: int,
) -> int | None:
    """The worker that takes the next viewer.

    A worker is as busy as it has sessions. Its CPU time would say more, but not soon
    enough: viewers come many at once.

    Args:
        viewers: of the stream, at its owner.
        own: all sessions that the owner has.
        others: those of each other worker that could take it, by number.
        relayed: the workers that get the stream already. Another one must be less busy
            by what that costs.
        kept: viewers of a stream that stay with its owner, however busy this is.

    Returns:
        Its number; None for the owner itself.
    """
    if viewers < kept or not others:
        return None
    cost = relay_cost(kept)
    costs = {
        number: sessions + (0 if number in relayed else cost)
        for number, sessions in others.items()
    }
    least = min(costs, key=lambda number: (costs[number], number))
    return least if costs[least] < own else None
