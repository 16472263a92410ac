"""Modules that are joined do what they do alone."""

import base64
import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from whipbird.http.page import webclient_directory
from whipbird.pages.bundle import SHARED, BundleError, Bundler
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

# Two that are loaded later, and import the same.
LATER = {
    "app.js": (
        "import { NAME } from './lib/words.js';\n"
        "export const count = { n: 0 };\n"
        "const load = async () => {\n"
        "  const { first } = await import('./late/first.js');\n"
        "  const { second } = await import('./late/second.js');\n"
        "  console.log(NAME, first(), second(), count.n);\n"
        "};\nload();\n"
    ),
    "late/first.js": (
        "import { more } from '../lib/both.js';\n"
        "import { NAME } from '../lib/words.js';\n"
        "export const first = () => NAME + more();\n"
    ),
    "late/second.js": (
        "import { more } from '../lib/both.js';\nimport { count } from '../app.js';\n"
        "export function second() { count.n += 5; return more(); }\n"
    ),
    "lib/both.js": (
        "const state = { n: 0 };\nexport const more = () => (state.n += 1);\n"
    ),
    "lib/words.js": "export const NAME = 'other';\n",
}


def joined(modules: dict[str, str], *entries: str) -> dict[str, str]:
    """The scripts of a page, and its chunks, by their names."""
    made: dict[str, str] = {}

    def publish(path: str, text: str) -> str:
        name = f"assets/{path.removesuffix('.js')}.hash.mjs"
        made[name] = text
        return name

    bundler = Bundler(entries, modules.__getitem__, publish)
    for entry in entries:
        made[entry] = bundler.script(entry, f"assets/{entry}")
    return made


def run_in_node(program: Path) -> str:
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node")
    done = subprocess.run([node, program], capture_output=True, text=True, check=True)
    return done.stdout


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_text(text)


def test_a_script_runs_as_its_modules_do(tmp_path: Path) -> None:
    write(tmp_path, {"package.json": '{"type": "module"}', **MODULES})
    write(tmp_path, {"all.cjs": joined(MODULES, "start.js")["start.js"]})
    said = [run_in_node(tmp_path / name) for name in ("start.js", "all.cjs")]
    assert said == ["3 1 other A 1 //B http://x\n"] * 2


def test_what_is_loaded_later_runs_as_modules_do(tmp_path: Path) -> None:
    write(tmp_path, {"package.json": '{"type": "module"}', **LATER})
    made = joined(LATER, "lib/words.js", "app.js")
    # Classic scripts of a page share one scope: node runs them by its vm module.
    scripts = [made.pop("lib/words.js"), made.pop("app.js")]
    names = [f"assets/{n}.cjs" for n in range(len(scripts))]
    write(tmp_path, made | dict(zip(names, scripts, strict=True)))
    run = "import vm from 'node:vm'; import fs from 'node:fs';\n" + "".join(
        f"vm.runInThisContext(fs.readFileSync('{tmp_path / name}', 'utf8'), {{ "
        f"filename: '{tmp_path / name}', importModuleDynamically: "
        "vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER });\n"
        for name in names
    )
    write(tmp_path, {"run.mjs": run})
    said = [run_in_node(tmp_path / name) for name in ("app.js", "run.mjs")]
    assert said == ["other other1 2 5\n"] * 2


def test_each_module_is_sent_once() -> None:
    made = joined(LATER, "lib/words.js", "app.js")
    assert set(made) == {
        *("lib/words.js", "app.js"),
        *(
            f"assets/{name}.hash.mjs"
            for name in ("late/first", "late/second", "shared")
        ),
    }
    assert sum(text.count("'other'") for text in made.values()) == 1
    assert sum(text.count("const state") for text in made.values()) == 1
    assert "const state" in made[f"assets/{SHARED.removesuffix('.js')}.hash.mjs"]
    # Both are asked for at once.
    assert (
        "(import('./shared.hash.mjs').catch(() => {}), import('./late/first.hash.mjs'))"
        in made["app.js"]
    )


def test_each_module_is_in_it_once_and_no_comment() -> None:
    text = joined(MODULES, "start.js")["start.js"]
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
        ("import(url);\n", "cannot be joined"),
        ("  await import('library');\n", "cannot be joined"),
        ("import('./none.js');\n", "none.js is imported, and does not exist"),
        ("import('./a.js');\n", "a.js is to be loaded later, and is there already"),
        ("import('./b.js');\nimport('./other.js');\n", "other.js is imported, and is"),
        ("import('./c.js');\n", "loads itself"),
    ],
)
def test_what_cannot_be_joined_is_said(text: str, reason: str) -> None:
    modules = {
        "a.js": text,
        "b.js": "import { x } from './other.js';\nexport const y = x;\n",
        "c.js": "export const f = () => import('./d.js');\n",
        "d.js": "export const g = () => import('./c.js');\n",
        "other.js": "export const x = 1;\n",
    }
    with pytest.raises(BundleError, match=reason):
        joined(modules, "a.js")


def test_the_start_page_has_two_scripts_and_the_others_later() -> None:
    site = Site(webclient_directory())
    scripts = {name.split(".")[0] for name in site.assets if name.endswith(".js")}
    assert scripts >= {"assets/app", "assets/watch", "assets/views/publish-view"}
    page = site.files["index.html"].body.decode()
    assert re.findall(r"<script[^>]*>", page)[0] == "<script>"
    [deferred] = re.findall(r'<script defer src="([^"]*)">', page)
    for name in (
        deferred,
        next(n for n in site.assets if n.startswith("assets/watch.")),
    ):
        text = site.assets[name].body.decode()
        assert not re.search(r"^(?:import|export)\b", text, re.MULTILINE)


def test_the_scripts_of_the_pages_are_scripts(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node")
    for name, content in Site(webclient_directory()).assets.items():
        if name.endswith(".js"):
            script = tmp_path / "script.mjs"
            script.write_bytes(content.body)
            subprocess.run([node, "--check", script], check=True)


def test_a_page_permits_what_stands_in_it_and_no_more(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "index.html": '<script inline src="a.js"></script>'
            '<link inline rel="stylesheet" href="a.css">'
            '<script defer src="b.js"></script>',
            "a.js": "export const x = 1;\n",
            "b.js": "import { x } from './a.js';\nconsole.log(x);\n",
            "a.css": "/* Words. */\np { margin: 0 }\n",
        },
    )
    content = Site(tmp_path).files["index.html"]
    page = content.body.decode()
    [style] = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    script = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)[0]
    assert style == "p { margin: 0 }\n"

    def source(text: str) -> str:
        digest = hashlib.sha256(text.encode()).digest()
        return f"'sha256-{base64.b64encode(digest).decode()}'"

    assert content.policy == (
        f"script-src 'self' {source(script)}; style-src 'self' {source(style)}; "
    )
    assert Site(tmp_path).files["a.js"].policy == ""


@pytest.mark.parametrize(
    ("page", "script", "reason"),
    [
        ("${x}", "const x = 1;\n", "is filled, and has files in it"),
        ("", "const x = '</script>';\n", "a.js cannot stand in HTML"),
        ("", "const x = '<!--';\n", "a.js cannot stand in HTML"),
    ],
)
def test_what_cannot_stand_in_a_page_is_said(
    tmp_path: Path, page: str, script: str, reason: str
) -> None:
    html = f'{page}<script inline src="a.js"></script>'
    write(tmp_path, {"index.html": html, "a.js": script})
    with pytest.raises(BundleError, match=reason):
        Site(tmp_path)


def test_a_change_changes_the_name(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(
        '<script defer src="a.js"></script><a href="b">'
    )
    (tmp_path / "a.js").write_text("import { x } from './x.js';\nx();\n")
    names = []
    for number in (1, 1, 2):
        (tmp_path / "x.js").write_text(f"export const x = () => {number};\n")
        site = Site(tmp_path)
        names.append(next(iter(site.assets)))
        text = site.files["index.html"].body.decode()
        assert text == f'<script defer src="{names[-1]}"></script><a href="b">'
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
