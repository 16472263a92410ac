"""The layers of a simulcast, as an origin's ``layers`` event has them."""

from itertools import islice
from typing import Any

# Of what is passed on to viewers, at most; a simulcast has three layers or four, and a
# layer some six members.
MAX_LAYERS = 16
MAX_MEMBERS = 16
MAX_TEXT = 64
MAX_NUMBER = 2**53


def read_layers(value: list[Any]) -> list[dict[str, str | int | float]]:
    """The layers of one video section.

    They are passed on to viewers, here and at other workers. So members that are
    neither numbers nor short texts, which no layer has, are left out, and so is what is
    no layer.
    """
    found = islice((one for one in value if isinstance(one, dict)), MAX_LAYERS)
    return [
        {
            name: member
            for name, member in islice(one.items(), MAX_MEMBERS)
            if _is_text(name) and (_is_number(member) or _is_text(member))
        }
        for one in found
    ]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TEXT and value.isprintable()


def _is_number(value: object) -> bool:
    # Not so of NaN, either.
    return type(value) in (int, float) and -MAX_NUMBER <= value <= MAX_NUMBER  # type: ignore[operator]
