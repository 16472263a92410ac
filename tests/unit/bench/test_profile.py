"""Whose work the hot paths are."""

import pytest

from bench.profile import COLUMNS, as_markdown, owner_of, shares

REPORT = """
    40.00%,libpython3.11.so.1.0
    20.00%,[kernel.kallsyms]
     5.00%,[vdso]
    15.00%,_rust.abi3.so
    10.00%,_binding.abi3.so
     5.00%,loop.cpython-311-x86_64-linux-gnu.so
     5.00%,libgcc_s.so.1
"""


@pytest.mark.parametrize(
    ("library", "owner"),
    [
        ("[kernel.kallsyms]", "kernel"),
        ("libcrypto.so.3", "OpenSSL"),
        ("python3.12", "Python"),
        ("libc.so.6", "libc"),
        ("_ssl.cpython-311-x86_64-linux-gnu.so", "others"),
    ],
)
def test_libraries_have_owners(library: str, owner: str) -> None:
    assert owner_of(library) == owner


def test_the_shares_are_those_of_the_report() -> None:
    found = shares(REPORT)
    assert tuple(found) == COLUMNS
    assert sum(found.values()) == pytest.approx(1.0)
    assert found["kernel"] == pytest.approx(0.25)
    assert found["others"] == pytest.approx(0.05)
    assert not any(shares("").values())


def test_the_table_is_in_microseconds() -> None:
    _, _, row = as_markdown({"one": (10.0, shares(REPORT))}).splitlines()
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:3] == ["one", "10.0", "2.5"]
    assert len(cells) == 2 + len(COLUMNS)
