"""A page with a hundred resources that counts by itself which of them arrived: images, style sheets, scripts.

Not for: serving it (``private_servers.py``), or the browser (``tunnel.py``).
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

RESOURCES = {"images": 40, "styles": 30, "scripts": 30}
SIDE_PIXELS = 24
_STYLE = """<style>
body { font: 16px sans-serif; } img { margin: 2px; }
i { display: inline-block; width: 20px; height: 20px; background: red; }
</style>"""
_COUNT = """<script>
addEventListener("load", () => {
    const images = [...document.images].filter(one => one.naturalWidth == SIDE).length;
    const boxes = [...document.querySelectorAll("i")];
    const styles = boxes.filter(one => getComputedStyle(one).backgroundColor == "rgb(0, 128, 0)").length;
    const scripts = (window.arrived || []).length;
    const said = `images=${images}&styles=${styles}&scripts=${scripts}`;
    document.getElementById("said").textContent = said;
    fetch("/arrived?" + said);
});
</script>"""


def write_page(folder: Path) -> None:
    """``page.html`` and its resources, all different."""
    head, body = [_STYLE], []
    for number in range(RESOURCES["styles"]):
        (folder / f"style{number}.css").write_text(f"#box{number} {{ background: green; }}\n", encoding="ascii")
        head.append(f'<link rel="stylesheet" href="style{number}.css">')
        body.append(f'<i id="box{number}"></i>')
    body.append("<p>")
    for number in range(RESOURCES["images"]):
        shade = 255 * number // RESOURCES["images"]
        (folder / f"image{number}.png").write_bytes(png(shade, 128, 255 - shade))
        body.append(f'<img src="image{number}.png">')
    for number in range(RESOURCES["scripts"]):
        text = f"(window.arrived = window.arrived || []).push({number});\n"
        (folder / f"script{number}.js").write_text(text, encoding="ascii")
        body.append(f'<script src="script{number}.js"></script>')
    total = sum(RESOURCES.values())
    page = f"<!doctype html><html><head><title>{total} resources</title>{''.join(head)}</head><body>"
    page += f"<h1>{total} resources through three gateways</h1><p id=said>not yet</p><p>{''.join(body)}"
    (folder / "page.html").write_text(page + _COUNT.replace("SIDE", str(SIDE_PIXELS)), encoding="ascii")


def png(red: int, green: int, blue: int) -> bytes:
    """A square of one colour."""
    row = b"\0" + bytes((red, green, blue)) * SIDE_PIXELS
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", SIDE_PIXELS, SIDE_PIXELS, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(row * SIDE_PIXELS)),
        (b"IEND", b""),
    )
    chunks = (struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
              for kind, data in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
