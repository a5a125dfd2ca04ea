"""Whether the web program can listen, said before it tries in vain."""

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from config import port
from config.settings import Settings, load
from config.texts import translator
from tests import environment


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(environment.minimal(tmp_path), None)


def said(settings: Settings, *, as_root: bool | None = None) -> tuple[str, bool] | None:
    """What is wrong, and whether it passes."""
    fault = port.fault(settings, as_root=as_root)
    return fault and (fault.text.said_in(translator("en")), fault.passes)


def test_a_port_is_free_or_taken(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
        words, passes = said(replace(settings, port=number)) or ("", False)
        assert words.startswith(f"PORT {number} is taken by another program") and passes
    assert said(replace(settings, port=number)) is None


def test_an_address_of_another_machine_is_told(settings: Settings) -> None:
    words, passes = said(replace(settings, web_address="203.0.113.7")) or ("", True)

    assert words.startswith("WEB_ADDRESS 203.0.113.7 is no address of this machine") and not passes


@pytest.mark.parametrize(("first", "number"), [("1024", 1023), ("80", 79), (None, 1023)])
def test_a_port_of_roots_is_told_before_it_is_tried(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str | None, number: int
) -> None:
    file = tmp_path / "first"
    if first is not None:
        file.write_text(f"{first}\n")
    monkeypatch.setattr(port, "_FIRST_FREE", file)
    monkeypatch.setattr(port, "_bind", lambda *_: None)

    words, passes = said(replace(settings, port=number), as_root=False) or ("", True)

    assert words.startswith(f"PORT {number} is for root alone") and not passes
    assert said(replace(settings, port=number + 1), as_root=False) is None
    assert said(replace(settings, port=number), as_root=True) is None
