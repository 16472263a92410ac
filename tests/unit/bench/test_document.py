"""Tables in Markdown files."""

from pathlib import Path

import pytest

from bench.document import put_into


def test_the_table_is_replaced_in_the_document(tmp_path: Path) -> None:
    file = tmp_path / "security.md"
    file.write_text("before\n<!-- floods -->\nold\n<!-- end of floods -->\nafter\n")
    put_into(file, "floods", "new")
    assert file.read_text() == (
        "before\n<!-- floods -->\nnew\n<!-- end of floods -->\nafter\n"
    )
    file.write_text("nothing")
    with pytest.raises(ValueError, match="<!-- floods --> and <!-- end"):
        put_into(file, "floods", "new")
