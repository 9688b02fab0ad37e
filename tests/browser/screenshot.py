"""Remakes ``site_src/screenshot.png``, the picture in the README: the home page of the built example.

``python tests/browser/screenshot.py [SITE]``; without SITE it takes ``examples/vgcc/build/site``.
"""

from __future__ import annotations

import shutil
import sys
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

CHECKOUT = Path(__file__).resolve().parents[2]
MOST_BYTES = 300_000


def main(site: Path, out: Path) -> None:
    """Take the picture at 1280 × 800 px in the light theme, in few enough colours to stay small."""
    home, chromium = site / "index.html", shutil.which("chromium")
    if not home.exists():
        sys.exit(f"{home} is not there: build the example first (make site)")
    if chromium is None:
        sys.exit("no chromium on PATH")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light")
        page.goto(home.resolve().as_uri())
        page.locator(".navigator a").first.wait_for()
        taken = page.screenshot()
        browser.close()
    with Image.open(BytesIO(taken)) as picture:
        few = picture.convert("RGB").quantize(colors=128, dither=Image.Dither.NONE)
        few.save(out, optimize=True)
    size = out.stat().st_size
    print(f"{out.relative_to(CHECKOUT)}: {size / 1000:.0f} kB")
    if size > MOST_BYTES:
        sys.exit("the picture is too large")


if __name__ == "__main__":
    main(
        Path(sys.argv[1]) if len(sys.argv) > 1 else CHECKOUT / "examples" / "vgcc" / "build" / "site",
        CHECKOUT / "site_src" / "screenshot.png",
    )
