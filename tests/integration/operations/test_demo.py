"""``make demo`` from its first line to Ctrl-C: on the loopback alone, for a browser that shows its page."""

import contextlib
import json
import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests import demo_process
from tests.console_visitor import ConsoleVisitor
from tests.demo_process import Demo

WAIT_S = 60


@pytest.fixture(scope="module")
def taken() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield int(other.getsockname()[1])


@pytest.fixture(scope="module")
def demo(taken: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo that would have liked that port."""
    with demo_process.demo(tmp_path_factory.mktemp("demo"), DEMO_PORT=str(taken)) as running:
        yield running


def visitor(demo: Demo) -> requests.Session:
    """A browser that has loaded the page."""
    browser = requests.Session()
    assert "demo.js" in browser.get(demo.url, timeout=WAIT_S).text, "the shop is there: its terminal says so"
    browser.headers["Origin"] = demo.url
    return browser


def events(browser: requests.Session, demo: Demo) -> Iterator[dict[str, Any]]:
    """What the page is told."""
    stream = browser.get(f"{demo.url}/events", stream=True, timeout=WAIT_S)
    for line in stream.iter_lines():
        if line.startswith(b"data: "):
            yield json.loads(line.removeprefix(b"data: "))


def act(browser: requests.Session, demo: Demo, **asked: Any) -> requests.Response:
    return browser.post(f"{demo.url}/act", json=asked, timeout=WAIT_S)


def test_another_port_is_taken_and_told(demo: Demo, taken: int) -> None:
    assert f"Port {taken} is taken; the page is on " in demo.said()
    assert demo.url.startswith("http://127.0.0.1:") and not demo.url.endswith(f":{taken}")


def of_place(place: Path) -> list[str]:
    """The programs that run with their state in *place*."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            told = [(process / name).read_text("utf-8", "replace") for name in ("cmdline", "environ")]
            if any(f"{place}/" in each for each in told):
                found.append(told[0].replace("\0", " "))
    return found


def test_ctrl_c_while_it_starts_leaves_nothing(tmp_path: Path) -> None:
    starting = demo_process.begun(tmp_path)
    while "a local Telegram" not in demo_process.said(tmp_path):
        assert starting.poll() is None, demo_process.said(tmp_path)
        time.sleep(0.05)
    os.killpg(starting.pid, signal.SIGINT)  # a terminal sends it to all of the group
    assert starting.wait(2 * WAIT_S) == 0, demo_process.said(tmp_path)
    assert "Stopping, as soon as" in demo_process.said(tmp_path)
    assert "Traceback" not in demo_process.said(tmp_path)
    assert of_place(tmp_path / "state") == []


def test_a_visitor_talks_to_the_shop(demo: Demo) -> None:
    browser = visitor(demo)
    told = events(browser, demo)
    hello = next(told)
    assert (hello["type"], hello["customer"]["messages"]) == ("hello", [])
    photo = next(each for each in hello["shelf"] if each["name"] == "photo")
    assert act(browser, demo, do="say", phone="customer", text=photo["text"]).ok
    arrived = next(each["message"] for each in told if each["type"] == "message" and each["message"]["media"])
    picture = browser.get(f"{demo.url}/media/customer/{arrived['id']}", headers={"Range": "bytes=0-1"}, timeout=WAIT_S)
    assert (picture.status_code, picture.content) == (206, b"\xff\xd8")
    assert visitor(demo).get(f"{demo.url}/media/customer/{arrived['id']}", timeout=WAIT_S).status_code == 404


def commands(demo: Demo) -> list[set[str]]:
    """What customer and operator find beside the text field."""
    hello = next(events(visitor(demo), demo))
    return [{each["command"] for each in hello[who]["menu"]["commands"]} for who in ("customer", "operator")]


def test_each_telephone_offers_its_commands(demo: Demo) -> None:
    deadline = time.monotonic() + WAIT_S
    while not {"/income", "/console"} <= commands(demo)[1] and time.monotonic() < deadline:
        time.sleep(0.2)  # the bot tells Telegram of them beside everything else
    customers, operators = commands(demo)
    assert "/premium" in customers and "/income" not in customers
    assert customers | {"/income", "/console"} <= operators


def test_nobody_else_is_listened_to(demo: Demo) -> None:
    browser = visitor(demo)
    asked = {"do": "say", "phone": "customer", "text": "/start"}
    for headers in ({"Origin": "https://evil.example"}, {"Origin": ""}, {"Content-Type": "text/plain"}):
        answer = browser.post(f"{demo.url}/act", data=json.dumps(asked), headers=headers, timeout=WAIT_S)
        assert answer.status_code == 403, headers
    assert requests.get(f"{demo.url}/events", timeout=WAIT_S).status_code == 403
    rebound = requests.get(demo.url, headers={"Host": "evil.example"}, timeout=WAIT_S, allow_redirects=False)
    assert (rebound.status_code, rebound.headers["Location"]) == (303, f"{demo.url}/")
    assert browser.get(f"{demo.url}/..%2f__main__.py", timeout=WAIT_S).status_code == 404


@pytest.mark.parametrize(
    "asked",
    [
        {},
        [],
        {"do": "seen"},
        {"do": "say"},
        {"do": "say", "phone": "customer", "text": " "},
        {"do": "switch", "name": "x"},
    ]
    + [
        {"do": "press", "phone": "customer", "message": 1, "row": 0, "column": 0},
        {"do": "pay", "phone": "x", "form": "1"},
    ],
)
def test_nonsense_is_refused_in_words(demo: Demo, asked: Any) -> None:
    answer = visitor(demo).post(f"{demo.url}/act", json=asked, timeout=WAIT_S)
    assert answer.status_code in (400, 409) and answer.json()["error"]


def test_the_shops_pages_stay_themselves(demo: Demo) -> None:
    browser = visitor(demo)
    page = browser.get(demo.url, timeout=WAIT_S)
    front = page.headers["Content-Security-Policy"].partition("frame-src ")[2].split()[0]
    shown = requests.get(f"{front}/", timeout=WAIT_S)
    assert f"frame-ancestors {demo.url}" in shown.headers["Content-Security-Policy"]
    assert "script-src" not in shown.headers["Content-Security-Policy"]
    assert 'href="https://t.me' not in shown.text


def test_the_terminal_leads_into_the_console(demo: Demo) -> None:
    found = re.search(r"console +(http://[\d.:]+)(/console/login/\S+)", demo.said())
    assert found
    browser = ConsoleVisitor(found[1])
    assert "Alba" in browser.get(found[2]).text
    assert "Today" in browser.follow(browser.post(found[2], Origin=browser.url)).text
    assert browser.post(found[2], Origin=browser.url).status_code == 410


def test_ctrl_c_ends_all_with_0(demo: Demo) -> None:
    assert demo.end() == 0
    assert "the launcher's exit code is 0" in demo.said()
    assert "Traceback" not in demo.said()
