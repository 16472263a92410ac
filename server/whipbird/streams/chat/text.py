"""Text that strangers write, so that it is harmless wherever it is shown."""

import re
import unicodedata
from itertools import groupby

# Marks that one letter may have: more are drawn over the lines above and below.
MAX_MARKS = 4

# Zero width, but needed: joiners are a part of emoji, of Persian and of Indic scripts.
_JOINERS = "\u200c\u200d"
# Controls, formats (bidirectional overrides among them), surrogates, private use.
_REMOVED = frozenset({"Cc", "Cf", "Cs", "Co"})
# Letters and symbols that are blank: fillers of Hangul, and a pattern of Braille.
_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800")
_SPACE = re.compile(r"\s+")


def clean(text: str) -> str:
    """Make text one line without what cannot be seen or disturbs other text.

    Control characters, bidirectional controls and other invisible characters are
    removed, white space becomes single spaces, and heaps of marks are cut.
    """
    text = _SPACE.sub(" ", unicodedata.normalize("NFC", text)).strip()
    kept = filter(_is_kept, text)
    parts: list[str] = []
    for is_mark, run in groupby(kept, _is_mark):
        characters = list(run)
        parts += characters[:MAX_MARKS] if is_mark else characters
    # What stood beside an invisible character may be spaces.
    return _SPACE.sub(" ", "".join(parts)).strip()


def is_visible(text: str) -> bool:
    """Whether there is anything to see: a letter, a number, a sign or a symbol."""
    return any(unicodedata.category(c)[0] in "LNPS" for c in text)


def folded(name: str) -> str:
    """What two names have in common that look alike but for case, signs and width."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return "".join(c for c in plain if c.isalnum())


def _is_kept(character: str) -> bool:
    if character in _BLANK:
        return False
    return character in _JOINERS or unicodedata.category(character) not in _REMOVED


def _is_mark(character: str) -> bool:
    return unicodedata.category(character) in ("Mn", "Me")
