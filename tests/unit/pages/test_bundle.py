"""Modules that are joined do what they do alone."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from whipbird.http.page import webclient_directory
from whipbird.pages.bundle import BundleError, bundle
from whipbird.pages.site import Site

MODULES = {
    "start.js": (
        "import { add as plus, Counter } from './lib/sums.js';\n"
        "import * as words from './lib/words.js';\n"
        "import {\n  shout,\n} from './lib/words.js';\n"
        "/**\n * A comment // of lines.\n */\n  // Another one.\n"
        "const url = 'http://x'; /* no line of its own */\n"
        "const n = new Counter();\nn.more();\n"
        "console.log(plus(1, 2), n.count, words.NAME, shout(`a ${1} //b`), url);\n"
    ),
    "lib/sums.js": (
        "import { NAME } from './words.js';\n"
        "const hidden = NAME.length;\n"
        "export function add(a, b) { return a + b + hidden - hidden; }\n"
        "export class Counter {\n  /** @type {number} */ #count = 0;\n"
        "  /** All. */\n more() { this.#count += 1; }\n"
        "  get count() { return this.#count; } }\n"
    ),
    "lib/words.js": (
        "const hidden = 'other';\nexport const NAME = hidden;\n"
        "export const shout = (text) => /[/*]/.test(text) ? text.toUpperCase() : '';\n"
    ),
}


def test_a_bundle_runs_as_its_modules_do(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    for name, text in {
        **MODULES,
        "all.js": bundle("start.js", MODULES.__getitem__),
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    said = [
        subprocess.run(
            [node, tmp_path / name], capture_output=True, text=True, check=True
        ).stdout
        for name in ("start.js", "all.js")
    ]
    assert said == ["3 1 other A 1 //B http://x\n"] * 2


def test_each_module_is_in_it_once_and_no_comment() -> None:
    text = bundle("start.js", MODULES.__getitem__)
    assert text.count("hidden = 'other'") == 1
    assert "omment" not in text
    assert "Another" not in text
    assert not re.search(r"\b(?:import|export)\b", text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import './other.js';\n", "cannot be joined"),
        ("import all from './other.js';\n", "cannot be joined"),
        ("export default 1;\n", "cannot be joined"),
        ("export let x = 1;\n", "cannot be joined"),
        ("export { x };\n", "cannot be joined"),
        ("export * from './other.js';\n", "cannot be joined"),
        ("await 1;\n", "cannot be joined"),
        ("import { x } from './none.js';\n", "none.js is imported, and does not exist"),
        ("import { x } from './a.js';\n", "imports itself"),
        ("import { x } from 'library';\n", "cannot be joined"),
        ("const x = `a\n  // b`;\n", "a text of several lines"),
    ],
)
def test_what_cannot_be_joined_is_said(text: str, reason: str) -> None:
    modules = {"a.js": text, "other.js": "export const x = 1;\n"}
    with pytest.raises(BundleError, match=reason):
        bundle("a.js", modules.__getitem__)


def test_every_page_has_one_script_with_all_its_modules() -> None:
    site = Site(webclient_directory())
    scripts = [name for name in site.assets if name.endswith(".js")]
    assert {name.split(".")[0] for name in scripts} == {"assets/app", "assets/watch"}
    for name in scripts:
        assert not re.search(rb"\b(?:import|export)\b", site.assets[name].body)


def test_the_scripts_of_the_pages_are_scripts(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node")
    for name, content in Site(webclient_directory()).assets.items():
        if name.endswith(".js"):
            script = tmp_path / "script.mjs"
            script.write_bytes(content.body)
            subprocess.run([node, "--check", script], check=True)


def test_a_change_changes_the_name(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text('<script src="a.js"></script><a href="b">')
    (tmp_path / "a.js").write_text("import { x } from './x.js';\nx();\n")
    names = []
    for number in (1, 1, 2):
        (tmp_path / "x.js").write_text(f"export const x = () => {number};\n")
        site = Site(tmp_path)
        names.append(next(iter(site.assets)))
        text = site.files["index.html"].body.decode()
        assert text == f'<script src="{names[-1]}"></script><a href="b">'
    assert names[0] == names[1] != names[2]


def test_values_are_escaped(tmp_path: Path) -> None:
    (tmp_path / "p.html").write_text('<p title="${a}">${a}</p>')
    page = Site(tmp_path).render("p.html", a='<"&')
    assert page.body == b'<p title="&lt;&quot;&amp;">&lt;&quot;&amp;</p>'
    with pytest.raises(KeyError):
        Site(tmp_path).render("p.html", b="x")


@pytest.mark.parametrize("page", ["index.html", "watch.html", "problem.html"])
def test_no_two_elements_of_a_page_have_the_same_id(page: str) -> None:
    ids = re.findall(r' id="([^"]*)"', (webclient_directory() / page).read_text())
    assert len(ids) == len(set(ids))
