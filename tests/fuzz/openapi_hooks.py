"""What Schemathesis cannot know: bodies that are offers, and sessions that exist.

Its command imports this module (``SCHEMATHESIS_HOOKS``).
"""

from itertools import count
from typing import Any

import requests
import schemathesis
from hypothesis import strategies as st

from tests import offers
from tests.fuzz.documents import FRAGMENT

_PUBLISHERS = [text.encode() for text in offers.ALL.values()]
_VIEWERS = [offers.CHROMIUM_VIEWER.encode(), offers.WHEPSRC.encode()]
_OFFERS = {"whip": offers.MINIMAL, "whep": offers.VIEWER_OF_EVERYTHING}

schemathesis.openapi.media_type(
    "application/sdp",
    st.sampled_from([*_PUBLISHERS, *_VIEWERS]) | st.binary(max_size=200),
)
schemathesis.openapi.media_type(
    "application/trickle-ice-sdpfrag",
    st.sampled_from([FRAGMENT.encode(), b"a=end-of-candidates\r\n"])
    | st.binary(max_size=200),
)

_calls = count()


@schemathesis.hook
def before_call(
    context: schemathesis.HookContext,
    case: schemathesis.Case[Any],
    kwargs: dict[str, Any],
) -> None:
    """Let every second request for a session be for one that exists."""
    parameters = case.path_parameters or {}
    if "session" not in parameters or next(_calls) % 2:
        return
    protocol = case.path.split("/")[1]
    base = str(case.operation.base_url).rstrip("/")
    response = requests.post(
        f"{base}/{protocol}/fuzz",
        data=_OFFERS[protocol],
        headers={"Content-Type": "application/sdp"},
        timeout=10,
    )
    if response.status_code == 201:
        session = response.headers["Location"].rpartition("/")[2]
        case.path_parameters = {**parameters, "stream": "fuzz", "session": session}
