"""Tables in Markdown files, written by programs."""

from pathlib import Path


def put_into(file: Path, name: str, table: str) -> None:
    """Replace the table of a name in a Markdown file.

    Args:
        name: it stands between ``<!-- name -->`` and ``<!-- end of name -->``.

    Raises:
        ValueError: when the file does not have these two comments.
    """
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    text = file.read_text()
    head, begun, rest = text.partition(begin)
    _, ended, tail = rest.partition(end)
    if not begun or not ended:
        raise ValueError(f"{file} has no place for the table: {begin} and {end}")
    file.write_text(f"{head}{begin}\n{table}\n{end}{tail}")
