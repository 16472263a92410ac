"""The files of the page, read once."""

import html
import re
from functools import cache
from pathlib import Path
from string import Template

from .bundle import bundle
from .content import Content

# Where the files are whose names change with their contents.
ASSETS = "assets"

# Links of an HTML file to files beside it.
_LINK = re.compile(r'(?P<attribute>\b(?:href|src))="(?P<name>[\w/.-]+)"')
_FILLED = (".html", ".webmanifest")
_HASHED = (".css", ".js", ".svg", ".png")


class Site:
    """The files below a directory, and the pages that are made of them.

    Args:
        directory: the directory of the files.

    Attributes:
        files: the files by their paths below the directory, as they are; HTML files
            load assets.
        assets: the scripts, style sheets and pictures that the HTML files load, by
            names that tell the content. A script has all modules that it imports.

    Raises:
        BundleError: when modules cannot be joined.
    """

    def __init__(self, directory: Path) -> None:
        found = {
            path.relative_to(directory).as_posix(): path.read_bytes()
            for path in sorted(directory.rglob("*"))
            if path.is_file() and not path.name.startswith(".")
        }
        self._found = found
        self.files: dict[str, Content] = {}
        self.assets: dict[str, Content] = {}
        self._templates: dict[str, Template] = {}
        self._links: dict[str, str] = {}
        for name, body in found.items():
            if not name.endswith(_FILLED):
                self.files[name] = Content.of(body, name)
                continue
            text = body.decode()
            if name.endswith(".html"):
                text = _LINK.sub(self._link, text)
            if "${" in text:
                self._templates[name] = Template(text)
            else:
                self.files[name] = Content.of(text.encode(), name)

    def render(self, name: str, **values: str) -> Content:
        """Fill a file that has ``${name}`` in it with values.

        Args:
            name: the path of the file.
            values: text, which is escaped; what ends with ``_html`` is HTML.
        """
        escaped = {
            key: value if key.endswith("_html") else html.escape(value)
            for key, value in values.items()
        }
        # Once for each request: a little compression is as much as is worth it.
        text = self._templates[name].substitute(escaped)
        return Content.of(text.encode(), name, level=4)

    def _link(self, match: re.Match[str]) -> str:
        name = match["name"]
        if name not in self._found or not name.endswith(_HASHED):
            return match[0]
        if name not in self._links:
            self._links[name] = self._add_asset(name)
        return f'{match["attribute"]}="{self._links[name]}"'

    def _add_asset(self, name: str) -> str:
        body = self._found[name]
        if name.endswith(".js"):
            body = bundle(name, self._read).encode()
        content = Content.of(body, name)
        stem, _, extension = name.rpartition(".")
        hashed = f"{ASSETS}/{stem}.{content.tag}.{extension}"
        self.assets[hashed] = content
        return hashed

    def _read(self, path: str) -> str:
        return self._found[path].decode()


@cache
def load_site(directory: Path) -> Site:
    """The site of a directory, which a process reads once for all its servers."""
    return Site(directory)
