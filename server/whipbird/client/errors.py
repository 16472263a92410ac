"""What can go wrong between a WHIP client and its server."""


class WhipError(Exception):
    """The server has refused, cannot be reached, or does not connect.

    Attributes:
        status: the HTTP status code; None when there was no response.
        title: what is wrong, in a few words.
        detail: what is wrong this time; may be empty.
    """

    def __init__(self, title: str, detail: str = "", status: int | None = None) -> None:
        text = f"{status} {title}" if status is not None else title
        super().__init__(f"{text}: {detail}" if detail else text)
        self.status = status
        self.title = title
        self.detail = detail
