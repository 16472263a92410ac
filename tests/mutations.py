"""Hypothesis strategies that spoil SDP as broken clients, and attackers, do."""

from collections.abc import Callable

from hypothesis import strategies as st

# Tokens that often break SDP parsers.
_TOKENS = st.sampled_from(
    [
        *("", " ", "-1", "0", "65536", "4294967296", "9" * 30, "1e9", "0x10", "\u0661"),
        *("\t", "\0", "\x85", "\u2028", "\ufeff", "\u202e", "\N{BIRD}", "%s", "../.."),
        *("*", ":", "=", "/", "a", "m=", "a=mid:0", "UDP/DTLS/SCTP", "sha-256"),
    ]
)

_Edit = Callable[[list[str]], list[str]]


def _drop(index: int) -> _Edit:
    return lambda lines: lines[:index] + lines[index + 1 :]


def _repeat(index: int) -> _Edit:
    return lambda lines: lines[: index + 1] + lines[index:]


def _swap(one: int, other: int) -> _Edit:
    def edit(lines: list[str]) -> list[str]:
        if lines:
            a, b = one % len(lines), other % len(lines)
            lines[a], lines[b] = lines[b], lines[a]
        return lines

    return edit


def _change(index: int, change: Callable[[str], str]) -> _Edit:
    def edit(lines: list[str]) -> list[str]:
        if lines:
            lines[index % len(lines)] = change(lines[index % len(lines)])
        return lines

    return edit


def _replace_word(index: int, word: int, token: str) -> _Edit:
    def change(line: str) -> str:
        words = line.split(" ")
        words[word % len(words)] = token
        return " ".join(words)

    return _change(index, change)


def _replace_value(index: int, token: str) -> _Edit:
    return _change(index, lambda line: line.partition(":")[0] + ":" + token)


def _edits(length: int) -> st.SearchStrategy[_Edit]:
    line = st.integers(0, length - 1)
    return st.one_of(
        st.builds(_drop, line),
        st.builds(_repeat, line),
        st.builds(_swap, line, line),
        st.builds(
            _replace_word, line, st.integers(0, 8), _TOKENS | st.text(max_size=8)
        ),
        st.builds(_replace_value, line, _TOKENS | st.text(max_size=20)),
        st.builds(
            lambda index, at: _change(index, lambda text: text[:at]),
            line,
            st.integers(0, 60),
        ),
        st.builds(
            lambda index, at, token: _change(
                index, lambda text: text[:at] + token + text[at:]
            ),
            line,
            st.integers(0, 60),
            _TOKENS,
        ),
    )


@st.composite
def mutated(draw: st.DrawFn, *texts: str) -> bytes:
    """One of the texts with one to four flaws, as octets; they may not be UTF-8."""
    text = draw(st.sampled_from(texts))
    lines = text.split("\r\n")
    for edit in draw(st.lists(_edits(len(lines)), min_size=1, max_size=4)):
        lines = edit(lines)
    octets = (
        draw(st.sampled_from(["\r\n", "\n"])).join(lines).encode("utf-8", "replace")
    )
    if draw(st.integers(0, 4)) == 0:
        at = draw(st.integers(0, max(0, len(octets) - 1)))
        noise = draw(st.binary(max_size=4))
        octets = octets[:at] + noise + octets[at + len(noise) :]
    if draw(st.integers(0, 4)) == 0:
        octets = octets[: draw(st.integers(0, len(octets)))]
    return octets
