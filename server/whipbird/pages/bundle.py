"""Joins ES modules to one script, so that a page needs one request for all of them.

Each module becomes a function that is called once and returns what the module exports.
That is the same as modules under these conditions, all of which are checked, and which
the page's modules keep anyway: imports and exports are declarations at the beginning of
a line, imports have names or are namespaces, exports are named and constant, no
template literal has several lines, and no module imports itself by way of others.

Comments that have lines of their own are left out, and so is indentation: compressed,
that is within 4 % of what a minifier does, and the script can still be read.
"""

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass, field

_IMPORT = re.compile(
    r"^import\s+(?:\{(?P<names>[^}]*)\}|\*\s+as\s+(?P<namespace>[\w$]+))"
    r"\s+from\s+'(?P<path>\.{1,2}/[^']+)';$",
    re.MULTILINE,
)
_EXPORT = re.compile(
    r"^export (?P<declaration>(?:async )?function\*?|class|const) (?P<name>[\w$]+)",
    re.MULTILINE,
)
_COMMENT = re.compile(
    r"^[ \t]*(?://[^\n]*|/\*(?:(?!\*/)[\s\S])*\*/[ \t]*)\n", re.MULTILINE
)
_BLANK = re.compile(r"^[ \t]+|^\n", re.MULTILINE)
# What is left of a declaration that the two do not match.
_OTHER = re.compile(r"^(?:import|export)\b(?!\().*|^await\b.*", re.MULTILINE)


class BundleError(Exception):
    """A module is not as it must be to be joined with others. The message says how."""


@dataclass
class _Joining:
    read: Callable[[str], str]
    # In the order of their execution.
    parts: list[str] = field(default_factory=list)
    # The variables of modules; None while its imports are being read.
    variables: dict[str, str | None] = field(default_factory=dict)


def bundle(entry: str, read: Callable[[str], str]) -> str:
    """Join a module and all that it imports.

    Args:
        entry: the path of the module.
        read: returns the text of the module at a path; raises KeyError without one.

    Returns:
        A module without imports and exports.

    Raises:
        BundleError: when a module does not keep the conditions, or is missing.
    """
    joining = _Joining(read)
    _add(entry, joining)
    return "".join(joining.parts)


def _add(path: str, joining: _Joining) -> str:
    """Add a module, after those that it imports. Returns its variable."""
    if path in joining.variables:
        known = joining.variables[path]
        if known is None:
            raise BundleError(f"{path} imports itself, by way of others")
        return known
    joining.variables[path] = None
    try:
        text = joining.read(path)
    except KeyError:
        raise BundleError(f"{path} is imported, and does not exist") from None

    def take(match: re.Match[str]) -> str:
        target = posixpath.normpath(
            posixpath.join(posixpath.dirname(path), match["path"])
        )
        variable = _add(target, joining)
        if match["namespace"]:
            return f"const {match['namespace']} = {variable};"
        names = match["names"].replace(" as ", ": ")
        return f"const {{{names}}} = {variable};"

    text = _IMPORT.sub(take, _COMMENT.sub("", text))
    exports = [match["name"] for match in _EXPORT.finditer(text)]
    text = _EXPORT.sub(r"\g<declaration> \g<name>", text)
    if other := _OTHER.search(text):
        raise BundleError(f"{path} has what cannot be joined: {other[0].strip()}")
    for line in text.splitlines():
        if line.count("`") % 2:
            raise BundleError(f"{path} has a text of several lines: {line.strip()}")
    variable = f"module{len(joining.parts)}"
    joining.variables[path] = variable
    result = f"return {{ {', '.join(exports)} }};\n" if exports else ""
    text = _BLANK.sub("", text)
    joining.parts.append(f"const {variable} = (() => {{\n{text}{result}}})();\n")
    return variable
