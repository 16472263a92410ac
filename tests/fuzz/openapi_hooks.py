"""What Schemathesis cannot know: bodies that are offers, streams, sessions that exist.

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
# The endpoint, and the offer, that make what a path is about.
_MAKERS = {
    "whip": ("whip", offers.MINIMAL),
    "whep": ("whep", offers.VIEWER_OF_EVERYTHING),
    "api": ("whip", offers.CHROMIUM_MEDIA),
}

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
    """Let every second request for a session or a stream be for one that exists."""
    parameters = case.path_parameters or {}
    about = case.path.split("/")[1]
    needed = "stream" if about == "api" else "session"
    if needed not in parameters or next(_calls) % 2:
        return
    endpoint, offer = _MAKERS[about]
    base = str(case.operation.base_url).rstrip("/")
    response = requests.post(
        f"{base}/{endpoint}/fuzz",
        data=offer,
        headers={"Content-Type": "application/sdp"},
        timeout=10,
    )
    existing = {}
    if response.status_code == 201:
        existing["session"] = response.headers["Location"].rpartition("/")[2]
    if response.status_code in (201, 409):
        existing["stream"] = "fuzz"
    case.path_parameters = {
        name: existing.get(name, value) for name, value in parameters.items()
    }
