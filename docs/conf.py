"""How `make docs-site` makes the documentation: Sphinx with MyST's Markdown and the theme Furo."""

import os
import re
import sys
from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow"))

import preimage  # noqa: E402

project, author = "preimage", "the preimage developers"
version = release = preimage.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
root_doc = "index"
html_theme, html_title = "furo", "preimage"
html_copy_source, html_show_copyright = False, False
html_static_path, html_css_files = ["_static"], ["site.css"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
autodoc_typehints = "description"
autodoc_member_order = "bysource"

# Files of the repository that are pages here, by what their links say on a code host.
PAGES = {
    "CONTRIBUTING.md": "reference/contributing.md",
    "SECURITY.md": "reference/security.md",
    "config/README.md": "reference/study.md",
}


def relinked(base: Path, name: str, text: str) -> str:
    """Return a text of a file below `base` with links to pages here, relative to the page `name`."""

    def link(match: re.Match[str]) -> str:
        target, anchor = match[1], match[2] or ""
        path = os.path.relpath(base / target, ROOT)
        inside = PAGES.get(path) or (os.path.relpath(path, "docs") if path.startswith("docs/") else None)
        return match[0] if inside is None else f"]({os.path.relpath(inside, Path(name).parent)}{anchor})"

    return re.sub(r"\]\(([^)#:\s]+\.md)(#[^)]*)?\)", link, text)


def setup(app: Sphinx) -> None:
    def page(app: Sphinx, name: str, source: list[str]) -> None:
        source[0] = relinked((ROOT / "docs" / name).parent, name, source[0])

    def included(app: Sphinx, path: Path, name: str, source: list[str]) -> None:
        # MyST gives the last part of the name alone: only pages of the reference include others.
        source[0] = relinked((ROOT / "docs" / path).resolve().parent, f"reference/{name}", source[0])

    app.connect("source-read", page)
    app.connect("include-read", included)
    app.add_lexer("mermaid", TextLexer)
