"""From a link to what arrives, through the real clients: public posts, which the bot re-sends without moving a byte."""

from typing import Any

import pytest
from pyrogram import raw

from daemon.transfer.resolver import Resolver
from models.jobs import usage
from models.jobs.states import JobInfo, JobState
from models.money import access
from tests.transfer_rig import Customer, Rig, customer, now, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_public_post_arrives_within_three_round_trips(running: Rig, lucia: Customer) -> None:
    # Given the bot has met the channel before
    await running.deliver(lucia, running.link("photo2")["url"])
    await lucia.forget()
    # When another post of it is asked for
    link = running.link("video1")
    before = running.control("GET", "/stats")
    job = await running.deliver(lucia, link["url"])
    # Then it arrives whole, with two calls of the bot's and none for bytes
    after = running.control("GET", "/stats")
    assert (job.state, job.reason) == (JobState.DONE, None)
    (message,) = await lucia.media()
    assert await lucia.sha256(message) == link["sha256"]
    assert message.message == link["caption"]
    assert isinstance(message.entities[0], raw.types.MessageEntityBold)
    bot = str(lucia.bot_id)
    calls = {
        name: count - before["calls_by_account"].get(bot, {}).get(name, 0)
        for name, count in after["calls_by_account"][bot].items()
    }
    assert {name: count for name, count in calls.items() if count and "ing" not in name} == {
        "channels.getMessages": 1,
        "messages.sendMedia": 1,
    }


@pytest.mark.parametrize(
    "name",
    [
        "photo3",
        "music1",
        "apk1",
        "document1",
        "animation1",
        "video_note1",
        "voice1",
        "sticker1",
        "topic1",
        "group_post1",
    ],
)
async def test_each_kind_arrives_whole(running: Rig, lucia: Customer, name: str) -> None:
    link = running.link(name)
    job = await running.deliver(lucia, link["url"])
    assert (job.state, job.reason) == (JobState.DONE, None)
    (message,) = await lucia.media()
    assert await lucia.sha256(message) == link["sha256"]


async def test_an_album_arrives_as_an_album_and_counts_each_item(running: Rig, lucia: Customer) -> None:
    job = await running.deliver(lucia, running.link("album1")["url"])
    assert job.state is JobState.DONE
    messages = await lucia.media()
    assert len(messages) == 5
    assert len({message.grouped_id for message in messages}) == 1
    assert await running.database(usage.of_job, job.id) == {"photo": 5}


@pytest.mark.parametrize("order", [{"kind": "photo"}, {"kind": "video"}, {"kind": "album", "count": 2}])
@pytest.mark.parametrize("is_public", [True, False])
async def test_what_is_veiled_arrives_veiled(
    running: Rig, lucia: Customer, private_chat: int, order: dict[str, Any], *, is_public: bool
) -> None:
    # Given a post under a spoiler
    chat = "library" if is_public else private_chat
    post = running.control("POST", "/posts", {"chat": chat, "spoiler": True, **order})
    # Then it arrives under one: by reference or streamed, and from what the bot holds
    for _ in range(2):
        assert (await running.deliver(lucia, post["url"])).state is JobState.DONE
        messages = await lucia.media()
        assert [message.media.spoiler for message in messages] == [True] * order.get("count", 1)
        await lucia.forget()


@pytest.mark.parametrize("is_public", [True, False])
async def test_what_goes_with_a_video_arrives_with_it(
    running: Rig, lucia: Customer, private_chat: int, *, is_public: bool
) -> None:
    # Given a video with a cover, which starts in its middle
    order = {"kind": "video", "size": 100_000, "cover": True, "start": 12, "qualities": 2, "caption": "Covered"}
    post = running.control("POST", "/posts", {"chat": "library" if is_public else private_chat, **order})
    # Then both arrive: by reference or streamed, and from what the bot holds
    for _ in range(2):
        assert (await running.deliver(lucia, post["url"])).state is JobState.DONE
        (received,) = running.control("GET", f"/deliveries?customer={lucia.id}&after={lucia.after}")
        assert [received[name] for name in ("sha256", "cover_sha256", "start")] == [
            post["sha256"],
            post["cover_sha256"],
            12,
        ]
        await lucia.forget()


@pytest.mark.parametrize("is_public", [True, False])
async def test_a_live_photo_arrives_with_its_motion(
    running: Rig, lucia: Customer, private_chat: int, *, is_public: bool
) -> None:
    chat = "library" if is_public else private_chat
    post = running.control("POST", "/posts", {"chat": chat, "kind": "live_photo", "spoiler": True})
    for _ in range(2):
        assert (await running.deliver(lucia, post["url"])).state is JobState.DONE
        (received,) = running.control("GET", f"/deliveries?customer={lucia.id}&after={lucia.after}")
        assert received["motion_sha256"] == post["motion_sha256"]
        (message,) = await lucia.media()
        assert (message.media.live_photo, message.media.spoiler) == (True, True)
        await lucia.forget()


async def test_a_cover_that_telegram_refuses_costs_only_itself(
    running: Rig, lucia: Customer, private_chat: int
) -> None:
    order = {"kind": "video", "size": 100_000, "cover": True}
    post = running.control("POST", "/posts", {"chat": private_chat, **order})
    # Given the second file of the post, which is its cover, is refused
    refusal = {"fault": "error", "code": 400, "error": "PHOTO_INVALID_DIMENSIONS", "method": "messages.uploadMedia"}
    running.control("POST", "/faults", {**refusal, "after": 1})
    assert (await running.deliver(lucia, post["url"])).state is JobState.DONE
    (received,) = running.control("GET", f"/deliveries?customer={lucia.id}&after={lucia.after}")
    assert received["sha256"] == post["sha256"] and "cover_sha256" not in received


async def test_single_brings_one_item_of_an_album(running: Rig, lucia: Customer) -> None:
    job = await running.deliver(lucia, running.link("album1")["url"] + "?single")
    assert await running.database(usage.of_job, job.id) == {"photo": 1}
    assert len(await lucia.media()) == 1


async def test_a_poll_arrives_with_what_is_said_of_it(running: Rig, lucia: Customer, private_chat: int) -> None:
    words = "As every year 🎫"
    post = {"chat": private_chat, "kind": "poll", "caption": words}
    post["entities"] = [{"type": "bold", "offset": 0, "length": 16}]
    job = await running.deliver(lucia, running.control("POST", "/posts", post)["url"])
    (message,) = await lucia.messages()
    (entity,) = message.entities
    assert message.message == f"{words}\n\nWhich toll road?\n• AP-7\n• AP-68"
    assert (job.kind, entity.offset, entity.length) == ("text", 0, 16)


async def test_a_poll_arrives_with_what_is_shown_above_it(running: Rig, lucia: Customer, private_chat: int) -> None:
    post = {"chat": private_chat, "kind": "poll", "caption": "As every year", "cover": True}
    job = await running.deliver(lucia, running.control("POST", "/posts", post)["url"])
    (message,) = await lucia.media()
    assert message.message == "As every year\n\nWhich toll road?\n• AP-7\n• AP-68"
    assert (job.kind, await running.database(usage.of_job, job.id)) == ("photo", {"photo": 1})


async def test_a_text_arrives_as_text(running: Rig, lucia: Customer) -> None:
    job = await running.deliver(lucia, running.link("text1")["url"])
    assert (job.state, job.kind) == (JobState.DONE, "text")
    (message,) = await lucia.messages()
    assert message.message == running.link("text1")["caption"]


@pytest.mark.parametrize("name", ["nested1", "nested2", "button1"])
async def test_a_text_that_links_to_media_brings_the_media(running: Rig, lucia: Customer, name: str) -> None:
    link = running.link(name)
    job = await running.deliver(lucia, link["url"])
    assert job.state is JobState.DONE
    (message,) = await lucia.media()
    assert await lucia.sha256(message) == link["sha256"]


@pytest.mark.parametrize("name", ["comment1", "album_comment1"])
async def test_a_comment_is_read_in_its_discussion(running: Rig, lucia: Customer, name: str) -> None:
    link = running.link(name)
    job = await running.deliver(lucia, link["url"])
    assert (job.state, job.reason) == (JobState.DONE, None)
    (message,) = await lucia.media()
    assert await lucia.sha256(message) == link["sha256"]


async def test_a_long_caption_goes_on_in_a_message(running: Rig, lucia: Customer, private_chat: int) -> None:
    # Given a caption of two thousand characters, some of them two UTF-16 units long, all of it bold
    words = ("toll 🎫 " * 300).strip()
    units = len(words.encode("utf-16-le")) // 2
    bold = {"type": "bold", "offset": 0, "length": units}
    post = running.control(
        "POST", "/posts", {"chat": private_chat, "kind": "photo", "caption": words, "entities": [bold]}
    )
    # When it is delivered
    job = await running.deliver(lucia, post["url"])
    assert (job.state, job.reason) == (JobState.DONE, None)
    # Then caption and message together are the whole, both bold from end to end
    photo, rest = await lucia.messages()
    assert photo.message + " " + rest.message == words
    for message in (photo, rest):
        (entity,) = message.entities
        assert (entity.offset, entity.length) == (0, len(message.message.encode("utf-16-le")) // 2)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing1", "not_found"),
        ("view_once1", "self_destructing"),
        ("paid1", "paid_media"),
        ("dice1", "nothing_to_deliver"),
        ("protected1", "protected"),
        ("invite_expired1", "invite_expired"),
        ("invite_invalid1", "invite_invalid"),
        ("invite_requested1", "join_requested"),
    ],
)
async def test_each_refusal_has_its_reason_and_costs_nothing(
    running: Rig, lucia: Customer, name: str, reason: str
) -> None:
    job = await running.deliver(lucia, running.link(name)["url"])
    assert (job.state, job.reason) == (JobState.REFUSED, reason)
    assert await running.database(usage.of_job, job.id) == {}
    assert await lucia.media() == []


async def test_an_invitation_and_a_post_join_and_bring_the_post(running: Rig, lucia: Customer) -> None:
    link = running.link("invite_post1")
    job = await running.deliver(lucia, link["url"])
    assert (job.state, job.reason) == (JobState.DONE, None)
    (message,) = await lucia.media()
    assert await lucia.sha256(message) == link["sha256"]
    # And afterwards a link to the private chat works for this customer, and only for him
    direct = running.link("invited_post1")["url"]
    assert (await running.deliver(lucia, direct)).state is JobState.DONE
    async with customer(running, 3) as stranger:
        refused = await running.deliver(stranger, direct)
        assert (refused.state, refused.reason) == (JobState.REFUSED, "no_access")


async def test_free_customers_do_not_make_the_account_join(running: Rig, lucia: Customer) -> None:
    chat = running.control("POST", "/chats", {"title": "Another"})["id"]
    invitation = running.control("POST", "/invitations", {"chat": chat})["url"]
    async with customer(running, 4, level=0) as free:
        job = await running.deliver(free, invitation)
        assert (job.state, job.reason) == (JobState.REFUSED, "join_only_paying")


async def test_the_limit_refuses_before_anything_is_sent(running: Rig, lucia: Customer) -> None:
    async with customer(running, 5, level=0) as free:
        for name in ("video1", "video2", "video3"):
            assert (await running.deliver(free, running.link(name)["url"])).state is JobState.DONE
        await free.forget()
        job = await running.deliver(free, running.link("video4")["url"])
        assert (job.state, job.reason) == (JobState.HELD, "limit")
        assert await free.media() == []
        # And a kind that the plan has not at all, and a file that is too large for it
        assert (await running.deliver(free, running.link("music1")["url"])).reason == "limit"
        assert (await running.deliver(free, running.link("document_big")["url"])).reason == "too_large_for_plan"


@pytest.mark.parametrize(("before", "after", "state"), [(0, 2, JobState.DONE), (2, 0, JobState.HELD)])
async def test_the_plan_that_counts_is_the_one_when_the_post_is_found(
    running: Rig, lucia: Customer, monkeypatch: pytest.MonkeyPatch, before: int, after: int, state: JobState
) -> None:
    find = Resolver.find
    async with customer(running, 8 + after, level=before) as someone:

        async def find_while_they_act(self: Resolver, *asked: Any) -> Any:
            found = await find(self, *asked)
            if after:
                await running.upgrade(someone, after)
            else:
                await running.database(access.take, someone.id, None, None, "test", None, now())
            return found

        # Given a customer pays, or takes the money back, while the post is looked for
        monkeypatch.setattr(Resolver, "find", find_while_they_act)
        job = await running.deliver(someone, running.link("music1")["url"])
        # Then the plan that they have then decides
        assert job.state is state


async def test_a_file_that_grows_while_it_waits_needs_a_plan_for_it(
    running: Rig, lucia: Customer, private_chat: int
) -> None:
    async with customer(running, 6, level=0) as free:
        # Given a file that goes back in line, with its place among those of the day
        post = running.control("POST", "/posts", {"chat": private_chat, "kind": "document", "size": 2 << 20})
        flood = {"fault": "flood_wait", "seconds": 60, "count": 100, "account": "peaje_operator"}
        running.control("POST", "/faults", {"method": "upload.getFile", **flood})
        job = await running.ask(free, post["url"])
        await until(lambda: waits(running, job))
        # When the post gets a file of the same kind that is larger than the plan allows
        larger = {"action": "edit", "url": post["url"], "kind": "document", "size": 51 << 20}
        running.control("POST", "/posts", larger)
        running.control("DELETE", "/faults")
        await running.hurry(job)
        # Then it is not delivered, and counts as nothing
        assert (await running.ended(job)).reason == "too_large_for_plan"
        assert await free.media() == []
        assert await running.database(usage.of_job, job.id) == {}


async def waits(running: Rig, job: JobInfo) -> bool:
    present = await running.job(job)
    return present.state is JobState.QUEUED and present.not_before > 0


async def test_an_oversized_file_is_refused_before_it_is_read(running: Rig, lucia: Customer, private_chat: int) -> None:
    post = running.control("POST", "/posts", {"chat": private_chat, "kind": "document", "size": (2000 << 20) + 1})
    before = running.control("GET", "/stats")["media_bytes_out"]
    job = await running.deliver(lucia, post["url"])
    assert (job.state, job.reason) == (JobState.REFUSED, "too_large_for_bots")
    assert running.control("GET", "/stats")["media_bytes_out"] == before
