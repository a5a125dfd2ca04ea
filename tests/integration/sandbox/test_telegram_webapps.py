"""Mini Apps of the local Telegram, and posts that hold files of this machine."""

import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import init_data_py
import pytest
from pyrogram import Client, errors, raw

from tests.integration.sandbox.accounts import BOT, control
from tests.sandbox.telegram import picture
from tests.sandbox_process import Sandbox
from web.console.entry import launch_data


async def opened(user: Client, url: str) -> Any:
    peer = await user.resolve_peer(BOT)
    asked = raw.functions.messages.RequestWebView(peer=peer, bot=peer, platform="android", url=url)
    return await user.invoke(asked)


async def test_launch_data_are_signed_for_who_opens_it(sandbox: Sandbox, user: Client, person: dict[str, Any]) -> None:
    found = urlsplit((await opened(user, "https://shop.example/app")).url)
    assert (found.netloc, found.path) == ("shop.example", "/app")
    given = parse_qs(found.fragment)["tgWebAppData"][0]

    token = sandbox.env["TELEGRAM_BOT_TOKEN"]
    assert launch_data.read(given, token, int(time.time())).user_id == person["id"]
    assert init_data_py.is_valid_by_hash(given, token)


async def test_a_mini_app_needs_https(user: Client) -> None:
    with pytest.raises(errors.BadRequest, match="URL_INVALID"):
        await opened(user, "http://shop.example/app")


async def test_a_post_holds_the_bytes_of_a_file(sandbox: Sandbox, operator: Client, tmp_path: Path) -> None:
    film, still = tmp_path / "film.mp4", tmp_path / "still.jpg"
    film.write_bytes(b"\0\0\0\x18ftypisom" + bytes(500))
    still.write_bytes(picture.painted(64, 48, [(n * 3, 100, 140) for n in range(48)]))
    order = {"kind": "video", "file": str(film), "thumbnail": str(still), "file_name": "own.mp4"}
    url = (await control(sandbox, "POST", "/posts", order))["url"]
    message = await operator.get_messages("sandbox_gallery", int(url.rsplit("/", 1)[1]))
    assert (await operator.download_media(message, in_memory=True)).getvalue() == film.read_bytes()
    assert (message.video.thumbs[0].width, message.video.thumbs[0].height) == (64, 48)

    album = {"kind": "album", "count": 2, "files": [str(still), str(still)]}
    items = (await control(sandbox, "POST", "/posts", album))["items"]
    assert [each["size"] for each in items] == [still.stat().st_size] * 2
