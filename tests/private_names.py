"""Which private names of aiortc and aioice a source uses: there are to be none.

Sources are parsed, not run. Private is what begins with one underscore, and what begins
with two and is mangled.
"""

import ast
import importlib.util
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

PACKAGES = ("aiortc", "aioice")


def is_private(name: str) -> bool:
    """Whether a name begins with an underscore, and is no special one."""
    return name.startswith("_") and not name.endswith("__") and name != "_"


class Definitions:
    """The private names that packages define.

    Attributes:
        everywhere: all of them.
        of_class: class -> those of its own, without its bases'.
        bases: class -> the names of its bases.
    """

    def __init__(self, sources: Iterable[str]) -> None:
        self.everywhere: set[str] = set()
        self.of_class: dict[str, set[str]] = defaultdict(set)
        self.bases: dict[str, list[str]] = {}
        for source in sources:
            self._read(ast.parse(source))
        for names in self.of_class.values():
            self.everywhere |= names

    @classmethod
    def of_packages(cls, *packages: str) -> "Definitions":
        """Read the installed packages."""
        return cls(source for package in packages for source in sources_of(package))

    def inherited(self, name: str) -> set[str]:
        """The private names of a class and its bases."""
        found = set(self.of_class[name])
        for base in self.bases.get(name, ()):
            found |= self.inherited(base)
        return found

    def _read(self, module: ast.Module) -> None:
        for statement in module.body:
            self.everywhere |= {n for n in _bound(statement) if is_private(n)}
        for node in ast.walk(module):
            if isinstance(node, ast.ClassDef):
                self.bases[node.name] = [
                    base for base in map(_last, node.bases) if base
                ]
                names = {n for child in node.body for n in _bound(child)}
                names |= {
                    child.attr
                    for child in ast.walk(node)
                    if isinstance(child, ast.Attribute) and _is_self(child.value)
                }
                self.of_class[node.name] |= {
                    mangled(n, node.name) for n in names if is_private(n)
                }


def uses(source: str, known: Definitions, ours: Definitions) -> Iterator[str]:
    """Find the private names that a source uses or overrides.

    Args:
        known: of the packages whose names these are.
        ours: of the project, whose classes may have bases in its other modules.

    Yields:
        The line and the name.
    """
    module = ast.parse(source)
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef):
            yield from _overridden(node, known, ours)
        elif isinstance(node, ast.ImportFrom):
            package = (node.module or "").partition(".")[0]
            if not node.level and package in PACKAGES:
                for alias in node.names:
                    if is_private(alias.name) or "._" in (node.module or ""):
                        yield f"{node.lineno}: {alias.name}"
        elif (
            isinstance(node, ast.Attribute)
            and not _is_self(node.value)
            and node.attr in known.everywhere
        ):
            yield f"{node.lineno}: {node.attr}"
        for name in _spelled(node):
            if name in known.everywhere or name.startswith("_RTC"):
                yield f"{getattr(node, 'lineno', 0)}: {name!r}"


def _spelled(node: ast.AST) -> Iterator[str]:
    """Private names in strings: of ``getattr`` and the like, and of ``vars``."""
    strings: list[ast.expr] = []
    match node:
        case ast.Call(func=ast.Name(id="getattr" | "setattr" | "hasattr" | "delattr")):
            strings = node.args[1:2]
        case ast.Subscript(slice=index):
            strings = [index]
    for string in strings:
        if isinstance(string, ast.JoinedStr):
            string = string.values[0]
        value = string.value if isinstance(string, ast.Constant) else None
        if isinstance(value, str) and (is_private(value) or value.startswith("_RTC")):
            yield value


def _overridden(
    node: ast.ClassDef, known: Definitions, ours: Definitions
) -> Iterator[str]:
    """What a class has in common with bases of the packages, if it has such."""
    taken: set[str] = set()
    bases = [base for base in map(_last, node.bases) if base]
    while bases:
        base = bases.pop()
        taken |= known.inherited(base)
        bases += ours.bases.get(base, ())
    if not taken:
        return
    for child in ast.walk(node):
        names: list[str] = []
        if isinstance(child, ast.Attribute) and _is_self(child.value):
            names = [child.attr]
        elif isinstance(child, ast.stmt) and child in node.body:
            names = list(_bound(child))
        for name in names:
            if mangled(name, node.name) in taken:
                yield f"{getattr(child, 'lineno', 0)}: {node.name}.{name}"


def sources_of(package: str) -> Iterator[str]:
    """The sources of an installed package."""
    found = importlib.util.find_spec(package)
    assert found is not None
    assert found.origin is not None
    for path in sorted(Path(found.origin).parent.rglob("*.py")):
        yield path.read_text()


def mangled(name: str, cls: str) -> str:
    """A name as Python stores it."""
    return f"_{cls.lstrip('_')}{name}" if name.startswith("__") else name


def _bound(node: ast.stmt) -> Iterator[str]:
    """The names that a statement binds."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield node.name
        case ast.Assign(targets=targets):
            for target in targets:
                for child in ast.walk(target):
                    if isinstance(child, ast.Name):
                        yield child.id
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name


def _is_self(node: ast.expr) -> bool:
    return (isinstance(node, ast.Name) and node.id in ("self", "cls")) or (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "super"
    )


def _last(node: ast.expr) -> str:
    """The name of a base, without its module; empty for anything else."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(value=value):
            return _last(value)
    return ""
