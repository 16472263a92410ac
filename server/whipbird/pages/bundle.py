"""Joins ES modules to scripts, so that a page needs few requests for all of them.

Each module becomes a function that is called once and returns what the module exports.
That is the same as modules under these conditions, all of which are checked, and which
the page's modules keep anyway: imports and exports are declarations at the beginning of
a line, imports have names or are namespaces, exports are named and constant, no
template literal has several lines, and no module imports itself by way of others.

A page may have several scripts, one after another; the later ones use the modules of
the earlier ones, as all of them are classic scripts and share one scope. What a module
imports by ``import('./other.js')`` is not joined with it: it becomes a script of its
own (a *chunk*, an ES module), which is loaded when that is called.

Comments that have lines of their own are left out, and so is indentation: compressed,
that is within 4 % of what a minifier does, and the script can still be read.
"""

import posixpath
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

_IMPORT = re.compile(
    r"^import\s+(?:\{(?P<names>[^}]*)\}|\*\s+as\s+(?P<namespace>[\w$]+))"
    r"\s+from\s+'(?P<path>\.{1,2}/[^']+)';$",
    re.MULTILINE,
)
_LAZY_IMPORT = re.compile(r"\bimport\('(?P<path>\.{1,2}/[^']+)'\)")
_EXPORT = re.compile(
    r"^export (?P<declaration>(?:async )?function\*?|class|const) (?P<name>[\w$]+)",
    re.MULTILINE,
)
_COMMENT = re.compile(
    r"^[ \t]*(?://[^\n]*|/\*(?:(?!\*/)[\s\S])*\*/[ \t]*)\n", re.MULTILINE
)
_BLANK = re.compile(r"^[ \t]+|^\n", re.MULTILINE)
# What is left of a declaration that the others do not match.
_OTHER = re.compile(
    r"^(?:import|export)\b(?!\().*|^await\b.*|\bimport\((?!'\.).*", re.MULTILINE
)

# Where the files are whose names change with their contents.
ASSETS = "assets"

# The chunk of what several chunks import.
SHARED = "shared.js"


class BundleError(Exception):
    """A module is not as it must be to be joined with others. The message says how."""


@dataclass(frozen=True, slots=True)
class _Module:
    """A module that was read.

    Attributes:
        text: without comments of their own lines.
        imports: the paths of the modules that it imports, in order.
        lazy: the paths of those that it loads when it needs them.
        exports: the names of what it exports.
    """

    text: str
    imports: tuple[str, ...]
    lazy: tuple[str, ...]
    exports: tuple[str, ...]


class Bundler:
    """The scripts of one page.

    Args:
        entries: the paths of the modules that the page loads, in order.
        read: returns the text of the module at a path; raises KeyError without one.
        publish: gets the path and the text of each chunk, once, and returns the name
            under which the page gets it.

    Raises:
        BundleError: when a module does not keep the conditions, or is missing.
    """

    def __init__(
        self,
        entries: Iterable[str],
        read: Callable[[str], str],
        publish: Callable[[str, str], str],
    ) -> None:
        self._read = read
        self._publish = publish
        self._modules: dict[str, _Module] = {}
        # The modules of each script and chunk, in the order of their execution.
        self._parts: dict[str, list[str]] = {}
        # The names of chunks; None while they are made.
        self._chunks: dict[str, str | None] = {}
        loaded: set[str] = set()
        for entry in entries:
            self._parts[entry] = self._closure(entry, loaded)
            loaded.update(self._parts[entry])
        self._split(loaded)
        self._variables = {path: f"module{n}" for n, path in enumerate(self._modules)}

    def script(self, entry: str, name: str) -> str:
        """Join the modules of an entry that no earlier entry has.

        Args:
            entry: the path of its module.
            name: where the script will be, as far as the folder: URLs are relative.

        Returns:
            A classic script.
        """
        return f"'use strict';\n{self._join(self._parts[entry], name)}"

    def _closure(self, entry: str, without: Collection[str]) -> list[str]:
        """A module and all that it imports, in the order of their execution."""
        found: list[str] = []
        importing: list[str] = []

        def add(path: str) -> None:
            if path in importing:
                raise BundleError(f"{path} imports itself, by way of others")
            if path in found or path in without:
                return
            importing.append(path)
            for target in self._module(path).imports:
                add(target)
            importing.pop()
            found.append(path)

        add(entry)
        return found

    def _split(self, loaded: Collection[str]) -> None:
        """Find the chunks, and what several of them import."""
        closures: dict[str, list[str]] = {}
        waiting = sorted({t for path in loaded for t in self._modules[path].lazy})
        while waiting:
            entry = waiting.pop()
            if entry in loaded:
                raise BundleError(
                    f"{entry} is to be loaded later, and is there already"
                )
            if entry not in closures:
                closures[entry] = self._closure(entry, loaded)
                waiting += (t for m in closures[entry] for t in self._modules[m].lazy)
        uses = Counter(path for found in closures.values() for path in found)
        ordered = dict.fromkeys(path for found in closures.values() for path in found)
        self._parts[SHARED] = [path for path in ordered if uses[path] > 1]
        for entry, found in closures.items():
            if uses[entry] > 1:
                raise BundleError(f"{entry} is imported, and is to be loaded later")
            self._parts[entry] = [path for path in found if uses[path] == 1]

    def _module(self, path: str) -> _Module:
        if path not in self._modules:
            try:
                text = _COMMENT.sub("", self._read(path))
            except KeyError:
                raise BundleError(f"{path} is imported, and does not exist") from None
            self._modules[path] = _parse(path, text)
        return self._modules[path]

    def _join(self, paths: Iterable[str], name: str) -> str:
        return "".join(self._function(path, name) for path in paths)

    def _function(self, path: str, name: str) -> str:
        """A module, as a variable with what its function returns."""
        module = self._modules[path]

        def take(match: re.Match[str]) -> str:
            variable = self._variables[_target(path, match)]
            if match["namespace"]:
                return f"const {match['namespace']} = {variable};"
            return f"const {{{match['names'].replace(' as ', ': ')}}} = {variable};"

        text = _LAZY_IMPORT.sub(
            lambda match: self._load(_target(path, match), name),
            _IMPORT.sub(take, module.text),
        )
        text = _BLANK.sub("", _EXPORT.sub(r"\g<declaration> \g<name>", text))
        exports = ", ".join(module.exports)
        result = f"return {{ {exports} }};\n" if exports else ""
        return f"const {self._variables[path]} = (() => {{\n{text}{result}}})();\n"

    def _load(self, entry: str, name: str) -> str:
        """The expression that loads a chunk, and at the same time what it imports."""
        load = f"import('{_relative(self._chunk(entry), name)}')"
        if not self._shared_by(entry):
            return load
        # That this one fails is known when the chunk fails, which imports it.
        shared = _relative(self._chunk(SHARED), name)
        return f"(import('{shared}').catch(() => {{}}), {load})"

    def _chunk(self, entry: str) -> str:
        """Publish a chunk, unless it is. Returns its name."""
        if entry in self._chunks:
            known = self._chunks[entry]
            if known is None:
                raise BundleError(f"{entry} loads itself, by way of others")
            return known
        self._chunks[entry] = None
        # Only the folder counts, which the name will be in.
        name = posixpath.join(ASSETS, entry)
        text = self._join(self._parts[entry], name)
        if entry == SHARED:
            exports = f"export {{ {self._names(self._parts[SHARED])} }};\n"
        else:
            names = ", ".join(self._modules[entry].exports)
            exports = f"export const {{ {names} }} = {self._variables[entry]};\n"
        if shared := self._shared_by(entry):
            url = _relative(self._chunk(SHARED), name)
            text = f"import {{ {self._names(shared)} }} from '{url}';\n{text}"
        made = self._publish(entry, text + exports)
        self._chunks[entry] = made
        return made

    def _shared_by(self, entry: str) -> list[str]:
        """The modules of ``SHARED`` that the modules of a chunk import."""
        if entry == SHARED:
            return []
        imported = {t for p in self._parts[entry] for t in self._modules[p].imports}
        return [path for path in self._parts[SHARED] if path in imported]

    def _names(self, paths: Iterable[str]) -> str:
        return ", ".join(self._variables[path] for path in paths)


def _parse(path: str, text: str) -> _Module:
    rest = _LAZY_IMPORT.sub("", _EXPORT.sub("", _IMPORT.sub("", text)))
    if other := _OTHER.search(rest):
        raise BundleError(f"{path} has what cannot be joined: {other[0].strip()}")
    for line in text.splitlines():
        if line.count("`") % 2:
            raise BundleError(f"{path} has a text of several lines: {line.strip()}")
    return _Module(
        text,
        tuple(_target(path, match) for match in _IMPORT.finditer(text)),
        tuple(_target(path, match) for match in _LAZY_IMPORT.finditer(text)),
        tuple(match["name"] for match in _EXPORT.finditer(text)),
    )


def _target(path: str, match: re.Match[str]) -> str:
    """The path of a module that another one imports."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), match["path"]))


def _relative(name: str, to: str) -> str:
    found = posixpath.relpath(name, posixpath.dirname(to) or ".")
    return found if found.startswith(".") else f"./{found}"
