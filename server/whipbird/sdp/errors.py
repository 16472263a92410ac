"""What can be wrong with an SDP document, said so that its author can mend it."""


class SdpError(ValueError):
    """An SDP document that cannot be used.

    Attributes:
        title: what is wrong, the same words for every document of this kind.
        detail: what is wrong with this one, naming the offending line.
        section: the section of the specification that it breaks.
        line: the number of the offending line, from 1, or None.
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
    """The text is well formed, but asks for what cannot be done here."""


def quote(text: str, limit: int = 60) -> str:
    """A part of the input, fit to be quoted in an error: short and printable."""
    shown = text[:limit] + ("…" if len(text) > limit else "")
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in shown)
