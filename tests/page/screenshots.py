"""Make the pictures of the status page in docs/images: ``python -m tests.page.screenshots [folder]``.

On Debian it needs the packages chromium and fonts-inter: a font that looks like those of most systems.
"""

import sys
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from PIL import Image
from playwright.sync_api import Browser

from ..support import page_states as states
from .chromium import open_chromium, open_window
from .site import served, static

FOLDER = Path(__file__).parents[2] / "docs" / "images"


class Picture(NamedTuple):
    """A picture of a page.

    Attributes:
        name: Name of the file, without its suffix.
        state: The state of the app.
        opened: Name of the check whose row is opened; empty for none.
        options: Options of the window.
        height: Height of the picture in CSS pixels; 0 for the whole page.
    """

    name: str
    state: str
    opened: str
    options: dict[str, Any]
    height: int = 0


WIDE = {"viewport": {"width": 1120, "height": 760}, "device_scale_factor": 1.5}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2}
PICTURES = (
    Picture("page-light", "broken", "", {**WIDE, "color_scheme": "light"}),
    Picture("page-dark", "broken", "", {**WIDE, "color_scheme": "dark"}),
    Picture("page-check", "broken", "recommendations", {**WIDE, "color_scheme": "light"}),
    Picture("page-calm", "calm", "", {**WIDE, "color_scheme": "light"}),
    Picture("page-phone", "broken", "", {**PHONE, "color_scheme": "light"}, 844),
)


def main(folder: Path) -> None:
    """Write each picture into `folder`."""
    folder.mkdir(exist_ok=True)
    pages = {"/calm": states.page_of(states.calm()), "/broken": states.page_of(states.broken())}
    with (
        TemporaryDirectory() as fonts,
        served(static(pages)) as port,
        open_chromium(FONTCONFIG_FILE=_fonts(Path(fonts))) as browser,
    ):
        for picture in PICTURES:
            path = folder / f"{picture.name}.png"
            path.write_bytes(compact(shot(browser, f"http://127.0.0.1:{port}/{picture.state}", picture)))
            print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def _fonts(folder: Path) -> str:
    """Return the path of a configuration that makes Inter the font of the system."""
    families = "".join(
        f'<match target="pattern"><test name="family"><string>{name}</string></test>'
        '<edit name="family" mode="assign" binding="strong"><string>Inter</string></edit></match>'
        for name in ("system-ui", "sans-serif", "sans")
    )
    path = folder / "fonts.conf"
    path.write_text(f"<fontconfig><include>/etc/fonts/fonts.conf</include>{families}</fontconfig>")
    return str(path)


def shot(browser: Browser, url: str, picture: Picture) -> bytes:
    """Return a picture of a page as PNG, at the moment of the page."""
    with open_window(browser, reduced_motion="reduce", **picture.options) as window:
        page = window.page
        page.clock.install(time=states.WALL)
        page.goto(url)
        page.clock.pause_at(states.WALL + 1)
        page.evaluate("document.querySelector('#live').dataset.state = 'live'")
        page.evaluate("document.querySelector('#live-text').textContent = 'live'")
        if picture.opened:
            page.click(f"#check-{picture.opened} summary")
            page.mouse.move(0, 0)
        return page.screenshot(full_page=not picture.height)


def compact(png: bytes) -> bytes:
    """Return a picture with 128 colours: half the bytes, and no difference that a reader sees."""
    out = BytesIO()
    Image.open(BytesIO(png)).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else FOLDER)
