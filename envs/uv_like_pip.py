"""Run uv as the user has configured pip: python envs/uv_like_pip.py pip install ...

uv doesn't read pip's configuration. This passes on what stands there (an index, a folder of wheels, a certificate) in
uv's own variables, unless these are set.
"""

import ast
import os
import re
import subprocess
import sys

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
# pip's settings, and what uv calls them.
SETTINGS = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}


def pip_settings() -> dict[str, str]:
    """Return pip's settings by name; one of the environment replaces one of a file, as in pip."""
    listed = subprocess.run([*PIP, "config", "list"], capture_output=True, text=True, check=False).stdout
    scopes = (re.findall(rf"(?m)^{scope}\.([a-z-]+)=(.*)$", listed) for scope in ("global", "install", ":env:"))
    return {name: str(ast.literal_eval(value)) for scope in scopes for name, value in scope}


def uv_variables(pip: dict[str, str]) -> dict[str, str]:
    """Return the variables that have uv look where pip looks, and choose among all indexes as pip does."""
    lists = {SETTINGS[name]: value.split() for name, value in pip.items() if name in SETTINGS}
    values = {name: ("," if name == "UV_FIND_LINKS" else " ").join(value) for name, value in lists.items()}
    return {"UV_INDEX_STRATEGY": "unsafe-best-match", **values}


if __name__ == "__main__":
    environment = {**uv_variables(pip_settings()), **os.environ}
    sys.exit(subprocess.run([sys.executable, "-m", "uv", *sys.argv[1:]], env=environment, check=False).returncode)
