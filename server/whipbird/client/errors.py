"""The error of a WHIP client."""

# Characters of an error that are shown: a server may have written them.
_MAX_SHOWN = 1000


class WhipError(Exception):
    """The server refused a request, cannot be reached, or does not connect.

    Attributes:
        status: the HTTP status code; None without a response.
        title: a short description, the same for all errors of this kind.
        detail: a description of this error; may be empty.
        retry_after: seconds after which the server lets the request be sent again
            (RFC 9110 section 10.2.3); None if it does not say.
    """

    def __init__(
        self,
        title: str,
        detail: str = "",
        status: int | None = None,
        *,
        retry_after: float | None = None,
    ) -> None:
        text = f"{status} {title}" if status is not None else title
        super().__init__(_printable(f"{text}: {detail}" if detail else text))
        self.status = status
        self.title = title
        self.detail = detail
        self.retry_after = retry_after


def _printable(text: str) -> str:
    """A text without what would control a terminal, and of bounded length."""
    shown = "".join(c if c.isprintable() else " " for c in text[:_MAX_SHOWN])
    return f"{shown} ..." if len(text) > _MAX_SHOWN else shown
