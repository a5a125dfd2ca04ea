"""The colours of the pages can be read by everybody: WCAG 2.2, level AA, light and dark."""

import re
from pathlib import Path

import pytest

from web.console import layout

STATIC = Path(__file__).resolve().parents[2] / "web" / "static"
SHEETS = {name: (STATIC / name).read_text() for name in ("pages.css", "console.css")}
TEXT, SHAPE = 4.5, 3.0
"""What level AA wants of text, and of the edges of what can be pressed."""

PAIRS = [
    ("ink", "card", TEXT),
    ("quiet", "card", TEXT),
    ("accent", "card", TEXT),
    ("good", "card", TEXT),
    ("bad", "card", TEXT),
    ("wait", "card", TEXT),
    ("accent", "card", SHAPE),
    ("ink", "ground", TEXT),
]
BUTTONS = {"pages.css": ("on-accent", "accent", TEXT), "console.css": ("on-button", "button", TEXT)}
MEETING = [(sheet, *pair) for sheet in SHEETS for pair in (*PAIRS, BUTTONS[sheet])]


def scheme(sheet: str, name: str) -> dict[str, str]:
    """The colours of ``light`` or ``dark``: the second ``:root`` overrides the first."""
    roots = re.findall(r":root\s*\{(.*?)\}", SHEETS[sheet], re.DOTALL)
    assert len(roots) == 2
    colours: dict[str, str] = {}
    for root in roots[: 1 if name == "light" else 2]:
        colours |= dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6})", root))
    return colours


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [it / 12.92 if it <= 0.04045 else ((it + 0.055) / 1.055) ** 2.4 for it in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_the_formula_is_wcags() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("name", ["light", "dark"])
@pytest.mark.parametrize(("sheet", "front", "back", "least"), MEETING)
def test_every_pair_of_colours_that_meets_on_a_page_can_be_read(
    sheet: str, name: str, front: str, back: str, least: float
) -> None:
    colours = scheme(sheet, name)

    assert contrast(colours[front], colours[back]) >= least


@pytest.mark.parametrize("sheet", SHEETS)
def test_no_colour_is_written_beside_the_variables(sheet: str) -> None:
    rules = re.sub(r":root\s*\{.*?\}", "", SHEETS[sheet], flags=re.DOTALL)

    assert not re.findall(r"#[0-9a-fA-F]{3,8}\b|rgba?\(|hsla?\(", rules)


@pytest.mark.parametrize("name", ["light", "dark"])
def test_telegrams_colours_are_completed_by_those_of_the_sheet(name: str) -> None:
    ground = {"light": "#ffffff", "dark": "#17212b"}[name]

    assert layout.SCHEMES[name] == scheme("console.css", name)
    told = layout.sheet({"ground": ground})
    assert told.startswith(f":root{{color-scheme:{name};--ground:{ground};")
    assert f"--bad:{scheme('console.css', name)['bad']};" in told
