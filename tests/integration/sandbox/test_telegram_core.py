"""The local Telegram as unmodified clients meet it: chats, updates, refusals, faults and restarts."""

import ast
import asyncio
import base64
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyrogram import Client, enums, errors, filters, raw, types
from pyrogram.handlers import CallbackQueryHandler, DeletedMessagesHandler, EditedMessageHandler, MessageHandler
from telethon import TelegramClient
from telethon.errors import rpc_errors_dict, rpc_errors_re
from telethon.network.connection import (
    ConnectionTcpAbridged,
    ConnectionTcpFull,
    ConnectionTcpIntermediate,
)
from telethon.sessions import MemorySession

from tests import clients, sandbox_process
from tests.integration.sandbox.accounts import BOT, account, collect, control, new_user, running, soon
from tests.sandbox.telegram import errors as sandbox_errors
from tests.sandbox_process import Sandbox

# Calls that are carried out after others


async def sent(client: Client, query: Any) -> int:
    """The id of the message that the call goes out in, without waiting for its answer."""
    made = []
    create = client.session.msg_factory.create

    async def noted(body: Any) -> Any:
        message = await create(body)
        if body is query:  # acknowledgements and pings go out meanwhile
            made.append(message.msg_id)
        return message

    client.session.msg_factory.create = noted
    try:
        await client.session.send(query, wait_response=False)
    finally:
        client.session.msg_factory.create = create
    return int(made[0])


def part(file_id: int) -> Any:
    return raw.functions.upload.SaveFilePart(file_id=file_id, file_part=0, bytes=b"a part" * 100)


def photo_of(file_id: int) -> Any:
    file = raw.types.InputFile(id=file_id, parts=1, name="a.txt", md5_checksum="")
    media = raw.types.InputMediaUploadedDocument(file=file, mime_type="text/plain", attributes=[])
    return raw.functions.messages.UploadMedia(peer=raw.types.InputPeerSelf(), media=media)


async def test_a_call_is_carried_out_after_those_that_it_names(user: Client, faults: Callable[..., Any]) -> None:
    # Given a part that takes its time
    faults("delay", method="upload.saveFilePart", seconds=0.2)
    ids = [await sent(user, part(5)) for _ in range(2)]
    # When its file is named in the same breath, then it is there
    uploaded = await user.invoke(raw.functions.InvokeAfterMsgs(msg_ids=ids, query=photo_of(5)))
    assert uploaded.document.size == 600
    again = await user.invoke(raw.functions.InvokeAfterMsg(msg_id=ids[0], query=photo_of(5)))
    assert again.document.size == 600


@pytest.mark.parametrize(
    ("fault", "settings"), [("flood_wait", {"seconds": 3}), ("error", {"code": 500, "error": "RPC_CALL_FAIL"})]
)
async def test_a_call_after_one_that_failed_fails(
    user: Client, faults: Callable[..., Any], fault: str, settings: dict[str, Any]
) -> None:
    faults(fault, method="upload.saveFilePart", after=1, **settings)
    ids = [await sent(user, part(6)) for _ in range(2)]
    with pytest.raises(errors.MsgWaitFailed):
        await user.invoke(raw.functions.InvokeAfterMsgs(msg_ids=ids, query=photo_of(6)))


@pytest.mark.parametrize("lost", [True, False])
async def test_a_call_does_not_wait_long_for_one_that_is_unknown(
    user: Client, faults: Callable[..., Any], lost: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)  # the library keeps a list there of errors that it does not know
    faults("drop_request", method="upload.saveFilePart")
    message_id = await sent(user, part(7)) if lost else 4
    with pytest.raises(errors.BadRequest, match="MSG_WAIT_TIMEOUT"):
        await user.invoke(raw.functions.InvokeAfterMsg(msg_id=message_id, query=photo_of(7)))


# Conversation


async def test_a_bot_answers_start(bot: Client, user: Client) -> None:
    asked = collect(bot, MessageHandler, filters.command("start"))
    answered = collect(user, MessageHandler, filters.incoming)
    await user.send_message(BOT, "/start now")
    question = await soon(asked)
    assert [entity.type for entity in question.entities] == [enums.MessageEntityType.BOT_COMMAND]
    assert question.from_user.language_code == "en"
    assert question.command == ["start", "now"]
    await bot.send_message(question.chat.id, "hello", reply_parameters=types.ReplyParameters(message_id=question.id))
    answer = await soon(answered)
    assert answer.text == "hello"
    assert answer.reply_to_message.text == "/start now"


async def test_edits_and_deletes_reach_the_other_side(bot: Client, user: Client) -> None:
    arrived = collect(user, MessageHandler, filters.incoming)
    edited = collect(user, EditedMessageHandler)
    deleted = collect(user, DeletedMessagesHandler)
    await user.send_message(BOT, "/start")
    sent = await bot.send_message(user.me.id, "one")
    arrival = await soon(arrived)
    await sent.edit_text("two")
    assert (await soon(edited)).text == "two"
    with pytest.raises(errors.MessageNotModified):
        await sent.edit_text("two")
    await sent.delete()
    assert [message.id for message in await soon(deleted)] == [arrival.id]
    assert (await user.get_messages(BOT, arrival.id)).empty


async def test_buttons(bot: Client, user: Client) -> None:
    async def answer(_: Client, query: types.CallbackQuery) -> None:
        await query.answer(f"got {query.data}", show_alert=True)
        await query.message.edit_text("pressed")

    bot.add_handler(CallbackQueryHandler(answer))
    arrived = collect(user, MessageHandler, filters.incoming)
    await user.send_message(BOT, "/start")
    keyboard = types.InlineKeyboardMarkup([[types.InlineKeyboardButton("Plans", callback_data="plans")]])
    await bot.send_message(user.me.id, "Choose", reply_markup=keyboard)
    message = await soon(arrived)
    pressed = await user.request_callback_answer(message.chat.id, message.id, "plans")
    assert (pressed.message, pressed.alert) == ("got plans", True)
    with pytest.raises(errors.DataInvalid):
        await user.request_callback_answer(message.chat.id, message.id, "other")


async def test_what_was_missed_comes_with_the_difference(sandbox: Sandbox, bot: Client, user: Client) -> None:
    await user.send_message(BOT, "/start")
    before = await user.invoke(raw.functions.updates.GetState())
    sent = [await bot.send_message(user.me.id, f"missed {number}") for number in range(3)]
    await sent[0].edit_text("missed and edited")
    await sent[2].delete()
    missed = await user.invoke(raw.functions.updates.GetDifference(pts=before.pts, date=before.date, qts=0))
    assert [message.message for message in missed.new_messages] == ["missed and edited", "missed 1"]
    kinds = [type(update) for update in missed.other_updates]
    assert kinds == [raw.types.UpdateEditMessage, raw.types.UpdateDeleteMessages]
    assert missed.state.pts == before.pts + 5
    nothing = await user.invoke(raw.functions.updates.GetDifference(pts=missed.state.pts, date=before.date, qts=0))
    assert isinstance(nothing, raw.types.updates.DifferenceEmpty)
    assert [told["text"] for told in sandbox.control("GET", f"/messages?user={user.me.id}")][-1] == "missed 1"


async def test_channel_posts_reach_members_and_the_difference(sandbox: Sandbox, user: Client) -> None:
    chat = await control(sandbox, "POST", "/chats", {"title": "News", "members": [user.me.id]})
    await control(sandbox, "POST", "/posts", {"chat": chat["chat_id"], "kind": "text", "caption": "zero"})
    [dialog] = [dialog async for dialog in user.get_dialogs()]
    assert dialog.chat.title == "News"
    arrived = collect(user, MessageHandler, filters.channel)
    post = {"chat": chat["chat_id"], "kind": "text", "caption": "one"}
    await control(sandbox, "POST", "/posts", post)
    assert (await soon(arrived)).text == "one"
    difference = await user.invoke(
        raw.functions.updates.GetChannelDifference(
            channel=await user.resolve_peer(chat["chat_id"]),
            filter=raw.types.ChannelMessagesFilterEmpty(),
            pts=2,
            limit=100,
        )
    )
    assert [message.message for message in difference.new_messages] == ["one"]
    assert difference.final


async def test_reading_marks_reach_the_writer(sandbox: Sandbox, user: Client, operator: Client) -> None:
    await user.send_message("peaje_operator", "hello")
    seen: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def note(_: Client, update: Any, *__: Any) -> None:
        if isinstance(update, raw.types.UpdateReadHistoryOutbox) and not seen.done():
            seen.set_result(update.max_id)

    user.on_raw_update()(note)
    await operator.read_chat_history(user.me.username)
    assert await asyncio.wait_for(seen, 5) > 0


async def test_history_and_dialogs_come_in_pages(bot: Client, user: Client) -> None:
    await user.send_message(BOT, "/start")
    for number in range(1, 8):
        await bot.send_message(user.me.id, str(number))
    history = [message.text async for message in user.get_chat_history(BOT, limit=5)]
    assert history == ["7", "6", "5", "4", "3"]
    peer = await user.resolve_peer(BOT)
    older = await user.invoke(
        raw.functions.messages.GetHistory(
            peer=peer, offset_id=4, offset_date=0, add_offset=0, limit=2, max_id=0, min_id=0, hash=0
        )
    )
    assert [message.message for message in older.messages] == ["2", "1"]
    assert older.count == 8
    await user.send_message("peaje_operator", "newer")
    dialogs = [(dialog.chat.username, dialog.top_message.text) async for dialog in user.get_dialogs()]
    assert dialogs == [("peaje_operator", "newer"), (BOT, "7")]


# Sending once


async def test_a_random_id_is_taken_once(
    sandbox: Sandbox, bot: Client, user: Client, faults: Callable[..., Any]
) -> None:
    await user.send_message(BOT, "/start")
    peer = await bot.resolve_peer(user.me.id)
    random_id = secrets.randbits(63)
    send = raw.functions.messages.SendMessage(peer=peer, message="once", random_id=random_id)
    await bot.invoke(send)
    with pytest.raises(errors.RandomIdDuplicate):
        await bot.invoke(send)
    faults("random_id_code", code=500)
    with pytest.raises(TimeoutError):
        await bot.invoke(send, retries=1)
    faults("random_id_code", code=400)
    stats = sandbox.control("GET", "/stats")
    assert stats["messages"][str(random_id)] == 1
    assert stats["duplicates_refused"][str(random_id)] == 2
    faults("forget_random_ids", account=bot.me.id)
    await bot.invoke(send)
    texts = [told["text"] for told in sandbox.control("GET", f"/messages?user={user.me.id}")]
    assert texts.count("once") == 2


async def test_a_lost_answer_does_not_send_twice(
    sandbox: Sandbox, bot: Client, user: Client, faults: Callable[..., Any]
) -> None:
    await user.send_message(BOT, "/start")
    peer = await bot.resolve_peer(user.me.id)
    send = raw.functions.messages.SendMessage(peer=peer, message="lost", random_id=secrets.randbits(63))
    faults("drop_reply", method="messages.sendMessage", account=bot.me.id)
    with pytest.raises(errors.RandomIdDuplicate):
        await bot.invoke(send, timeout=0.3, retry_delay=0)
    assert sandbox.control("GET", f"/messages?user={user.me.id}")[-1]["text"] == "lost"
    faults("drop_request", method="messages.sendMessage", account=bot.me.id)
    again = raw.functions.messages.SendMessage(peer=peer, message="not lost", random_id=secrets.randbits(63))
    await bot.invoke(again, timeout=0.3, retry_delay=0)


# Who may what


async def test_calls_are_refused_to_those_they_are_not_for(bot: Client, user: Client) -> None:
    await user.send_message(BOT, "/start")
    peer = await bot.resolve_peer(user.me.id)
    for_people = (
        raw.functions.messages.GetHistory(
            peer=peer, offset_id=0, offset_date=0, add_offset=0, limit=1, max_id=0, min_id=0, hash=0
        ),
        raw.functions.messages.GetDialogs(
            offset_date=0, offset_id=0, offset_peer=raw.types.InputPeerEmpty(), limit=1, hash=0
        ),
        raw.functions.messages.ImportChatInvite(hash="x"),
        raw.functions.messages.CheckChatInvite(hash="x"),
    )
    for call in for_people:
        with pytest.raises(errors.BotMethodInvalid):
            await bot.invoke(call)
    with pytest.raises(errors.UserBotRequired):
        await user.invoke(
            raw.functions.bots.SetBotCommands(scope=raw.types.BotCommandScopeDefault(), lang_code="", commands=[])
        )


@pytest.fixture
def no_commands(sandbox: Sandbox) -> None:
    """The bot says no commands, whatever a daemon has set on it before."""
    sandbox.control("DELETE", f"/commands?bot={BOT}")


@pytest.mark.usefixtures("no_commands")
async def test_everybody_sees_the_commands_of_the_narrowest_scope(bot: Client, user: Client) -> None:
    await user.send_message(BOT, "/start")
    own = raw.types.BotCommandScopePeer(peer=raw.types.InputPeerUser(user_id=user.me.id, access_hash=0))
    everybodys = raw.types.BotCommandScopeUsers()
    for scope, language, word in (
        (raw.types.BotCommandScopeDefault(), "", "default"),
        (everybodys, "", "any"),
        (everybodys, "en", "english"),
        (own, "", "own"),
    ):
        command = raw.types.BotCommand(command=word, description=word)
        await bot.invoke(raw.functions.bots.SetBotCommands(scope=scope, lang_code=language, commands=[command]))
        assert [each.command for each in await commands_seen(user)] == [word]
    await bot.invoke(raw.functions.bots.ResetBotCommands(scope=own, lang_code=""))
    assert [each.command for each in await commands_seen(user)] == ["english"]
    for scope, language in ((everybodys, "en"), (everybodys, ""), (raw.types.BotCommandScopeDefault(), "")):
        await bot.invoke(raw.functions.bots.ResetBotCommands(scope=scope, lang_code=language))
    assert await commands_seen(user) == []


async def commands_seen(user: Client) -> list[Any]:
    """What the application shows beside the text field."""
    found = await user.invoke(raw.functions.users.GetFullUser(id=await user.resolve_peer(BOT)))
    commands: list[Any] = found.full_user.bot_info.commands
    return commands


async def test_a_bot_cannot_write_first_nor_to_who_blocked_it(sandbox: Sandbox, bot: Client, user: Client) -> None:
    chat = await control(sandbox, "POST", "/chats", {"title": "Common", "megagroup": True})
    for member in (bot.me.id, user.me.id):
        await control(sandbox, "POST", "/members", {"chat": chat["chat_id"], "user": member})
    met = raw.types.InputPeerUser(user_id=user.me.id, access_hash=0)
    send = raw.functions.messages.SendMessage
    with pytest.raises(errors.PeerIdInvalid):
        await bot.invoke(send(peer=met, message="hi", random_id=secrets.randbits(63)))
    await user.send_message(BOT, "/start")
    await bot.invoke(send(peer=met, message="hi", random_id=secrets.randbits(63)))
    await user.block_user(BOT)
    with pytest.raises(errors.UserIsBlocked):
        await bot.invoke(send(peer=met, message="hi", random_id=secrets.randbits(63)))
    await user.unblock_user(BOT)
    await bot.invoke(send(peer=met, message="hi", random_id=secrets.randbits(63)))


async def test_private_chats_stay_closed_to_strangers(sandbox: Sandbox, user: Client, operator: Client) -> None:
    chat_id = sandbox.scenario["chats"]["private"]
    [known] = [dialog.chat async for dialog in operator.get_dialogs() if dialog.chat.id == chat_id]
    assert known.title == "Private club"
    borrowed = await operator.resolve_peer(chat_id)
    wanted = raw.functions.channels.GetMessages(
        channel=raw.types.InputChannel(channel_id=borrowed.channel_id, access_hash=borrowed.access_hash),
        id=[raw.types.InputMessageID(id=1)],
    )
    assert (await operator.invoke(wanted)).messages[0].message == "For members"
    with pytest.raises(errors.ChannelInvalid):
        await user.invoke(wanted)


async def test_who_left_a_private_chat_is_a_stranger(sandbox: Sandbox, user: Client) -> None:
    chat = await control(sandbox, "POST", "/chats", {"title": "Left", "members": [user.me.id]})
    await control(sandbox, "POST", "/posts", {"chat": chat["chat_id"], "kind": "text", "caption": "inside"})
    async for dialog in user.get_dialogs():
        assert dialog.chat.id == chat["chat_id"]
    assert (await user.get_messages(chat["chat_id"], 1)).text == "inside"
    await user.leave_chat(chat["chat_id"])
    with pytest.raises(errors.ChannelPrivate):
        await user.get_messages(chat["chat_id"], 1)


async def test_public_posts_are_open_to_bots_and_strangers(sandbox: Sandbox, bot: Client, user: Client) -> None:
    for client in (bot, user):
        post = await client.get_messages("sandbox_gallery", 1)
        assert post.caption == "Photo 1"
        assert (await client.get_messages("sandbox_gallery", 99999)).empty
    with pytest.raises(errors.UsernameNotOccupied):
        await user.get_chat("nobody_has_this_name")


async def test_a_forbidden_writer(user: Client) -> None:
    with pytest.raises(errors.ChatWriteForbidden):
        await user.send_message("sandbox_gallery", "spam")


async def test_private_mail_is_there_to_be_stolen(sandbox: Sandbox, operator: Client) -> None:
    """The attack tests of the bot are worth something only if a careless reader would hand out the secret."""
    for name in ("login_code1", "person1", "bot_dialog1"):
        trap = sandbox.scenario["links"][name]
        message_id = int(trap["url"].rsplit("/", 1)[1])
        stolen = await operator.get_messages("me", message_id)
        assert stolen.text == trap["secret"]


# Invitations


async def test_invitations_and_their_outcomes(sandbox: Sandbox, user: Client, faults: Callable[..., Any]) -> None:
    links = sandbox.scenario["links"]
    with pytest.raises(errors.InviteHashInvalid):
        await user.join_chat(links["invite_invalid1"]["url"])
    with pytest.raises(errors.InviteHashExpired):
        await user.join_chat(links["invite_expired1"]["url"])
    request = raw.functions.messages.ImportChatInvite(hash=links["invite_requested1"]["url"].split("+")[1])
    with pytest.raises(errors.InviteRequestSent):
        await user.invoke(request)
    await control(sandbox, "POST", "/faults", {"fault": "channel_limit", "account": user.me.id, "limit": 1})
    preview = await user.get_chat(links["invite1"]["url"])
    assert preview.title == "By invitation"
    joined = await user.join_chat(links["invite1"]["url"])
    assert joined.chat.title == "By invitation"
    with pytest.raises(errors.UserAlreadyParticipant):
        await user.join_chat(links["invite1"]["url"])
    with pytest.raises(errors.ChannelsTooMuch):
        await user.join_chat(links["invite_already1"]["url"])
    # The library does not keep the chat of a join's answer: its peer comes with the dialogs.
    assert joined.chat.id in [dialog.chat.id async for dialog in user.get_dialogs()]
    member = await user.get_chat_member(joined.chat.id, "me")
    assert member.user.id == user.me.id


async def test_an_invitation_that_is_used_up(sandbox: Sandbox, user: Client) -> None:
    chat = await control(sandbox, "POST", "/chats", {"title": "For one"})
    link = await control(sandbox, "POST", "/invitations", {"chat": chat["chat_id"], "usage_limit": 1})
    await user.join_chat(link["url"])
    second = await asyncio.to_thread(new_user, sandbox)
    async with running(account(sandbox, second["session_string"])) as late:
        with pytest.raises(errors.InviteHashExpired):
            await late.join_chat(link["url"])


# Topics, comments, forwards, commands


async def test_topics_and_comments(sandbox: Sandbox, operator: Client) -> None:
    url = sandbox.scenario["links"]["topic1"]["url"]
    _, name, topic, message_id = url.rsplit("/", 3)
    post = await operator.get_messages(name, int(message_id))
    assert (post.message_thread_id, post.caption) == (int(topic), "In a topic")
    assert post.topic.title == "Films"
    post_url, comment_id = sandbox.scenario["links"]["comment1"]["url"].split("?comment=")
    discussion = await operator.get_discussion_message("sandbox_discussed", int(post_url.rsplit("/", 1)[1]))
    comment = await operator.get_messages(discussion.chat.id, int(comment_id))
    assert comment.caption == "A comment"
    assert comment.reply_to_message_id == discussion.id


async def test_forwards_keep_their_origin_and_protected_posts_stay(user: Client, bot: Client) -> None:
    arrived = collect(bot, MessageHandler, filters.photo)
    await user.send_message(BOT, "/start")
    await user.forward_messages(BOT, "sandbox_gallery", 1)
    forward = await soon(arrived)
    assert forward.forward_origin.chat.username == "sandbox_gallery"
    assert forward.forward_origin.message_id == 1
    with pytest.raises(errors.ChatForwardsRestricted):
        await user.forward_messages(BOT, "sandbox_protected", 1)


@pytest.mark.usefixtures("no_commands")
async def test_commands_per_scope_and_language(sandbox: Sandbox, bot: Client, user: Client) -> None:
    commands = [types.BotCommand("start", "Empezar"), types.BotCommand("help", "Ayuda")]
    await bot.set_bot_commands(commands, language_code="es")
    await user.send_message(BOT, "/start")
    private = types.BotCommandScopeChat(user.me.id)
    await bot.set_bot_commands([types.BotCommand("grant", "Give")], scope=private)
    assert [command.command for command in await bot.get_bot_commands(language_code="es")] == ["start", "help"]
    assert [command.command for command in await bot.get_bot_commands(scope=private)] == ["grant"]
    assert await bot.get_bot_commands() == []
    listed = sandbox.control("GET", f"/commands?bot={BOT}")
    assert listed["default/es"] == [["start", "Empezar"], ["help", "Ayuda"]]
    await bot.delete_bot_commands(scope=private)
    assert await bot.get_bot_commands(scope=private) == []


# Logging in


async def test_phone_login_with_two_step_verification(sandbox: Sandbox, faults: Callable[..., Any]) -> None:
    phone = sandbox.scenario["operator"]["phone"]
    faults("password", account="peaje_operator", password="open sesame")
    client = clients.client(sandbox.scenario)
    await client.connect()
    try:
        sent = await client.send_phone_number_code(phone)
        with pytest.raises(errors.PhoneCodeInvalid):
            await client.sign_in(phone, sent.phone_code_hash, "0")
        code = (await control(sandbox, "GET", f"/login-code?phone={phone.removeprefix('+')}"))["code"]
        with pytest.raises(errors.SessionPasswordNeeded):
            await client.sign_in(phone, sent.phone_code_hash, code)
        with pytest.raises(errors.PasswordHashInvalid):
            await client.check_password("open barley")
        assert (await client.check_password("open sesame")).username == "peaje_operator"
        session = await client.export_session_string()
    finally:
        await client.disconnect()
        faults("password", account="peaje_operator", password=None)
    async with running(account(sandbox, session, no_updates=True)) as again:
        assert again.me.username == "peaje_operator"
        await again.invoke(raw.functions.auth.LogOut())
        with pytest.raises(errors.AuthKeyUnregistered):
            await again.get_me()


async def test_a_code_is_sent_again_by_sms(sandbox: Sandbox) -> None:
    phone = sandbox.scenario["operator"]["phone"]
    client = clients.client(sandbox.scenario)
    await client.connect()
    try:
        sent = await client.send_phone_number_code(phone)
        again = await client.resend_phone_number_code(phone, sent.phone_code_hash)
        assert (sent.type.name, again.type.name) == ("APP", "SMS")
        with pytest.raises(errors.PhoneCodeExpired):
            await client.sign_in(phone, sent.phone_code_hash, "0")
        with pytest.raises(errors.SendCodeUnavailable):
            await client.resend_phone_number_code(phone, again.phone_code_hash)
    finally:
        await client.disconnect()


async def test_a_scanned_code_logs_in(sandbox: Sandbox, faults: Callable[..., Any]) -> None:
    person = new_user(sandbox)
    faults("password", account=person["id"], password="open sesame")
    client = clients.client(sandbox.scenario)
    export = raw.functions.auth.ExportLoginToken(api_id=client.api_id, api_hash=client.api_hash, except_ids=[])
    await client.connect()
    try:
        shown = await client.invoke(export)
        async with running(account(sandbox, person["session_string"], no_updates=True)) as phone:
            await phone.invoke(raw.functions.auth.AcceptLoginToken(token=shown.token))
            with pytest.raises(errors.AuthTokenAlreadyAccepted):
                await phone.invoke(raw.functions.auth.AcceptLoginToken(token=shown.token))
        update, _, _ = await asyncio.wait_for(client.dispatcher.updates_queue.get(), 5)
        assert isinstance(update, raw.types.UpdateLoginToken)
        with pytest.raises(errors.SessionPasswordNeeded):
            await client.invoke(export)
        assert (await client.check_password("open sesame")).id == person["id"]
    finally:
        await client.disconnect()


async def test_wrong_credentials(sandbox: Sandbox) -> None:
    for options, error in (
        ({"bot_token": "1:wrong"}, errors.AccessTokenInvalid),
        ({"bot_token": sandbox.env["TELEGRAM_BOT_TOKEN"], "api_hash": "0" * 32}, errors.ApiIdInvalid),
    ):
        client = clients.client(sandbox.scenario, **options)
        with pytest.raises(error):
            await client.start()
        if client.is_connected:
            await client.disconnect()


@pytest.mark.parametrize("transport", [ConnectionTcpAbridged, ConnectionTcpIntermediate, ConnectionTcpFull])
async def test_transports(sandbox: Sandbox, transport: type, monkeypatch: pytest.MonkeyPatch) -> None:
    from telethon.crypto import rsa

    monkeypatch.setattr(rsa, "_server_keys", {})
    rsa.add_key(Path(sandbox.scenario["telegram"]["public_key"]).read_text(), old=False)
    host, port = sandbox.scenario["telegram"]["endpoint"].split(":")
    session = MemorySession()
    session.set_dc(2, host, int(port))
    client = TelegramClient(session, sandbox.scenario["api_id"], sandbox.scenario["api_hash"], connection=transport)
    await client.start(bot_token=sandbox.scenario["foreign_bot"]["token"])
    try:
        assert (await client.get_me()).username == "sandbox_bank_bot"
    finally:
        await client.disconnect()


# Faults


async def test_flood_waits_and_errors_on_request(sandbox: Sandbox, user: Client, faults: Callable[..., Any]) -> None:
    resolve = raw.functions.contacts.ResolveUsername(username="sandbox_gallery")
    faults("flood_wait", method="contacts.*", account=user.me.id, seconds=77, after=1)
    await user.invoke(resolve)
    with pytest.raises(errors.FloodWait) as flood:
        await user.invoke(resolve)
    assert flood.value.value == 77
    await user.invoke(resolve)
    faults("error", method="contacts.resolveUsername", code=400, error="USERNAME_INVALID", count=None)
    for _ in range(2):
        with pytest.raises(errors.UsernameInvalid):
            await user.invoke(resolve)
    [rule] = [rule for rule in sandbox.control("GET", "/faults") if rule["count"] is None]
    sandbox.control("DELETE", f"/faults/{rule['id']}")
    await user.invoke(resolve)


async def refused(call: Awaitable[Any], error: type[BaseException]) -> None:
    with pytest.raises(error):
        await call


@pytest.mark.parametrize(
    ("how", "error"), [("unregistered", errors.AuthKeyUnregistered), ("revoked", errors.SessionRevoked)]
)
async def test_a_revoked_session(
    sandbox: Sandbox, user: Client, faults: Callable[..., Any], how: str, error: type[BaseException]
) -> None:
    faults("revoke", account=user.me.id, how=how)
    await refused(user.invoke(raw.functions.updates.GetState()), error)
    faults("restore_keys", account=user.me.id)
    await user.invoke(raw.functions.updates.GetState())


async def test_a_duplicated_key_and_a_banned_user(sandbox: Sandbox, user: Client, faults: Callable[..., Any]) -> None:
    faults("duplicate_key", account=user.me.id)
    await refused(user.invoke(raw.functions.updates.GetState()), errors.AuthKeyDuplicated)
    faults("restore_keys", account=user.me.id)
    faults("ban", account=user.me.id)
    await refused(user.invoke(raw.functions.updates.GetState()), errors.UserDeactivatedBan)
    faults("ban", account=user.me.id, banned=False)
    await user.invoke(raw.functions.updates.GetState())


async def test_bandwidth_and_loss(sandbox: Sandbox, user: Client, faults: Callable[..., Any]) -> None:
    await control(sandbox, "POST", "/network", {"bandwidth": 512 * 1024, "loss": 0.2, "account": user.me.id})
    link = sandbox.scenario["links"]["voice1"]["url"]
    voice = await user.get_messages("sandbox_gallery", int(link.rsplit("/", 1)[1]))
    started = time.monotonic()
    for _ in range(4):
        await user.download_media(voice, in_memory=True)
    elapsed = time.monotonic() - started
    assert elapsed > 4 * sandbox.scenario["links"]["voice1"]["size"] / (512 * 1024)


async def test_a_key_that_is_gone(sandbox: Sandbox, person: dict[str, Any], faults: Callable[..., Any]) -> None:
    """Telethon reports the transport's -404 as it is; Pyrogram loses it in a background task."""
    from telethon.crypto import AuthKey, rsa
    from telethon.errors import AuthKeyNotFound

    rsa.add_key(Path(sandbox.scenario["telegram"]["public_key"]).read_text(), old=False)
    host, port = sandbox.scenario["telegram"]["endpoint"].split(":")
    session = MemorySession()
    session.set_dc(2, host, int(port))
    packed = base64.urlsafe_b64decode(person["session_string"] + "==")
    session.auth_key = AuthKey(packed[6:262])
    await asyncio.to_thread(faults, "revoke", account=person["id"], how="404")
    client = TelegramClient(session, sandbox.scenario["api_id"], sandbox.scenario["api_hash"])
    with pytest.raises((AuthKeyNotFound, ConnectionError)):
        await client.connect()
        await client.get_me()
    await client.disconnect()


async def test_a_reset_connection_comes_back(
    sandbox: Sandbox, bot: Client, user: Client, faults: Callable[..., Any]
) -> None:
    await user.send_message(BOT, "/start")
    assert await asyncio.to_thread(faults, "reset", account=bot.me.id) == {"reset": 1}
    await bot.invoke(raw.functions.updates.GetState(), timeout=0.5, retries=20, retry_delay=0)
    await bot.send_message(user.me.id, "still here")
    assert (await control(sandbox, "GET", "/stats"))["connections"][str(bot.me.id)] == 1


async def test_a_black_hole_swallows_and_ends(sandbox: Sandbox, user: Client, faults: Callable[..., Any]) -> None:
    faults("black_hole", account=user.me.id, seconds=1)
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        await user.invoke(raw.functions.updates.GetState(), timeout=0.2, retries=1, retry_delay=0)
    await user.invoke(raw.functions.updates.GetState(), timeout=0.2, retries=20, retry_delay=0)
    assert 0.8 < time.monotonic() - started < 3


async def test_refused_connections(sandbox: Sandbox, person: dict[str, Any], faults: Callable[..., Any]) -> None:
    host, port = sandbox.scenario["telegram"]["endpoint"].split(":")
    await asyncio.to_thread(faults, "refuse", seconds=0.5, reset=False)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(host, int(port))
    deadline = time.monotonic() + 5
    while True:
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        else:
            writer.close()
            await writer.wait_closed()
            break


async def test_a_slow_network_delays_answers_in_parallel(
    sandbox: Sandbox, user: Client, faults: Callable[..., Any]
) -> None:
    await control(sandbox, "POST", "/network", {"rtt_ms": 300, "account": user.me.id})
    started = time.monotonic()
    await asyncio.gather(*(user.invoke(raw.functions.updates.GetState()) for _ in range(8)))
    assert 0.3 <= time.monotonic() - started < 0.9
    stats = await control(sandbox, "GET", "/stats")
    assert stats["max_outstanding"]["updates.getState"] >= 8
    await control(sandbox, "DELETE", "/network")


# The server itself


def test_a_restart_brings_everything_back(tmp_path: Path) -> None:
    first = sandbox_process.start(tmp_path, "--telegram-only")
    someone = new_user(first)

    async def before() -> int:
        async with running(account(first, someone["session_string"])) as client:
            return (await client.send_message("peaje_operator", "remember me")).id

    try:
        message_id = asyncio.run(before())
        made = first.control("POST", "/posts", {"kind": "document", "size": 5000})
    finally:
        assert first.stop() == 0
    second = sandbox_process.start(tmp_path, "--telegram-only")

    async def after() -> None:
        async with running(account(second, someone["session_string"])) as client:
            assert (await client.get_messages("peaje_operator", message_id)).text == "remember me"
            post = await client.get_messages("sandbox_gallery", made["message_id"])
            assert post.document.file_name == made["file_name"]

    try:
        assert second.scenario["telegram"] == first.scenario["telegram"]
        assert second.env == first.env
        assert second.scenario["links"]["photo1"] == first.scenario["links"]["photo1"]
        asyncio.run(after())
    finally:
        assert second.stop() == 0


def test_what_it_does_not_know_is_refused_and_listed(tmp_path: Path) -> None:
    sandbox = sandbox_process.start(tmp_path, "--telegram-only")

    async def ask() -> None:
        async with running(account(sandbox, sandbox.scenario["customers"][0]["session_string"])) as client:
            with pytest.raises(errors.InputMethodInvalid):
                await client.invoke(raw.functions.account.GetWallPapers(hash=0))

    try:
        asyncio.run(ask())
        assert sandbox.control("GET", "/unsupported") == {"account.getWallPapers": 1}
    finally:
        sandbox.stop()


def _errors_in(file: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "RpcError" and len(node.args) == 2:
            code, name = node.args
            if isinstance(code, ast.Constant) and isinstance(name, ast.Constant):
                yield code.value, name.value
            elif isinstance(code, ast.Constant) and isinstance(name, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "7" for part in name.values]
                if parts.count("7") == 1:
                    yield code.value, "".join(parts)


# Telethon's list was made before Stars: it has none of their errors, CHARGE_ALREADY_REFUNDED included.
MODULES_OF_STARS = {"stars.py", "ledger.py"}
NOT_IN_TELETHON = {"STARS_PAYMENT_REQUIRED", "FILE_TOKEN_INVALID"}


def _in_telethon(name: str) -> bool:
    # Of an album's items Telegram names the number, which Telethon does not know.
    name = re.sub(r"(FILE_REFERENCE)_\d+", r"\1", name)
    return name in rpc_errors_dict or any(re.match(pattern, name) for pattern, _ in rpc_errors_re)


def test_every_error_exists_in_the_clients_lists() -> None:
    files = list(Path(sandbox_errors.__file__).parent.glob("*.py"))
    found = {(file.name, *item) for file in files for item in _errors_in(file)}
    assert len(found) > 40
    assert not [item for item in found if not sandbox_errors.is_listed(*item[1:])]
    known = {item for item in found if item[0] in MODULES_OF_STARS or item[2] in NOT_IN_TELETHON}
    assert not [item for item in found - known if not _in_telethon(item[2])]


def test_the_scenario_holds_what_is_promised(sandbox: Sandbox) -> None:
    scenario = sandbox.scenario
    assert len(scenario["customers"]) >= 20
    assert {customer["language_code"] for customer in scenario["customers"]} == {"es", "en"}
    names = (
        [f"photo{number}" for number in range(1, 13)]
        + [f"video{number}" for number in range(1, 6)]
        + "music1 apk1 document1 document_big document_2g album1 text1 nested1 topic1".split()
        + "private1 invite1 protected1 view_once1 missing1 person1".split()
        + "album_comment1 button1 poll1 paid1 cover1 livephoto1".split()
    )
    for name in names:
        link = scenario["links"][name]
        assert {"url", "kind", "size", "sha256", "file_name", "caption"} <= link.keys()
        assert link["url"].startswith("https://t.me/")
    assert scenario["links"]["document1"]["size"] == 20 * 2**20
    assert scenario["links"]["document_big"]["size"] == 300 * 2**20
    assert len(scenario["links"]["album1"]["items"]) == 5
    assert scenario["second_admin"]["session_string"] != scenario["admin"]["session_string"]
