"""Running JavaScript in a headless Chromium, and opening pages as a user does."""

import base64
import html
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


def opened(path, folder, size="1200,2000"):
    """Open a page from a file, without a network; return what it holds after its scripts, and what the console says."""
    done = subprocess.run(
        [
            CHROMIUM, *QUIET, f"--user-data-dir={folder}", "--enable-logging=stderr", f"--window-size={size}",
            "--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=5000", "--dump-dom", f"file://{path}",
        ],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def result(code, data, folder):
    """Run a function body that takes `data` and returns what JSON can hold; numbers as base64 of float64 are arrays."""
    page = folder / "run.html"
    text = json.dumps(data).replace("<", "\\u003c")
    page.write_text(
        f'<meta charset="utf-8"><pre id="out"></pre><script type="application/json" id="in">{text}</script><script>'
        'const given = JSON.parse(document.getElementById("in").textContent);\n'
        f"const run = (data) => {{\n{code}\n}};\n"
        'document.getElementById("out").textContent = JSON.stringify(run(given));</script>',
        encoding="utf-8",
    )
    found, said = opened(page, folder / "profile")
    assert not said, said
    return json.loads(html.unescape(re.search('<pre id="out">(.*?)</pre>', found, re.DOTALL).group(1)))


def floats(text, *shape):
    """Return the array that a page has written as base64 of float64."""
    return np.frombuffer(base64.b64decode(text), "<f8").reshape(*shape)
