"""The colours of the pages can be read by everybody: WCAG 2.2, level AA, light and dark."""

import re
from pathlib import Path

import pytest

SHEET = (Path(__file__).resolve().parents[2] / "web" / "static" / "pages.css").read_text()
TEXT, SHAPE = 4.5, 3.0
"""What level AA wants of text, and of the edges of what can be pressed."""

PAIRS = [
    ("ink", "card", TEXT),
    ("quiet", "card", TEXT),
    ("accent", "card", TEXT),
    ("on-accent", "accent", TEXT),
    ("good", "card", TEXT),
    ("bad", "card", TEXT),
    ("wait", "card", TEXT),
    ("accent", "card", SHAPE),
    ("ink", "ground", TEXT),
]


def scheme(name: str) -> dict[str, str]:
    """The colours of ``light`` or ``dark``: the second ``:root`` overrides the first."""
    roots = re.findall(r":root\s*\{(.*?)\}", SHEET, re.DOTALL)
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
@pytest.mark.parametrize(("front", "back", "least"), PAIRS)
def test_every_pair_of_colours_that_meets_on_a_page_can_be_read(name: str, front: str, back: str, least: float) -> None:
    colours = scheme(name)

    assert contrast(colours[front], colours[back]) >= least


def test_no_colour_is_written_beside_the_variables() -> None:
    rules = re.sub(r":root\s*\{.*?\}", "", SHEET, flags=re.DOTALL)

    assert not re.findall(r"#[0-9a-fA-F]{3,8}\b|rgba?\(|hsla?\(", rules)
