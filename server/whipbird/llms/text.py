"""Text that others have written, which may be none."""


def is_text(value: str) -> bool:
    """Whether a string can be encoded: JSON may have half of a surrogate pair."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def as_text(value: str) -> str:
    """The string with a question mark for each half of a surrogate pair."""
    return value.encode(errors="replace").decode()
