"""Verovio's SVG made plain, so that it looks the same in every viewer and under every content policy.

It comes with a style sheet, with the music font as a data address, and with nested text. Here the styles become
attributes, the few characters of the music font within text become outlines as all other signs are already, and each
text becomes one line of pieces. Ids that nobody refers to are left out.
"""

import re
import unicodedata
from functools import cache
from importlib.resources import files
from xml.etree.ElementTree import Element, SubElement, fromstring, register_namespace, tostring

SVG = "{http://www.w3.org/2000/svg}"
HREF = "{http://www.w3.org/1999/xlink}href"
MUSIC_FONT = "Leipzig"
UNITS_PER_EM = 1000
LETTER_EMS = 0.54  # width of a letter; in most fonts the mean is a little less
DROPPED = {f"{SVG}style", f"{SVG}title", f"{SVG}desc"}
BOLD, ITALIC = {"tempo"}, {"dir", "dynam", "mNum"}
KEPT_ID = re.compile(r"n\d+(-\d+)?|bar\d+")
BLANKS = re.compile(r"[ \t\r\n]+")


def plain_svg(svg: str) -> bytes:
    """One page.

    Parameters
    ----------
    svg : str
        As Verovio gives it, with ``svgViewBox``.
    """
    register_namespace("", SVG.strip("{}"))
    register_namespace("xlink", HREF.partition("}")[0].strip("{"))
    root = fromstring(svg)  # noqa: S314  written by Verovio a moment ago, from our own document
    _tidy(root)
    for parent in list(root.iter()):
        for place, child in enumerate(list(parent)):
            if child.tag == f"{SVG}text":
                parent[place] = _flat(child, _looks(parent))
        if parent.get("class") == "definition-scale":
            parent.attrib.pop("color", None)
            parent.attrib.update(stroke="currentColor", fill="currentColor")
    return bytes(tostring(root, encoding="utf-8"))


def _tidy(root: Element) -> None:
    """Remove styles, what styles would hide, and ids that nobody refers to."""
    referred = {element.get(HREF, "")[1:] for element in root.iter(f"{SVG}use")}
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in DROPPED or "placeholder" in child.get("class", "").split():
                parent.remove(child)
        if (name := parent.get("id")) and name not in referred and not KEPT_ID.fullmatch(name):
            del parent.attrib["id"]


def _looks(group: Element) -> dict[str, str]:
    """What the style sheet says of a group's text."""
    words = set(group.get("class", "").split())
    return ({"font-weight": "bold"} if words & BOLD else {}) | ({"font-style": "italic"} if words & ITALIC else {})


def _flat(text: Element, looks: dict[str, str]) -> Element:
    """A group with the text's outlines and one text element; what is centred is made small enough for its line."""
    group = Element(f"{SVG}g", {"class": "text"})
    place = {name: value for part in text.iter() for name in ("x", "y", "text-anchor") if (value := part.get(name))}
    x = float(place.get("x", 0))
    line = Element(f"{SVG}text", place | looks | {"stroke": "none"})
    for piece in text.iter(f"{SVG}tspan"):
        words = BLANKS.sub(" ", piece.text or "")
        if not words.strip(" "):
            continue
        size = float(piece.get("font-size", "0").removesuffix("px"))
        if piece.get("font-family") == MUSIC_FONT:
            for sign in words:
                x += _add_sign(group, sign, x, float(place["y"]), size)
        else:
            if place.get("text-anchor") == "middle":
                size = min(size, 2 * x / ems(words))
            SubElement(line, f"{SVG}tspan", {"font-size": f"{size:g}"}).text = words
    line.set("x", f"{x:g}")
    group.append(line)
    return group


def ems(words: str) -> float:
    """About how wide a text is, in heights of its letters; those of East Asia are as wide as high."""
    return sum(1.0 if unicodedata.east_asian_width(letter) in "WF" else LETTER_EMS for letter in words)


def _add_sign(group: Element, sign: str, x: float, y: float, size: float) -> float:
    """Draw a character of the music font; gives how far it moves the pen."""
    outline, advance = _sign(f"{ord(sign):04X}")
    scale = size / UNITS_PER_EM
    if outline:
        SubElement(
            group, f"{SVG}path", {"d": outline, "transform": f"translate({x:g} {y:g}) scale({scale:g} {-scale:g})"}
        )
    return advance * scale


@cache
def _sign(code: str) -> tuple[str, float]:
    """Outline and advance of a character, in the font's units with y upwards; nothing for one that it has not."""
    folder = files("verovio") / "data"
    metrics = fromstring((folder / f"{MUSIC_FONT}.xml").read_text(encoding="utf-8"))  # noqa: S314  Verovio's own data
    advance = next((float(one.get("h-a-x", 0)) for one in metrics if one.get("c") == code), 0.0)
    file = folder / MUSIC_FONT / f"{code}.xml"
    if not file.is_file():
        return "", advance
    glyph = fromstring(file.read_text(encoding="utf-8"))  # noqa: S314  Verovio's own data
    return "".join(path.get("d", "") for path in glyph.iter("path")), advance
