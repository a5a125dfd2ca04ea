"""Complaints in chat, from arrival to answer; and what is blocked stays blocked, whatever way somebody asks."""

import asyncio

import pytest

from tests.daemon_process import Chat, Daemon, chat, labels
from tests.sandbox_process import Sandbox


def post(sandbox: Sandbox, **order: object) -> str:
    """The address of a new post."""
    return str(sandbox.control("POST", "/posts", {"chat": "library", "kind": "photo", **order})["url"])


def bare(link: str) -> str:
    return link.removeprefix("https://")


async def decide(admin: Chat, reporter: Chat, link: str, label: str) -> None:
    """Have somebody complain about a post, and an admin press one of the buttons."""
    await reporter.ask(f"/report {link}")
    case = await admin.until_text(f"complains about {bare(link).removesuffix('?single')}")
    await admin.press(case, label)


@pytest.mark.parametrize(
    ("language", "command", "taken", "answer", "refused"),
    [
        (
            "en",
            "/report",
            "I have passed your complaint",
            "the post is blocked",
            "has blocked this post",
        ),
        (
            "es",
            "/denunciar",
            "Le he pasado al responsable",
            "la publicación está bloqueada",
            "ha bloqueado esta",
        ),
    ],
)
async def test_a_complaint_from_arrival_to_answer(
    daemon_sandbox: Sandbox, shared_daemon: Daemon, language: str, command: str, taken: str, answer: str, refused: str
) -> None:
    link = post(daemon_sandbox)
    async with chat(daemon_sandbox, admin=True) as admin, chat(daemon_sandbox, language) as reporter:
        await admin.ask("/language en")
        assert "t.me/" in (await reporter.ask(command)).text
        assert taken in (await reporter.ask(f"{command} look: {link} it is <b>mine</b>\u202e")).text
        case = await admin.until_text(f"complains about {bare(link)}")
        assert "it is <b>mine</b>" in case.text and str(reporter.id) in case.text
        assert labels(case) == ["🚫 Block this post", "⛔ Block the channel", "Reject"]
        decided = await admin.press(case, "Block this post")
        assert "Blocked" in decided.text and labels(decided) == ["⛔ Block the channel", "Reject"]
        assert answer in (await reporter.until_text(bare(link))).text
        await reporter.say(link)
        await reporter.until_text(refused)


async def test_each_button_decides_once_and_another_changes_it(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    link = post(daemon_sandbox)
    async with chat(daemon_sandbox, admin=True) as admin, chat(daemon_sandbox) as reporter:
        await admin.ask("/language en")
        await reporter.ask(f"/report {link}")
        case = await admin.until_text("complains about")
        for label, answer in (
            ("Block this post", "the post is blocked"),
            ("Block the channel", "the whole channel is blocked"),
            ("Reject", "no reason to block"),
        ):
            await asyncio.gather(*(admin.tap(case, label) for _ in range(3)), return_exceptions=True)
            told = [await admin.next() for _ in range(3)]
            assert len({message.text for message in told}) == 1
            await reporter.until_text(answer)
            await reporter.silence(0.5)
        await reporter.say(link)
        await reporter.until(lambda message: message.photo is not None)


@pytest.mark.parametrize("kind", ["photo", "text"])
async def test_a_post_is_blocked_in_every_chat(daemon_sandbox: Sandbox, shared_daemon: Daemon, kind: str) -> None:
    link = post(daemon_sandbox, kind=kind, caption="Words of somebody")
    async with (
        chat(daemon_sandbox, admin=True) as admin,
        chat(daemon_sandbox) as reporter,
        chat(daemon_sandbox) as other,
    ):
        await admin.ask("/language en")
        # Given the post was delivered before, and somebody has forwarded it into a group
        await other.say(link)
        await other.until_text("Words of somebody")
        name = f"copies_{reporter.id}"
        group = {"title": "Copies", "username": name, "megagroup": True, "members": [reporter.id, "peaje_operator"]}
        daemon_sandbox.control("POST", "/chats", group)
        number = int(link.rpartition("/")[2])
        copy = await reporter.client.forward_messages(name, "sandbox_library", number)
        # When it is blocked where it came from
        await decide(admin, reporter, link, "Block this post")
        # Then nobody gets it: by its link, by the copy's, or by forwarding it to the bot
        for wanted in (link, f"https://t.me/{name}/{copy.id}"):
            await other.say(wanted)
            await other.until_text("has blocked this post")
        await other.client.forward_messages(other.bot, "sandbox_library", number)
        await other.until_text("has blocked this post")


@pytest.mark.parametrize("complained", ["the first photo", "the second photo", "one photo alone"])
async def test_an_album_is_blocked_by_any_of_its_photos(
    daemon_sandbox: Sandbox, shared_daemon: Daemon, complained: str
) -> None:
    first = post(daemon_sandbox, kind="album", items="photo", count=3)
    stem, _, number = first.rpartition("/")
    second = f"{stem}/{int(number) + 1}"
    link = {"the first photo": first, "the second photo": second, "one photo alone": f"{second}?single"}[complained]
    async with chat(daemon_sandbox, admin=True) as admin, chat(daemon_sandbox) as reporter:
        await admin.ask("/language en")
        await decide(admin, reporter, link, "Block this post")
        for wanted in (first, second, f"{second}?single"):
            await reporter.say(wanted)
            await reporter.until_text("has blocked this post")


async def test_a_comment_is_blocked_by_its_own_address_too(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, admin=True) as admin, chat(daemon_sandbox) as reporter:
        await admin.ask("/language en")
        link = reporter.link("album_comment1")
        await decide(admin, reporter, link, "Block this post")
        await reporter.say(link)
        await reporter.until_text("has blocked this post")
        await decide(admin, reporter, reporter.link("comment1"), "Reject")


async def test_what_is_no_post_is_not_passed_on(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox) as reporter:
        for typed in ("hello", "t.me/sandbox_gallery", "https://example.com/1", "t.me/sandbox_gallery/1-5"):
            assert "not the link to a post" in (await reporter.ask(f"/report {typed}")).text
        assert "Complain about a post" in (await reporter.ask("copyright")).text


async def test_a_deleted_post_is_blocked_by_its_place(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    link = post(daemon_sandbox)
    async with chat(daemon_sandbox, admin=True) as admin, chat(daemon_sandbox) as reporter:
        await admin.ask("/language en")
        daemon_sandbox.control("POST", "/posts", {"action": "delete", "url": link})
        await decide(admin, reporter, link, "Block this post")
        await reporter.until_text("the post is blocked")


async def test_a_channel_nobody_has_is_told_to_the_admin(daemon_sandbox: Sandbox, shared_daemon: Daemon) -> None:
    async with chat(daemon_sandbox, admin=True) as admin, chat(daemon_sandbox) as reporter:
        await admin.ask("/language en")
        await reporter.ask("/report t.me/nobody_has_this_name/5")
        case = await admin.until_text("complains about t.me/nobody_has_this_name/5")
        assert "No channel has that name" in (await admin.press(case, "Block the channel")).text
        await admin.press(case, "Reject")
        await reporter.until_text("no reason to block")
