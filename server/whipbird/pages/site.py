"""The files of the page, read once."""

import html
import re
from functools import cache
from pathlib import Path
from string import Template

from .bundle import ASSETS, BundleError, Bundler
from .content import Content, Inline

# Links of an HTML file to files beside it.
_LINK = re.compile(r'(?P<attribute>\b(?:href|src))="(?P<name>[\w/.-]+)"')
_SCRIPT = re.compile(
    r'<script (?P<way>inline|defer) src="(?P<name>[\w/.-]+)"></script>'
)
_STYLE = re.compile(r'<link inline rel="stylesheet" href="(?P<name>[\w/.-]+)">')
_COMMENT = re.compile(r"/\*(?:(?!\*/)[\s\S])*\*/\n?")
# What would end a script in HTML, or make an end of it something else.
_NOT_INLINE = re.compile(r"</script|<script|<!--", re.IGNORECASE)
_FILLED = (".html", ".webmanifest")
_HASHED = (".css", ".svg", ".png")


class Site:
    """The files below a directory, and the pages that are made of them.

    Args:
        directory: the directory of the files.

    An HTML file loads a module by ``<script defer src="app.js"></script>``: the script
    has all modules that it imports. With ``inline`` for ``defer`` it stands in the HTML
    itself, runs before what follows it, and the scripts behind it use its modules.

    Attributes:
        files: the files by their paths below the directory, as they are; HTML files
            load assets.
        assets: the scripts, style sheets and pictures that the HTML files load, by
            names that tell the content.

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
            is_template = "${" in text
            inline = Inline()
            if name.endswith(".html"):
                text = self._with_scripts(self._with_styles(text, inline), inline)
                text = _LINK.sub(self._link, text)
            if not is_template:
                self.files[name] = Content.of(text.encode(), name, inline=inline)
            elif inline.scripts or inline.styles:
                raise BundleError(f"{name} is filled, and has files in it")
            else:
                self._templates[name] = Template(text)

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

    def _with_styles(self, text: str, inline: Inline) -> str:
        """Put the style sheets into an HTML file that are to stand in it."""

        def take(match: re.Match[str]) -> str:
            style = _COMMENT.sub("", self._read(match["name"]))
            inline.styles.append(style)
            return f"<style>{style}</style>"

        return _STYLE.sub(take, text)

    def _with_scripts(self, text: str, inline: Inline) -> str:
        """Make the scripts of an HTML file."""
        entries = [match["name"] for match in _SCRIPT.finditer(text)]
        bundler = Bundler(entries, self._read, self._add_script)

        def take(match: re.Match[str]) -> str:
            entry = match["name"]
            if match["way"] == "defer":
                script = bundler.script(entry, f"{ASSETS}/{entry}")
                return (
                    f'<script defer src="{self._add_script(entry, script)}"></script>'
                )
            script = bundler.script(entry, entry)
            if _NOT_INLINE.search(script):
                raise BundleError(f"{entry} cannot stand in HTML")
            inline.scripts.append(script)
            return f"<script>{script}</script>"

        return _SCRIPT.sub(take, text)

    def _link(self, match: re.Match[str]) -> str:
        name = match["name"]
        if name not in self._found or not name.endswith(_HASHED):
            return match[0]
        if name not in self._links:
            self._links[name] = self._add_asset(name, self._found[name])
        return f'{match["attribute"]}="{self._links[name]}"'

    def _add_script(self, name: str, text: str) -> str:
        return self._add_asset(name, text.encode())

    def _add_asset(self, name: str, body: bytes) -> str:
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
