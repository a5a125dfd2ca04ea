"""Posts that are more than text and one file, and the chats that let only some people in."""

import asyncio
import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from pyrogram import Client, enums, errors, filters, raw
from pyrogram.handlers import EditedMessageHandler, MessageHandler

from tests.integration.sandbox.accounts import BOT, collect, control, soon
from tests.sandbox_process import Sandbox


def link(sandbox: Sandbox, name: str) -> dict[str, Any]:
    return sandbox.scenario["links"][name]


async def posted(client: Client, url: str) -> Any:
    """The raw message behind a link to a public post."""
    name, message_id = url.split("?")[0].rsplit("/", 2)[1:]
    channel = await client.resolve_peer(name)
    ids = [raw.types.InputMessageID(id=int(message_id))]
    return (await client.invoke(raw.functions.channels.GetMessages(channel=channel, id=ids))).messages[0]


async def content(client: Client, document: Any) -> bytes:
    """The bytes of a small raw document or photo."""
    photo = isinstance(document, raw.types.Photo)
    kind = raw.types.InputPhotoFileLocation if photo else raw.types.InputDocumentFileLocation
    location = kind(
        id=document.id,
        access_hash=document.access_hash,
        file_reference=document.file_reference,
        thumb_size=document.sizes[-1].type if photo else "",
    )
    query = raw.functions.upload.GetFile(location=location, offset=0, limit=1 << 20)
    return (await client.invoke(query)).bytes


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


KINDS = {
    "poll1": enums.MessageMediaType.POLL,
    "todo1": enums.MessageMediaType.CHECKLIST,
    "giveaway1": enums.MessageMediaType.GIVEAWAY,
    "giveaway_results1": enums.MessageMediaType.GIVEAWAY_WINNERS,
    "contact1": enums.MessageMediaType.CONTACT,
    "location1": enums.MessageMediaType.LOCATION,
    "venue1": enums.MessageMediaType.VENUE,
    "dice1": enums.MessageMediaType.DICE,
    "paid1": enums.MessageMediaType.PAID_MEDIA,
}


async def test_posts_of_every_kind_are_what_they_are(sandbox: Sandbox, operator: Client) -> None:
    ids = {name: int(link(sandbox, name)["url"].rsplit("/", 1)[1]) for name in KINDS}
    found = {name: await operator.get_messages("sandbox_extras", id_) for name, id_ in ids.items()}
    assert {name: message.media for name, message in found.items()} == KINDS
    assert found["poll1"].poll.options[1].text.text == "AP-68"
    assert found["paid1"].paid_media.stars_amount == 50


async def test_a_post_has_buttons_that_open_addresses(sandbox: Sandbox, operator: Client) -> None:
    described = link(sandbox, "button1")
    message = await posted(operator, described["url"])
    assert message.reply_markup.rows[0].buttons[0].type.url == described["target"] == link(sandbox, "photo1")["url"]


async def test_covers_start_times_and_qualities_come_with_a_video(sandbox: Sandbox, user: Client, bot: Client) -> None:
    described = link(sandbox, "cover1")
    media = (await posted(user, described["url"])).media
    assert digest(await content(user, media.video_cover)) == described["cover_sha256"]
    assert (media.video_timestamp, len(media.alt_documents)) == (described["start"], described["qualities"])
    # And are sent on with it
    cover = media.video_cover
    await user.invoke(
        raw.functions.messages.SendMedia(
            peer=await user.resolve_peer(BOT),
            media=raw.types.InputMediaDocument(
                id=raw.types.InputDocument(
                    id=media.document.id,
                    access_hash=media.document.access_hash,
                    file_reference=media.document.file_reference,
                ),
                video_cover=raw.types.InputPhoto(
                    id=cover.id, access_hash=cover.access_hash, file_reference=cover.file_reference
                ),
                video_timestamp=7,
            ),
            message="",
            random_id=user.rnd_id(),
        )
    )
    sent = (await control(sandbox, "GET", f"/deliveries?customer={BOT}"))[-1]
    assert (sent["cover_sha256"], sent["start"]) == (described["cover_sha256"], 7)


async def test_a_live_photo_moves(sandbox: Sandbox, user: Client) -> None:
    described = link(sandbox, "livephoto1")
    media = (await posted(user, described["url"])).media
    assert media.live_photo
    assert digest(await content(user, media.photo)) == described["sha256"]
    assert digest(await content(user, media.video)) == described["motion_sha256"]


async def test_paid_media_is_blurred_until_it_is_paid(sandbox: Sandbox, user: Client) -> None:
    media = (await posted(user, link(sandbox, "paid1")["url"])).media
    assert [type(one).__name__ for one in media.extended_media] == ["MessageExtendedMediaPreview"] * 2
    body = {"chat": "extras", "kind": "paid", "count": 1, "bought": [user.me.id]}
    bought = await control(sandbox, "POST", "/posts", body)
    media = (await posted(user, bought["url"])).media
    assert isinstance(media.extended_media[0].media, raw.types.MessageMediaPhoto)


async def test_any_media_can_be_posted(sandbox: Sandbox, user: Client) -> None:
    body = {"chat": "extras", "kind": "any", "media": {"_": "messageMediaStory", "id": 5}}
    made = await control(sandbox, "POST", "/posts", body)
    assert isinstance((await posted(user, made["url"])).media, raw.types.MessageMediaStory)


async def test_the_thread_of_an_album_comes_newest_first(sandbox: Sandbox, operator: Client) -> None:
    described = link(sandbox, "album_comment1")
    second = int(described["url"].split("?")[0].rsplit("/", 1)[1])
    channel = await operator.resolve_peer("sandbox_discussed")
    query = raw.functions.messages.GetDiscussionMessage(peer=channel, msg_id=second)
    thread = await operator.invoke(query)
    ids = [message.id for message in thread.messages]
    assert len(ids) == 3 and ids == sorted(ids, reverse=True)
    comment = await operator.get_messages("sandbox_comments", int(described["url"].split("=")[1]))
    assert comment.reply_to_message_id == ids[-1]
    assert comment.caption == described["caption"]


# What customers send on


async def test_a_customer_without_a_client_forwards_and_edits(sandbox: Sandbox, bot: Client, user: Client) -> None:
    await user.send_message(BOT, "/start")
    arrived = collect(bot, MessageHandler, ~filters.command("start"))
    edited = collect(bot, EditedMessageHandler)
    body = {"from": user.me.id, "to": BOT}
    await control(sandbox, "POST", "/messages", {**body, "forward": link(sandbox, "button1")["url"]})
    forward = await soon(arrived)
    assert forward.forward_origin.chat.username == "sandbox_extras"
    assert forward.reply_markup.inline_keyboard[0][0].url == link(sandbox, "photo1")["url"]
    await control(sandbox, "POST", "/messages", {**body, "forward": link(sandbox, "photo2")["url"], "hidden": True})
    hidden = await soon(arrived)
    assert hidden.forward_origin.sender_user_name == "Somebody"
    assert hidden.photo
    written = await control(sandbox, "POST", "/messages", {**body, "text": "t.me/wrong"})
    await control(
        sandbox,
        "POST",
        "/messages",
        {"action": "edit", "from": user.me.id, "message_id": written["message_id"], "text": "t.me/right"},
    )
    assert (await soon(edited)).text == "t.me/right"


# Who is let in


async def test_a_paid_channel_says_its_price(sandbox: Sandbox, user: Client) -> None:
    chat = await control(sandbox, "POST", "/chats", {"title": "By subscription"})
    invitation = await control(sandbox, "POST", "/invitations", {"chat": chat["chat_id"], "price": 300})
    preview = await user.invoke(raw.functions.messages.CheckChatInvite(hash=invitation["hash"]))
    assert preview.subscription_pricing.amount == 300
    with pytest.raises(errors.StarsPaymentRequired):
        await user.invoke(raw.functions.messages.ImportChatInvite(hash=invitation["hash"]))
    body = {"chat": chat["chat_id"], "user": user.me.id, "subscribed_until": 2_000_000_000}
    await control(sandbox, "POST", "/members", body)
    inside = await user.invoke(raw.functions.messages.CheckChatInvite(hash=invitation["hash"]))
    assert inside.chat.subscription_until_date == 2_000_000_000


async def test_a_public_group_may_ask_who_wants_in(sandbox: Sandbox, user: Client) -> None:
    body = {"title": "Ask first", "username": "sandbox_ask_first", "megagroup": True, "join_request": True}
    await control(sandbox, "POST", "/chats", body)
    with pytest.raises(errors.InviteRequestSent):
        await user.invoke(raw.functions.channels.JoinChannel(channel=await user.resolve_peer("sandbox_ask_first")))


async def test_members_are_seen_and_banned(sandbox: Sandbox, user: Client, operator: Client) -> None:
    body = {"title": "Members", "megagroup": True, "members": [user.me.id, "peaje_operator"]}
    chat = await control(sandbox, "POST", "/chats", body)
    invitation = await control(sandbox, "POST", "/invitations", {"chat": chat["chat_id"]})
    channel = (await operator.invoke(raw.functions.messages.CheckChatInvite(hash=invitation["hash"]))).chat
    given = raw.types.InputChannel(channel_id=channel.id, access_hash=channel.access_hash)

    async def members() -> set[int]:
        everybody = raw.types.ChannelParticipantsRecent()
        query = raw.functions.channels.GetParticipants(channel=given, filter=everybody, offset=0, limit=100, hash=0)
        return {one.user_id for one in (await operator.invoke(query)).participants}

    assert user.me.id in await members()
    await control(sandbox, "POST", "/members", {"chat": chat["chat_id"], "user": user.me.id, "role": "banned"})
    assert user.me.id not in await members()
    await control(sandbox, "POST", "/chats", {"action": "edit", "chat": chat["chat_id"], "hidden_members": True})
    with pytest.raises(errors.ChatAdminRequired):
        await members()


# Files elsewhere, and the protocol's own refusals


@pytest.mark.parametrize("state", ["uploaded", "missing"])
async def test_a_file_may_lie_in_a_delivery_network(
    sandbox: Sandbox, user: Client, faults: Callable[..., Any], state: str
) -> None:
    # The library checks whole pieces only: a shorter last one is cut wrong, and refused.
    body = {"chat": "extras", "kind": "document", "size": 3 * 128 * 1024, "file_name": "far.pdf"}
    made = await control(sandbox, "POST", "/posts", body)
    message = await user.get_messages("sandbox_extras", made["message_id"])
    await asyncio.to_thread(faults, "cdn", url=made["url"], state=state)
    data = b"".join([chunk async for chunk in user.stream_media(message)])
    assert digest(data) == made["sha256"]
    assert (await control(sandbox, "GET", "/stats"))["calls"]["upload.getCdnFile"] >= 1
    keys = (await user.invoke(raw.functions.help.GetCdnConfig())).public_keys
    assert {key.dc_id for key in keys} == {2, 4}


async def test_a_message_that_the_protocol_refuses(sandbox: Sandbox, user: Client, faults: Callable[..., Any]) -> None:
    nearest = raw.functions.help.GetNearestDc()
    await asyncio.to_thread(faults, "bad_message", code=17, method="help.getNearestDc", account=user.me.id)
    refused = await user.invoke(nearest)
    assert isinstance(refused, raw.types.BadMsgNotification)
    assert refused.error_code == 17
    assert (await user.invoke(nearest)).country == "ES"
