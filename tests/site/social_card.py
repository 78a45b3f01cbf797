"""Make the picture that other sites show next to a link to the documentation: ``python -m tests.site.social_card``.

On Debian it needs the packages chromium and fonts-inter.
"""

import base64
from pathlib import Path

from ..page.chromium import open_chromium, open_window
from ..page.screenshots import compact

DOCS = Path(__file__).parents[2] / "docs"
CARD = DOCS / "images" / "social-card.png"
SIZE = {"width": 1200, "height": 630}  # what Open Graph's readers crop nothing of
CARD_PAGE = """<!doctype html>
<style>
  body {{ margin: 0; width: 1200px; height: 630px; overflow: hidden; background: #f6f7f9; color: #17202b;
          font-family: Inter, system-ui, sans-serif; }}
  main {{ position: absolute; left: 72px; top: 92px; width: 560px; }}
  .icon {{ width: 84px; }}
  h1 {{ font-size: 72px; line-height: 1; margin: 36px 0 28px; letter-spacing: -.03em; }}
  p {{ font-size: 31px; line-height: 1.4; margin: 0; color: #586472; }}
  .page {{ position: absolute; left: 690px; top: 64px; width: 900px; border-radius: 16px;
           box-shadow: 0 8px 40px #17202b33; }}
</style>
<main>
  <img class="icon" src="data:image/svg+xml;base64,{icon}">
  <h1>asgi-health</h1>
  <p>The health layer of an ASGI application. Liveness, readiness and startup, answered before the request arrives.</p>
</main>
<img class="page" src="data:image/png;base64,{page}">
"""


def main(target: Path = CARD) -> None:
    """Write the picture to `target`."""
    document = CARD_PAGE.format(
        icon=_encoded(DOCS / "theme" / "icon.svg"), page=_encoded(DOCS / "images" / "page-light.png")
    )
    with open_chromium() as browser, open_window(browser, viewport=SIZE) as window:
        window.page.set_content(document)
        window.page.evaluate("() => Promise.all([...document.images].map(image => image.decode()))")
        target.write_bytes(compact(window.page.screenshot()))


def _encoded(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()


if __name__ == "__main__":
    main()
