"""Draws the conversation of a ``make demo`` as a chat, for the README. It shows what the transcript says, and no more.

::

    make demo ONCE=1 > build/demo.txt
    .venv/bin/python -m tests.demo.picture build/demo.txt docs/images/chat.png https://t.me/sandbox_gallery/16 /premium
    .venv/bin/python -m tests.demo.picture build/demo.txt docs/images/chat.es.png "Noah > /premium"

It needs chromium, and fonts with emoji (Debian's ``fonts-noto-color-emoji``).
"""

import html
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import dropwhile, takewhile
from pathlib import Path

from tests.demo.customer import WIDTH

SPOKEN = re.compile(r" *(\S+) ([<>]) (.*)")
BUTTONS = re.compile(r"(?:\[[^\]]+\] ?)+")
MEDIA = re.compile(r"\[(photo|video|audio|document|invoice:)([^\]]*)\] ?(.*)")
WIDTH_PX = 760
MEASURE = "<script>document.body.dataset.height = document.querySelector('main').offsetHeight</script>"
STYLE = """
body { margin: 0; background: #fff; font: 15px/1.35 "Noto Sans", "DejaVu Sans", sans-serif; color: #111 }
main { box-sizing: border-box; width: 760px; padding: 14px; column-count: 2; column-gap: 14px; background: #dbe6ee }
section { break-inside: avoid; display: flow-root; padding-bottom: 7px }
p { margin: 0; padding: 8px 12px; border-radius: 14px; background: #fff; width: fit-content; max-width: 86%;
    box-sizing: border-box; white-space: pre-wrap; overflow-wrap: anywhere }
.me p { margin-left: auto; background: #e1f7cf }
.pressed p { margin: auto; background: #0003; color: #fff; font-size: 12px; padding: 2px 10px }
b { display: block; padding: 16px 12px; margin-bottom: 5px; border-radius: 9px; background: #e9eff4; font-weight: 600 }
i { display: inline-block; box-sizing: border-box; margin: 4px 4px 0 0; padding: 6px 12px; border-radius: 9px;
    background: #5b7f9b; color: #fff; font-style: normal; font-size: 14px }
"""
SIGNS = {"photo": "🖼", "video": "▶", "audio": "🎵", "document": "📄", "invoice:": "🧾"}


@dataclass
class Bubble:
    """What one of the two said at a time."""

    speaker: str
    lines: list[str] = field(default_factory=list)
    printed: str = ""
    """The last line as the terminal shows it."""

    def add(self, line: str) -> None:
        """Take a line, and what the terminal has broken together again."""
        is_broken = bool(line) and len(f"{self.printed} {line.split()[0]}") > WIDTH
        if is_broken and self.lines and not BUTTONS.fullmatch(line):
            self.lines[-1] += f" {line}"
        else:
            self.lines.append(line)
        self.printed = line


def bubbles(transcript: str, begin: str, end: str | None = None) -> Iterator[Bubble]:
    """The conversation from the words *begin*, before which a name may stand, to its end, or to the words *end*."""
    lines = dropwhile(lambda line: not f" {line}".endswith(f" {begin}"), transcript.splitlines())
    lines = takewhile(lambda line: end is None or not line.endswith(f" {end}"), lines)
    said: Bubble | None = None
    for line in takewhile(lambda line: line.strip() or line.startswith("   "), lines):
        if match := SPOKEN.fullmatch(line):
            if said:
                yield said
            said = Bubble(match[1])
            said.add(match[3].removeprefix("(edited) "))
        elif said and " as posted, " not in line:
            said.add(line.strip())
    if said:
        yield said


def drawn(bubble: Bubble) -> str:
    """One bubble as HTML, with the buttons under it."""
    first = bubble.lines[0]
    if bubble.speaker != "bot":
        look = "pressed" if BUTTONS.fullmatch(first) or bubble.speaker == "page" else "me"
        return f'<section class="{look}"><p>{html.escape(first.strip("[]"))}</p></section>'
    words = [line for line in bubble.lines if not BUTTONS.fullmatch(line) or MEDIA.fullmatch(line)]
    rows = [line for line in bubble.lines if line not in words]
    text = html.escape("\n".join(words))
    if media := MEDIA.fullmatch(first):
        file = html.escape(f"{SIGNS[media[1]]} {media[2].strip() or media[1]}")
        text = f"<b>{file}</b>" + html.escape("\n".join([media[3], *words[1:]]).strip())
    keys = "<br>".join(
        "".join(f"<i>{html.escape(key)}</i>" for key in re.findall(r"\[([^\]]+)\]", row)) for row in rows
    )
    return f"<section><p>{text}</p>{keys}</section>"


def main(transcript: Path, picture: Path, begin: str, end: str | None = None) -> None:
    """Draw the part from the words *begin* on, up to the words *end*, into *picture*."""
    body = "".join(map(drawn, bubbles(transcript.read_text("utf-8"), begin, end)))
    with tempfile.TemporaryDirectory() as place:
        page = Path(place) / "chat.html"
        page.write_text(f"<meta charset=utf-8><style>{STYLE}</style><main>{body}</main>{MEASURE}", "utf-8")
        browser = ["chromium", "--headless", "--no-sandbox", "--hide-scrollbars", f"--user-data-dir={place}/profile"]
        dom = subprocess.run([*browser, "--dump-dom", page.as_uri()], check=True, capture_output=True, text=True).stdout
        (height,) = re.findall(r"data-height=.([0-9]+)", dom)
        size = f"--window-size={WIDTH_PX},{height}"
        subprocess.run([*browser, size, f"--screenshot={picture.absolute()}", page.as_uri()], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
