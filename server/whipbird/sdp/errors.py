"""Errors in SDP documents, described so that the author can fix them."""


class SdpError(ValueError):
    """An SDP document that cannot be used.

    Attributes:
        title: a short description, the same for all errors of this kind.
        detail: a description of this error, with the line number.
        section: the section of the specification that is violated.
        line: the number of the wrong line, from 1; None if it is not one line.
    """

    def __init__(
        self, title: str, detail: str, *, section: str, line: int | None = None
    ) -> None:
        if line is not None:
            detail = f"Line {line}: {detail}"
        super().__init__(detail)
        self.title = title
        self.detail = detail
        self.section = section
        self.line = line


class MalformedSdp(SdpError):  # noqa: N818 - the noun of the specification
    """The text does not follow the grammar."""


class UnacceptableSdp(SdpError):  # noqa: N818 - the noun of the specification
    """The text is well formed, but requests something unsupported."""


def quote(text: str, limit: int = 60) -> str:
    """Make a part of the input short and printable, to quote it in an error."""
    shown = text[:limit] + ("…" if len(text) > limit else "")
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in shown)
