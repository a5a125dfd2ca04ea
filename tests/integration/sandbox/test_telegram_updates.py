"""The updates that private chats never bring, and updates in other shapes, as unmodified clients see them."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from pyrogram import Client, errors, raw, types
from pyrogram.handlers import ChatJoinRequestHandler, ChatMemberUpdatedHandler, MessageHandler, RawUpdateHandler

from tests import clients
from tests.integration.sandbox.accounts import BOT, collect, control, soon
from tests.sandbox.telegram import objects
from tests.sandbox_process import Sandbox


def raw_updates(client: Client, *kinds: type) -> asyncio.Queue[Any]:
    """A queue of the updates of these kinds, as they come."""
    queue: asyncio.Queue[Any] = asyncio.Queue()

    async def put(_: Client, update: Any, users: Any, chats: Any) -> None:
        if isinstance(update, kinds):
            queue.put_nowait(update)

    client.add_handler(RawUpdateHandler(put), group=-1)
    return queue


def arriving(client: Client) -> asyncio.Queue[Any]:
    """A queue of all that is pushed, in the wrapping that it comes in."""
    queue: asyncio.Queue[Any] = asyncio.Queue()
    handle = client.handle_updates

    async def note(updates: Any) -> None:
        queue.put_nowait(updates)
        await handle(updates)

    client.handle_updates = note
    return queue


async def difference(client: Client, pts: int, qts: int) -> Any:
    return await client.invoke(raw.functions.updates.GetDifference(pts=pts, date=1, qts=qts))


# Anything by name


async def test_every_update_of_the_layer_can_be_sent(sandbox: Sandbox, user: Client) -> None:
    kinds = await control(sandbox, "GET", "/control/constructors?type=Update")
    assert len(kinds) > 150
    heard = raw_updates(user, *objects.constructors_of("Update"))
    sent = set()
    for kind in kinds:
        body = {"account": user.me.id, "update": {"_": kind}}
        answer = await control(sandbox, "POST", "/control/update", body)
        assert answer["sessions"] == 1
        sent.add(kind)
    await user.get_me()
    # The library itself cannot read a bare vector of constructors without fields: those few are lost on it.
    with contextlib.suppress(TimeoutError):
        while sent:
            sent.discard((await asyncio.wait_for(heard.get(), 2)).QUALNAME.removeprefix("types."))
    assert len(sent) < 8


async def test_an_update_is_described_in_json(sandbox: Sandbox, user: Client) -> None:
    messages = collect(user, MessageHandler)
    message = {"_": "message", "id": 77, "message": "from nowhere", "peer_id": {"_": "peerUser", "user_id": user.me.id}}
    update = {"_": "updateNewMessage", "message": message}
    await control(sandbox, "POST", "/control/update", {"account": user.me.id, "update": update})
    assert (await soon(messages)).text == "from nowhere"
    with pytest.raises(Exception, match="no field"):
        await control(
            sandbox, "POST", "/control/update", {"account": user.me.id, "update": {"_": "updateConfig", "a": 1}}
        )


async def test_any_method_can_be_answered_with_any_error_or_object(
    sandbox: Sandbox, user: Client, faults: Callable[..., Any]
) -> None:
    named = {"method": "help.getNearestDc", "account": user.me.id}
    query = raw.functions.help.GetNearestDc()
    listed = await control(sandbox, "GET", "/control/errors")
    assert len(listed) > 900
    await control(sandbox, "POST", "/control/error", {**named, "name": "FILE_PART_X_MISSING", "value": 7})
    with pytest.raises(errors.FilePartMissing) as refused:
        await user.invoke(query)
    assert refused.value.value == 7
    await control(sandbox, "POST", "/control/error", {**named, "name": "CHANNEL_PRIVATE", "code": 406})
    with pytest.raises(errors.NotAcceptable):
        await user.invoke(query)
    answer = {"_": "nearestDc", "country": "XX"}
    await control(sandbox, "POST", "/control/answer", {**named, "answer": answer})
    nearest = await user.invoke(query)
    assert (nearest.country, nearest.this_dc) == ("XX", 1)


# qts


async def test_a_bot_hears_of_memberships_by_qts(sandbox: Sandbox, bot: Client, user: Client) -> None:
    heard = raw_updates(bot, raw.types.UpdateChannelParticipant)
    parsed = collect(bot, ChatMemberUpdatedHandler)
    before = await bot.invoke(raw.functions.updates.GetState())
    chat = await control(sandbox, "POST", "/chats", {"title": "A stranger's"})
    await control(sandbox, "POST", "/members", {"chat": chat["chat_id"], "user": BOT, "role": "admin"})
    update = await soon(heard)
    assert (update.qts, update.user_id) == (before.qts + 1, bot.me.id)
    assert not hasattr(update, "pts")
    assert update.prev_participant is None
    assert isinstance(update.new_participant, raw.types.ChannelParticipantAdmin)
    assert (await soon(parsed)).chat.id == chat["chat_id"]
    # As an admin it hears of others too
    invitation = await control(sandbox, "POST", "/invitations", {"chat": chat["chat_id"]})
    await user.join_chat(invitation["url"])
    joined = await soon(heard)
    assert (joined.user_id, joined.invite.link) == (user.me.id, invitation["url"])
    # And of channel posts
    posts = collect(bot, MessageHandler)
    await control(sandbox, "POST", "/posts", {"chat": chat["chat_id"], "kind": "text", "caption": "news"})
    assert (await soon(posts)).text == "news"
    # All of it stands in the difference, from the qts that the client has reached
    missed = await difference(bot, before.pts, before.qts)
    assert [type(one).__name__ for one in missed.other_updates] == ["UpdateChannelParticipant"] * 2
    assert missed.state.qts == before.qts + 2
    later = await difference(bot, missed.state.pts, before.qts + 1)
    assert [one.user_id for one in later.other_updates] == [user.me.id]


async def test_a_request_to_join_reaches_the_admin_bot(sandbox: Sandbox, bot: Client, user: Client) -> None:
    requests = collect(bot, ChatJoinRequestHandler)
    chat = await control(sandbox, "POST", "/chats", {"title": "On request"})
    await control(sandbox, "POST", "/members", {"chat": chat["chat_id"], "user": BOT, "role": "admin"})
    body = {"chat": chat["chat_id"], "request_needed": True}
    invitation = await control(sandbox, "POST", "/invitations", body)
    with pytest.raises(errors.InviteRequestSent):
        await user.invoke(raw.functions.messages.ImportChatInvite(hash=invitation["hash"]))
    assert (await soon(requests)).from_user.id == user.me.id


async def test_an_update_of_ones_own_can_take_a_qts(sandbox: Sandbox, user: Client) -> None:
    body = {"account": user.me.id, "update": {"_": "updateBotChatBoost"}, "record": True}
    before = await user.invoke(raw.functions.updates.GetState())
    await control(sandbox, "POST", "/control/update", body)
    missed = await difference(user, before.pts, before.qts)
    assert [one.qts for one in missed.other_updates] == [before.qts + 1]


async def test_the_library_falls_over_a_channel_state_without_pts(sandbox: Sandbox, bot: Client) -> None:
    """The very failure that a bot has to survive: if this changes, so may its cure."""
    heard = raw_updates(bot, raw.types.UpdateChannelParticipant)
    chat = await control(sandbox, "POST", "/chats", {"title": "The trap"})
    await control(sandbox, "POST", "/members", {"chat": chat["chat_id"], "user": BOT, "role": "admin"})
    await soon(heard)
    with pytest.raises(AttributeError):
        await bot.recover_gaps()


# Differences that fail


async def test_a_channel_difference_fails_with_the_error_asked_for(
    sandbox: Sandbox, operator: Client, faults: Callable[..., Any]
) -> None:
    channel = await operator.resolve_peer("sandbox_gallery")
    query = raw.functions.updates.GetChannelDifference(
        channel=channel, filter=raw.types.ChannelMessagesFilterEmpty(), pts=1, limit=10
    )
    body = {"method": "updates.getChannelDifference", "account": operator.me.id}
    for name, error in (
        ("CHANNEL_PUBLIC_GROUP_NA", errors.ChannelPublicGroupNa),
        ("PERSISTENT_TIMESTAMP_INVALID", errors.PersistentTimestampInvalid),
    ):
        await control(sandbox, "POST", "/control/error", {**body, "name": name})
        with pytest.raises(error):
            await operator.invoke(query)
    await asyncio.to_thread(faults, "channel_difference_too_long", account=operator.me.id)
    long = await operator.invoke(query)
    assert isinstance(long, raw.types.updates.ChannelDifferenceTooLong)
    assert long.dialog.pts > 1 and long.messages
    assert isinstance(await operator.invoke(query), raw.types.updates.ChannelDifference)


async def test_points_that_do_not_fit(sandbox: Sandbox, user: Client, faults: Callable[..., Any]) -> None:
    await user.send_message(BOT, "/start")
    state = await user.invoke(raw.functions.updates.GetState())
    await asyncio.to_thread(faults, "state_ahead", account=user.me.id, points=5)
    ahead = await user.invoke(raw.functions.updates.GetState())
    assert ahead.pts == state.pts + 5
    for pts in (state.pts, ahead.pts):
        assert isinstance(await difference(user, pts, 0), raw.types.updates.DifferenceEmpty)
    await asyncio.to_thread(faults, "difference_too_long", account=user.me.id)
    assert isinstance(await difference(user, 1, 0), raw.types.updates.DifferenceTooLong)
    await control(sandbox, "DELETE", "/faults")
    await asyncio.to_thread(faults, "rewind", account=user.me.id)
    with pytest.raises(errors.PersistentTimestampInvalid):
        await difference(user, state.pts, 0)


# Other shapes


@pytest.mark.parametrize(
    ("packing", "heard_as"), [("short", "UpdateShortMessage"), ("combined", "UpdatesCombined"), ("too_long", None)]
)
async def test_updates_come_in_other_wrappings(
    sandbox: Sandbox, bot: Client, user: Client, faults: Callable[..., Any], packing: str, heard_as: str | None
) -> None:
    await user.send_message(BOT, "/start")
    wrappings = arriving(user)
    messages = collect(user, MessageHandler)
    await control(sandbox, "POST", "/control/manners", {"account": user.me.id, "packing": packing})
    await bot.send_message(user.me.id, "in other words")
    if heard_as is None:
        assert isinstance(await soon(wrappings), raw.types.UpdatesTooLong)
        assert messages.empty()
        await user.recover_gaps(0)
    else:
        assert type(await soon(wrappings)).__name__ == heard_as
    while (await soon(messages)).text != "in other words":
        continue


async def test_who_is_mentioned_comes_as_min_or_not_at_all(
    sandbox: Sandbox, bot: Client, user: Client, faults: Callable[..., Any]
) -> None:
    arrived = arriving(bot)
    await control(sandbox, "POST", "/control/manners", {"account": BOT, "min_peers": True})
    await user.send_message(BOT, "hello")
    described = next(one for one in (await soon(arrived)).users if one.id == user.me.id)
    assert described.min
    stranger = raw.types.InputUser(user_id=user.me.id, access_hash=described.access_hash)
    assert isinstance((await bot.invoke(raw.functions.users.GetUsers(id=[stranger])))[0], raw.types.UserEmpty)
    await control(sandbox, "POST", "/control/manners", {"account": BOT, "bare": True})
    await user.send_message(BOT, "hello again")
    assert (await soon(arrived)).users == []


async def test_updates_may_come_to_a_media_session(
    sandbox: Sandbox, bot: Client, user: Client, faults: Callable[..., Any]
) -> None:
    await user.send_message(BOT, "/start")
    media = await user.get_session(user.session.dc_id, is_media=True, temporary=True)
    try:
        body = {"account": user.me.id, "update": {"_": "updatePtsChanged"}}
        assert (await control(sandbox, "POST", "/control/update", body))["sessions"] == 1
        assert (await control(sandbox, "POST", "/control/update", {**body, "media": True}))["sessions"] == 2
        heard = raw_updates(user, raw.types.UpdateNewMessage)
        await control(sandbox, "POST", "/control/manners", {"account": user.me.id, "media": True})
        await bot.send_message(user.me.id, "twice")
        assert {(await soon(heard)).message.message for _ in range(2)} == {"twice"}
    finally:
        await media.stop()


async def test_a_missing_post_may_come_without_its_chat(
    sandbox: Sandbox, operator: Client, faults: Callable[..., Any]
) -> None:
    channel = await operator.resolve_peer("sandbox_gallery")
    query = raw.functions.channels.GetMessages(channel=channel, id=[raw.types.InputMessageID(id=99999)])
    assert (await operator.invoke(query)).chats
    await asyncio.to_thread(faults, "empty_chats")
    missing = await operator.invoke(query)
    assert (missing.chats, [type(one).__name__ for one in missing.messages]) == ([], ["MessageEmpty"])


async def test_what_is_optional_may_be_left_out(sandbox: Sandbox, operator: Client, faults: Callable[..., Any]) -> None:
    channel = await operator.resolve_peer("sandbox_gallery")
    query = raw.functions.channels.GetMessages(channel=channel, id=[raw.types.InputMessageID(id=1)])
    whole = (await operator.invoke(query)).messages[0]
    assert whole.views is not None and whole.media is not None
    body = {"method": "channels.getMessages", "fields": ["views", "media", "id"], "of": "message", "count": 1}
    await asyncio.to_thread(faults, "leave_out", **body)
    bare = (await operator.invoke(query)).messages[0]
    assert (bare.views, bare.media, bare.message) == (None, None, whole.message)
    assert (await operator.invoke(query)).messages[0].media is not None


async def test_a_salt_may_change_while_the_client_runs(
    sandbox: Sandbox, user: Client, faults: Callable[..., Any]
) -> None:
    before = user.session.salt
    await asyncio.to_thread(faults, "change_salt", account=user.me.id)
    assert (await user.get_me()).id == user.me.id
    assert user.session.salt != before


# Accounts


async def test_a_frozen_account_reads_and_does_nothing_else(
    sandbox: Sandbox, person: dict[str, Any], user: Client, faults: Callable[..., Any]
) -> None:
    gallery = await user.resolve_peer("sandbox_gallery")
    await asyncio.to_thread(faults, "freeze", account=user.me.id)
    with pytest.raises(errors.FrozenMethodInvalid):
        await user.send_message(BOT, "/start")
    with pytest.raises(errors.FrozenParticipantMissing):
        await user.invoke(raw.functions.channels.GetMessages(channel=gallery, id=[raw.types.InputMessageID(id=1)]))
    assert (await user.get_me()).id == person["id"]
    config = await user.invoke(raw.functions.help.GetAppConfig(hash=0))
    assert "freeze_until_date" in [item.key for item in config.config.value]
    await asyncio.to_thread(faults, "freeze", account=user.me.id, frozen=False)
    await user.send_message(BOT, "/start")


async def test_limited_and_flagged_accounts(sandbox: Sandbox, user: Client, faults: Callable[..., Any]) -> None:
    await asyncio.to_thread(faults, "limit", account=user.me.id)
    with pytest.raises(errors.PeerFlood):
        await user.join_chat("sandbox_gallery")
    await asyncio.to_thread(faults, "limit", account=user.me.id, limited=False)
    assert (await user.join_chat("sandbox_gallery")).chat.title == "Gallery"
    await asyncio.to_thread(faults, "flag", account=user.me.id)
    me: types.User = await user.get_me()
    assert me.is_restricted and me.is_scam
    await asyncio.to_thread(faults, "flag", account=user.me.id, reason=None)


async def test_a_flood_belongs_to_one_method_and_one_account(
    sandbox: Sandbox, user: Client, operator: Client, faults: Callable[..., Any]
) -> None:
    await asyncio.to_thread(faults, "method_limit", method="contacts.resolveUsername", calls=2, seconds=3600)

    async def resolve(client: Client) -> Any:
        query = raw.functions.contacts.ResolveUsername(username="sandbox_gallery")
        return await client.session.invoke(query, sleep_threshold=0)

    await resolve(user)
    await resolve(user)
    with pytest.raises(errors.FloodWait) as refused:
        await resolve(user)
    assert 3590 < refused.value.value <= 3600
    await user.get_me()
    await resolve(operator)
    await control(sandbox, "POST", "/clock", {"advance": 3601})
    try:
        await resolve(user)
    finally:
        await control(sandbox, "POST", "/clock", {"offset": 0})


async def test_a_login_of_a_bot_may_have_to_wait(sandbox: Sandbox, faults: Callable[..., Any]) -> None:
    await asyncio.to_thread(faults, "flood_wait", method="auth.importBotAuthorization", seconds=120, count=None)
    client = clients.client(sandbox.scenario, bot_token=sandbox.env["TELEGRAM_BOT_TOKEN"])
    with pytest.raises(errors.FloodWait):
        await client.start()
