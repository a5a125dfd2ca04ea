"""The local Telegram, walked by Telethon: a client that nobody here wrote, with another transport and its own habits.

If both it and Pyrogram find what they expect, the server is Telegram enough to trust the other tests.
"""

import asyncio
import base64
import hashlib
import io
import random
import re
import struct
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from telethon import Button, TelegramClient, errors, events, functions, types
from telethon.crypto import AuthKey, rsa
from telethon.sessions import StringSession

from tests import clients
from tests.sandbox.telegram import picture
from tests.sandbox_process import Sandbox

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOME_DC = 2
MIB = 1 << 20
_PYROGRAM_SESSION = struct.Struct(">BI?256sQ?")


def telethon(sandbox: Sandbox, session_string: str | None = None) -> TelegramClient:
    """A Telethon client for the sandbox; with a Pyrogram session string it takes over that session's key."""
    scenario = sandbox.scenario
    key = clients.read_public_key(scenario).public_bytes(Encoding.PEM, PublicFormat.PKCS1)
    rsa.add_key(key.decode(), old=False)
    host, port = scenario["telegram"]["endpoint"].split(":")
    session = StringSession()
    session.set_dc(HOME_DC, host, int(port))
    if session_string is not None:
        packed = base64.urlsafe_b64decode(session_string + "=" * (-len(session_string) % 4))
        session.auth_key = AuthKey(_PYROGRAM_SESSION.unpack(packed)[3])
    return TelegramClient(session, scenario["api_id"], scenario["api_hash"], request_retries=2, flood_sleep_threshold=5)


class Trio:
    """The three who meet on Telegram: the bot, the operator's account and a customer."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        scenario = sandbox.scenario
        self.bot_name: str = scenario["bot"]["username"]
        self.customer_id: int = scenario["customers"][2]["id"]
        self.bot = telethon(sandbox)
        self.account = telethon(sandbox)
        self.customer = telethon(sandbox, scenario["customers"][2]["session_string"])

    async def start(self) -> None:
        """The bot logs in by its token, the account by a code, both with fresh keys; the customer has a session."""
        await self.bot.start(bot_token=self.sandbox.env["TELEGRAM_BOT_TOKEN"])
        await self.account.start(phone=self.sandbox.scenario["operator"]["phone"], code_callback=self._login_code)
        await self.customer.connect()
        await self.customer.send_message(self.bot_name, "/start")
        await self.bot.get_entity(self.customer_id)

    def _login_code(self) -> str:
        phone = self.sandbox.scenario["operator"]["phone"].removeprefix("+")
        return self.sandbox.control("GET", f"/login-code?phone={phone}")["code"]

    async def stop(self) -> None:
        for client in (self.bot, self.account, self.customer):
            await client.disconnect()

    def link(self, name: str) -> dict[str, Any]:
        return self.sandbox.scenario["links"][name]

    async def post(self, name: str, client: TelegramClient | None = None) -> Any:
        """The post behind a public link."""
        chat, message_id = re.fullmatch(r"https://t.me/(\w+)/(\d+)", self.link(name)["url"]).groups()
        return await (client or self.account).get_messages(chat, ids=int(message_id))

    async def newest(self) -> Any:
        """The newest message in the customer's chat with the bot."""
        return (await self.customer.get_messages(self.bot_name, limit=1))[0]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def trio(sandbox: Sandbox) -> AsyncIterator[Trio]:
    trio = Trio(sandbox)
    await trio.start()
    yield trio
    await trio.stop()


async def heard(client: TelegramClient, event: Any) -> asyncio.Queue[Any]:
    """A queue that fills with the events that fit."""
    queue: asyncio.Queue[Any] = asyncio.Queue()

    async def put(happened: Any) -> None:
        queue.put_nowait(happened)

    client.add_event_handler(put, event)
    return queue


async def soon(queue: asyncio.Queue[Any]) -> Any:
    return await asyncio.wait_for(queue.get(), 5)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def test_everybody_is_who_they_logged_in_as(trio: Trio) -> None:
    bot, account, customer = [await client.get_me() for client in (trio.bot, trio.account, trio.customer)]
    assert bot.bot and bot.username == trio.bot_name
    assert account.id == trio.sandbox.scenario["operator"]["id"] and not account.bot
    assert customer.id == trio.customer_id


async def test_a_wrong_token_and_a_wrong_code_are_refused(trio: Trio) -> None:
    stranger = telethon(trio.sandbox)
    await stranger.connect()
    try:
        with pytest.raises(errors.AccessTokenInvalidError):
            await stranger.sign_in(bot_token="7100000001:" + "A" * 35)
        phone = trio.sandbox.scenario["operator"]["phone"]
        await stranger.send_code_request(phone)
        with pytest.raises(errors.PhoneCodeInvalidError):
            await stranger.sign_in(phone, "00000")
        with pytest.raises(errors.AuthKeyUnregisteredError):
            await stranger(functions.updates.GetStateRequest())
    finally:
        await stranger.disconnect()


async def test_a_message_and_its_answer(trio: Trio) -> None:
    to_bot = await heard(trio.bot, events.NewMessage(pattern="ping"))
    to_customer = await heard(trio.customer, events.NewMessage(incoming=True, pattern="pong"))
    await trio.customer.send_message(trio.bot_name, "ping **bold**")
    received = await soon(to_bot)
    assert received.sender_id == trio.customer_id
    assert isinstance(received.message.entities[0], types.MessageEntityBold)
    await received.reply("pong")
    answer = await soon(to_customer)
    assert answer.message.reply_to_msg_id is not None


async def test_a_pressed_button_and_its_answer(trio: Trio) -> None:
    pressed = await heard(trio.bot, events.CallbackQuery(data=b"plans"))
    await trio.bot.send_message(trio.customer_id, "Choose", buttons=[[Button.inline("Plans", b"plans")]])
    press = asyncio.create_task((await trio.newest()).click(0))
    query = await soon(pressed)
    await query.answer("Here they are", alert=True)
    answer = await press
    assert (answer.message, answer.alert) == ("Here they are", True)


async def test_edits_and_deletions_are_told(trio: Trio) -> None:
    edited = await heard(trio.customer, events.MessageEdited(pattern="second"))
    deleted = await heard(trio.customer, events.MessageDeleted())
    message = await trio.bot.send_message(trio.customer_id, "first")
    await message.edit("second")
    change = await soon(edited)
    assert change.message.edit_date is not None
    with pytest.raises(errors.MessageNotModifiedError):
        await message.edit("second")
    await message.delete()
    assert change.message.id in (await soon(deleted)).deleted_ids


async def test_the_account_joins_by_invitation_and_reads(trio: Trio) -> None:
    made = trio.sandbox.control("POST", "/chats", {"title": "For Telethon"})
    trio.sandbox.control("POST", "/posts", {"chat": made["chat_id"], "kind": "photo", "caption": "inside"})
    invitation = trio.sandbox.control("POST", "/invitations", {"chat": made["chat_id"]})
    preview = await trio.account(functions.messages.CheckChatInviteRequest(invitation["hash"]))
    assert preview.title == "For Telethon"
    joined = await trio.account(functions.messages.ImportChatInviteRequest(invitation["hash"]))
    assert isinstance(joined, types.messages.ChatInviteJoinResultOk)
    (post,) = await trio.account.get_messages(joined.updates.chats[0], limit=1)
    assert post.message == "inside"
    with pytest.raises(errors.UserAlreadyParticipantError):
        await trio.account(functions.messages.ImportChatInviteRequest(invitation["hash"]))
    with pytest.raises(errors.InviteHashInvalidError):
        await trio.account(functions.messages.CheckChatInviteRequest("AAAAAAAAAAAAAAAA"))
    with pytest.raises(errors.BotMethodInvalidError):
        await trio.bot(functions.messages.ImportChatInviteRequest(invitation["hash"]))


async def test_a_stranger_reads_no_private_channel(trio: Trio) -> None:
    made = trio.sandbox.control("POST", "/chats", {"title": "Closed"})
    channel = types.InputChannel(made["id"], 0)
    with pytest.raises((errors.ChannelInvalidError, errors.ChannelPrivateError)):
        await trio.customer(functions.channels.GetMessagesRequest(channel, [types.InputMessageID(1)]))


# Files


@pytest.mark.parametrize("name", ["photo1", "video1", "music1", "apk1"])
async def test_files_are_downloaded_whole(trio: Trio, name: str) -> None:
    data = await trio.account.download_media(await trio.post(name), bytes)
    assert sha256(data) == trio.link(name)["sha256"]


async def test_a_file_is_fetched_from_another_data_centre(trio: Trio) -> None:
    message = await trio.post("video3")
    assert message.video.dc_id == 4
    assert sha256(await trio.account.download_media(message, bytes)) == trio.link("video3")["sha256"]


async def test_a_thumbnail_is_a_picture(trio: Trio) -> None:
    message = await trio.post("video1")
    thumbnail = await trio.account.download_media(message, bytes, thumb=-1)
    assert picture.dimensions(thumbnail) is not None


@pytest.mark.parametrize("size", [100_000, 11 * MIB + 333])
async def test_an_upload_arrives_whole(trio: Trio, size: int) -> None:
    data = random.Random(size).randbytes(size)
    file = io.BytesIO(data)
    file.name = "upload.bin"
    await trio.bot.send_file(trio.customer_id, file, caption="**caption**", force_document=True)
    received = await trio.newest()
    assert received.message == "caption"
    assert received.file.name == "upload.bin"
    assert await trio.customer.download_media(received, bytes) == data


async def test_an_album_is_sent_as_one(trio: Trio) -> None:
    album = await heard(trio.customer, events.Album())
    photos = []
    for seed in (11, 12, 13):
        photo = io.BytesIO(picture.jpeg(seed, 320, 200))
        photo.name = f"{seed}.jpg"
        photos.append(photo)
    await trio.bot.send_file(trio.customer_id, photos, caption=["one", "two", "three"])
    received = await soon(album)
    assert [message.message for message in received.messages] == ["one", "two", "three"]
    for message, photo in zip(received.messages, photos, strict=True):
        assert await trio.customer.download_media(message, bytes) == photo.getvalue()


async def test_a_public_post_is_sent_on_by_reference(trio: Trio) -> None:
    before = trio.sandbox.control("GET", "/stats")["media_bytes_in"]
    await trio.bot.send_file(trio.customer_id, await trio.post("video2", trio.bot))
    assert sha256(await trio.customer.download_media(await trio.newest(), bytes)) == trio.link("video2")["sha256"]
    assert trio.sandbox.control("GET", "/stats")["media_bytes_in"] == before


async def test_what_another_account_sees_is_of_no_use(trio: Trio) -> None:
    seen_by_account = await trio.post("video2")
    with pytest.raises(errors.MediaEmptyError):
        await trio.bot.send_file(trio.customer_id, seen_by_account.media)
    protected = await trio.post("protected1", trio.bot)
    with pytest.raises(errors.ChatForwardsRestrictedError):
        await trio.bot.send_file(trio.customer_id, protected.media)


# Stars


async def test_an_invoice_is_paid_and_refunded(trio: Trio) -> None:
    charges = await heard(trio.bot, events.Raw(types.UpdateNewMessage))
    asked = await heard(trio.bot, events.Raw(types.UpdateBotPrecheckoutQuery))
    invoice = types.InputMediaInvoice(
        title="Premium",
        description="30 days",
        invoice=types.Invoice(currency="XTR", prices=[types.LabeledPrice("Premium", 500)]),
        payload=b"telethon-1",
        provider_data=types.DataJSON("{}"),
    )
    await trio.bot.send_message(trio.customer_id, file=invoice)
    offered = await trio.newest()
    assert offered.media.total_amount == 500 and offered.media.currency == "XTR"
    assert isinstance(offered.reply_markup.rows[0].buttons[0].type, types.InlineButtonTypeBuy)
    named = types.InputInvoiceMessage(await trio.customer.get_input_entity(trio.bot_name), offered.id)
    form = await trio.customer(functions.payments.GetPaymentFormRequest(named))
    assert isinstance(form, types.payments.PaymentFormStars)
    payment = asyncio.create_task(trio.customer(functions.payments.SendStarsFormRequest(form.form_id, named)))
    query = await soon(asked)
    await trio.bot(functions.messages.SetBotPrecheckoutResultsRequest(query.query_id, success=True))
    assert isinstance(await payment, types.payments.PaymentResult)
    while not isinstance(
        action := getattr((await soon(charges)).message, "action", None), types.MessageActionPaymentSentMe
    ):
        pass
    assert (action.payload, action.total_amount) == (b"telethon-1", 500)
    statement = functions.payments.GetStarsTransactionsRequest(types.InputPeerSelf(), "", 1)
    (line,) = (await trio.bot(statement)).history
    assert (line.id, line.amount.amount, line.bot_payload) == (action.charge.id, 500, b"telethon-1")
    customer = await trio.bot.get_input_entity(trio.customer_id)
    await trio.bot(functions.payments.RefundStarsChargeRequest(customer, action.charge.id))
    (line,) = (await trio.bot(statement)).history
    assert line.refund and line.amount.amount == -500
    with pytest.raises(errors.RPCError, match="CHARGE_ALREADY_REFUNDED"):
        await trio.bot(functions.payments.RefundStarsChargeRequest(customer, action.charge.id))


# Weather


async def test_what_was_missed_is_caught_up(trio: Trio) -> None:
    missed = await heard(trio.bot, events.NewMessage(pattern="while you were away"))
    await trio.bot.disconnect()
    for number in range(3):
        await trio.customer.send_message(trio.bot_name, f"while you were away {number}")
    await trio.bot.connect()
    await trio.bot.catch_up()
    assert [(await soon(missed)).raw_text[-1] for _ in range(3)] == ["0", "1", "2"]


async def test_memberships_come_with_qts_and_are_caught_up(trio: Trio) -> None:
    control = trio.sandbox.control
    heard_of = await heard(trio.bot, events.Raw(types.UpdateChannelParticipant))
    chat = await asyncio.to_thread(control, "POST", "/chats", {"title": "Telethon's"})
    before = await trio.bot(functions.updates.GetStateRequest())
    body = {"chat": chat["chat_id"], "user": trio.bot_name, "role": "admin"}
    await asyncio.to_thread(control, "POST", "/members", body)
    update = await soon(heard_of)
    assert (update.channel_id, update.qts) == (chat["id"], before.qts + 1)
    assert isinstance(update.new_participant, types.ChannelParticipantAdmin)
    difference = await trio.bot(functions.updates.GetDifferenceRequest(before.pts, before.date, before.qts))
    assert [type(one) for one in difference.other_updates] == [types.UpdateChannelParticipant]
    assert difference.state.qts == before.qts + 1


async def test_updates_in_other_wrappings_are_understood(trio: Trio) -> None:
    control = trio.sandbox.control
    messages = await heard(trio.customer, events.NewMessage(incoming=True))
    for packing in ("short", "combined", "too_long"):
        body = {"account": trio.customer_id, "packing": packing}
        await asyncio.to_thread(control, "POST", "/control/manners", body)
        await trio.bot.send_message(trio.customer_id, packing)
        assert (await soon(messages)).raw_text == packing
    await asyncio.to_thread(control, "DELETE", "/faults")


@pytest.mark.parametrize("wrong_s", [1000, -1000])
async def test_a_wrong_clock_is_put_right_by_the_server(trio: Trio, wrong_s: int) -> None:
    """Telegram answers such a message ``bad_msg_notification``, by which the library finds the time."""
    state = trio.customer._sender._state
    state.time_offset += wrong_s
    state._last_msg_id = 0
    assert (await trio.customer.get_me()).id == trio.customer_id
    assert abs(state.time_offset) < 60


async def test_posts_of_every_kind_are_understood(trio: Trio) -> None:
    kinds = {
        "button1": type(None),
        "paid1": types.MessageMediaPaidMedia,
        "cover1": types.MessageMediaDocument,
        "poll1": types.MessageMediaPoll,
        "giveaway1": types.MessageMediaGiveaway,
        "contact1": types.MessageMediaContact,
        "location1": types.MessageMediaGeo,
        "venue1": types.MessageMediaVenue,
        "dice1": types.MessageMediaDice,
        "todo1": types.MessageMediaToDo,
        "livephoto1": types.MessageMediaPhoto,
    }
    found = {}
    for name in kinds:
        chat, number = trio.link(name)["url"].rsplit("/", 2)[1:]
        found[name] = type((await trio.account.get_messages(chat, ids=int(number))).media)
    assert found == kinds


async def test_a_cover_is_fetched_with_its_video(trio: Trio) -> None:
    described = trio.link("cover1")
    media = (await trio.post("cover1")).media
    assert sha256(await trio.account.download_media(media.video_cover, file=bytes)) == described["cover_sha256"]
    assert (media.video_timestamp, len(media.alt_documents)) == (described["start"], described["qualities"])


async def test_a_frozen_account_is_told_so(trio: Trio) -> None:
    control = trio.sandbox.control
    await asyncio.to_thread(control, "POST", "/faults", {"fault": "freeze", "account": trio.customer_id})
    with pytest.raises(errors.RPCError, match="FROZEN_METHOD_INVALID|frozen"):
        await trio.customer.send_message(trio.bot_name, "/start")
    body = {"fault": "freeze", "account": trio.customer_id, "frozen": False}
    await asyncio.to_thread(control, "POST", "/faults", body)


async def test_a_flood_wait_is_slept_through_or_raised(trio: Trio) -> None:
    fault = {"fault": "flood_wait", "method": "messages.sendMessage", "account": trio.customer_id}
    trio.sandbox.control("POST", "/faults", {**fault, "seconds": 1})
    await trio.customer.send_message(trio.bot_name, "patient")
    assert (await trio.newest()).raw_text == "patient"
    trio.sandbox.control("POST", "/faults", {**fault, "method": "messages.setTyping", "seconds": 600})
    with pytest.raises(errors.FloodWaitError) as waiting:
        await trio.customer(functions.messages.SetTypingRequest(trio.bot_name, types.SendMessageTypingAction()))
    assert waiting.value.seconds == 600


async def test_a_reset_connection_comes_back(trio: Trio) -> None:
    trio.sandbox.control("POST", "/faults", {"fault": "reset", "account": trio.customer_id})
    await trio.customer.send_message(trio.bot_name, "after the reset")
    assert (await trio.newest()).raw_text == "after the reset"
