"""What goes wrong on a real connection: the file arrives once and whole, or the customer hears why and pays nothing."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest

from daemon.transfer import delivery, streaming, waits, worker
from daemon.transfer.datacentres import congestion, pool, sessions, transport
from models.jobs import cache, usage
from models.jobs.states import JobInfo, JobState
from tests.store import joined_today
from tests.transfer_rig import Customer, Rig, now, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

MIB = 1 << 20
SIZE = 16 * MIB + 5


def publish(running: Rig, chat: int, size: int = SIZE, **order: Any) -> dict[str, Any]:
    """A fresh document that has to be streamed."""
    post: dict[str, Any] = running.control("POST", "/posts", {"chat": chat, "kind": "document", "size": size, **order})
    return post


def strike(running: Rig, fault: str, **settings: Any) -> Any:
    return running.control("POST", "/faults", {"fault": fault, **settings})


def slow(running: Rig, megabytes_s: int = 8) -> None:
    """Make the connection slow enough to be in the middle of something."""
    running.control("POST", "/network", {"bandwidth": megabytes_s * MIB, "account": "peaje_operator"})


def moved(running: Rig) -> int:
    """How many bytes of files have left the server."""
    return sum(running.control("GET", "/stats")["media_bytes_out"].values())


async def in_the_middle(running: Rig, size: int = 6 * MIB) -> None:
    """Wait until *size* bytes more have left the server."""
    begun = moved(running)

    async def look() -> bool:
        return moved(running) - begun >= size

    await until(look)


async def put_back(running: Rig, job: JobInfo) -> JobInfo:
    """The job once it is in line again, until a moment that is known."""

    async def look() -> JobInfo | None:
        present = await running.job(job)
        return present if present.state is JobState.QUEUED and present.not_before else None

    waiting: JobInfo = await until(look)
    return waiting


async def arrived_once(running: Rig, lucia: Customer, job: JobInfo, post: dict[str, Any]) -> None:
    """The file is there, once, whole, and counted."""
    assert (job.state, job.reason) == (JobState.DONE, None)
    (message,) = await lucia.media()
    assert message.media.document.size == post["size"]
    (delivered,) = running.control("GET", f"/deliveries?customer={lucia.id}&after={lucia.after}")
    assert delivered["sha256"] == post["sha256"]
    assert await running.database(usage.of_job, job.id) == {"document": 1}


async def test_connections_reset_in_the_middle(running: Rig, lucia: Customer, private_chat: int) -> None:
    post = publish(running, private_chat)
    slow(running)
    job = await running.ask(lucia, post["url"])
    await in_the_middle(running)
    started = time.monotonic()
    strike(running, "reset")
    ended = await running.ended(job)
    await arrived_once(running, lucia, ended, post)
    assert time.monotonic() - started < 8  # no call waited out its whole time-out


@pytest.mark.parametrize("method", ["upload.getFile", "upload.saveBigFilePart"])
async def test_replies_dropped(running: Rig, lucia: Customer, private_chat: int, method: str) -> None:
    post = publish(running, private_chat)
    strike(running, "drop_reply", method=method, after=3, count=2)
    await arrived_once(running, lucia, await running.deliver(lucia, post["url"]), post)


@pytest.mark.parametrize("method", ["upload.getFile", "upload.saveBigFilePart"])
async def test_a_reply_that_cannot_be_read_is_not_waited_for(
    running: Rig, lucia: Customer, private_chat: int, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    for name in ("FIRST_TIMEOUT_S", "SHORTEST_TIMEOUT_S"):
        monkeypatch.setattr(congestion, name, 15.0)
    post = publish(running, private_chat)
    strike(running, "garble", method=method, after=3)
    started = time.monotonic()
    await arrived_once(running, lucia, await running.deliver(lucia, post["url"]), post)
    assert time.monotonic() - started < 10


async def test_a_call_that_alone_is_never_answered_gives_the_job_back(
    running: Rig, lucia: Customer, private_chat: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a piece of a file that never comes, from a server that is quick otherwise
    monkeypatch.setattr(pool, "MAX_TRIES", 3)
    monkeypatch.setattr(congestion, "LONGEST_TIMEOUT_S", 2.0)  # whatever time-out earlier tests have taught the pool
    post, other = publish(running, private_chat, size=4 * MIB), publish(running, private_chat, size=1000)
    await running.deliver(lucia, other["url"])
    for way in running.transfers._reading._pools.values():
        monkeypatch.setattr(way.window, "size", 1)  # as after many failures: the others are answered in between
    strike(running, "drop_request", method="upload.getFile", where={"offset": 2 * MIB}, count=None)
    job = await running.ask(lucia, post["url"])
    waiting = asyncio.create_task(put_back(running, job))
    # When it has been asked for a few times, while other files come at once
    while not waiting.done():
        other = publish(running, private_chat, size=1000)
        assert (await running.deliver(lucia, other["url"])).state is JobState.DONE
    # Then the job is in line again, and counts the attempt
    assert (await waiting).attempts == 1
    # And once the piece comes, the file does
    running.control("DELETE", "/faults")
    await lucia.forget()
    await running.hurry(job)
    await arrived_once(running, lucia, await running.ended(job), post)


@pytest.mark.parametrize("code", [400, 500])
async def test_the_reply_to_the_sending_itself_dropped(
    running: Rig, lucia: Customer, private_chat: int, code: int
) -> None:
    """The second call is answered with RANDOM_ID_DUPLICATE, under either code: delivered, once."""
    post = publish(running, private_chat, size=MIB)
    strike(running, "random_id_code", code=code)
    strike(running, "drop_reply", method="messages.sendMedia", count=1)
    await arrived_once(running, lucia, await running.deliver(lucia, post["url"]), post)
    assert running.control("GET", "/stats")["duplicates_refused"]


async def test_the_reply_to_the_end_of_an_upload_dropped(
    running: Rig, lucia: Customer, private_chat: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "CALL_TIMEOUT_S", 2.0)
    post = publish(running, private_chat, size=11 * MIB)
    strike(running, "drop_reply", method="messages.uploadMedia", count=1)
    await arrived_once(running, lucia, await running.deliver(lucia, post["url"]), post)


async def test_a_file_reference_expires_in_the_middle(running: Rig, lucia: Customer, private_chat: int) -> None:
    post = publish(running, private_chat)
    strike(running, "expire_references", url=post["url"], after_chunks=5)
    await arrived_once(running, lucia, await running.deliver(lucia, post["url"]), post)


async def test_fresh_references_refused_cost_an_attempt(running: Rig, lucia: Customer, private_chat: int) -> None:
    post = publish(running, private_chat)
    strike(running, "error", method="upload.getFile", code=400, error="FILE_REFERENCE_EXPIRED", count=10**6)
    before = running.control("GET", "/stats")["calls"].get("channels.getMessages", 0)
    job = await running.ask(lucia, post["url"])
    waiting = await put_back(running, job)
    assert waiting.attempts == 1
    assert running.control("GET", "/stats")["calls"]["channels.getMessages"] - before <= 1 + streaming.MAX_REFRESHES
    running.control("DELETE", "/faults")
    await running.hurry(job)
    await arrived_once(running, lucia, await running.ended(job), post)


async def test_a_file_of_another_data_centre(running: Rig, lucia: Customer, private_chat: int) -> None:
    post = publish(running, private_chat, dc=4)
    await arrived_once(running, lucia, await running.deliver(lucia, post["url"]), post)


async def test_a_file_that_has_moved_to_another_data_centre(running: Rig, lucia: Customer, private_chat: int) -> None:
    post = publish(running, private_chat)
    slow(running)
    job = await running.ask(lucia, post["url"])
    await in_the_middle(running)
    strike(running, "migrate_file", url=post["url"], dc=4)
    await arrived_once(running, lucia, await running.ended(job), post)


@pytest.mark.parametrize("state", ["uploaded", "missing"])
async def test_a_file_in_a_delivery_network_is_refused_plainly(
    running: Rig, lucia: Customer, private_chat: int, state: str
) -> None:
    post = publish(running, private_chat, size=2 * MIB)
    strike(running, "cdn", url=post["url"], state=state)
    refused = await running.deliver(lucia, post["url"])
    assert (refused.state, refused.reason) == (JobState.REFUSED, "file_refused")
    assert await lucia.media() == []
    strike(running, "cdn", url=post["url"], state=None)
    await arrived_once(running, lucia, await running.deliver(lucia, post["url"]), post)


@pytest.mark.parametrize(
    ("fault", "method"), [("flood_wait", "upload.getFile"), ("flood_premium_wait", "upload.saveBigFilePart")]
)
async def test_a_short_flood_wait_is_sat_out(
    running: Rig, lucia: Customer, private_chat: int, fault: str, method: str
) -> None:
    post = publish(running, private_chat)
    strike(running, fault, method=method, seconds=2, after=4, count=1)
    started = time.monotonic()
    job = await running.deliver(lucia, post["url"])
    await arrived_once(running, lucia, job, post)
    assert time.monotonic() - started >= 2
    assert job.attempts == 1


@pytest.mark.parametrize(
    ("fault", "method", "after"),
    [
        ("flood_wait", "upload.getFile", 4),
        ("flood_premium_wait", "upload.saveBigFilePart", 4),
        ("flood_wait", "messages.uploadMedia", 0),
        ("flood_wait", "messages.sendMedia", 0),
    ],
)
async def test_a_long_flood_wait_holds_no_slot(
    running: Rig, lucia: Customer, private_chat: int, fault: str, method: str, after: int
) -> None:
    # Given a file whose way meets a wait of a minute
    post, other = publish(running, private_chat), publish(running, private_chat, size=MIB)
    strike(running, fault, method=method, seconds=60, after=after, count=1)
    job = await running.ask(lucia, post["url"])
    # Then it goes back in line until then, at no cost of an attempt, and others are served meanwhile
    waiting = await put_back(running, job)
    assert 55 <= waiting.not_before - time.time() <= 61
    assert waiting.attempts == 0
    assert (await running.deliver(lucia, other["url"])).state is JobState.DONE
    # And once the time has come it goes on, and arrives once
    await lucia.forget()
    await running.hurry(job)
    await arrived_once(running, lucia, await running.ended(job), post)


@pytest.mark.parametrize("refusal", [(406, "AUTH_KEY_DUPLICATED"), (401, "SESSION_REVOKED")])
async def test_a_login_that_ends_refuses_nobody(
    running: Rig, lucia: Customer, private_chat: int, refusal: tuple[int, str]
) -> None:
    # Given an account whose login Telegram takes for ended as it reads a post
    post = publish(running, private_chat, size=MIB)
    code, error = refusal
    strike(running, "error", method="channels.getMessages", code=code, error=error, count=1)
    job = await running.ask(lucia, post["url"])
    # Then the job waits for the account, at no cost of an attempt
    assert (await put_back(running, job)).attempts == 0
    # And once the account reads again it is delivered
    await running.hurry(job)
    await arrived_once(running, lucia, await running.ended(job), post)


async def test_an_absence_long_ago_does_not_count_against_a_job(
    running: Rig, lucia: Customer, private_chat: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a job that was put back for the account, which has been there ever since
    monkeypatch.setattr(waits, "REFUSED_S", 1)
    monkeypatch.setattr(waits, "BREAK_S", 0.1)
    post = publish(running, private_chat, size=MIB)
    refusal = {"method": "channels.getMessages", "code": 401, "error": "SESSION_REVOKED"}
    strike(running, "error", **refusal)
    job = await running.ask(lucia, post["url"])
    await put_back(running, job)
    await asyncio.sleep(1.2)
    # When it is away for another moment
    strike(running, "error", **refusal)
    await running.hurry(job)
    # Then the job waits once more, and is delivered when the account is back
    await put_back(running, job)
    await running.hurry(job)
    await arrived_once(running, lucia, await running.ended(job), post)


async def test_a_link_waits_as_long_as_the_account_is_away(
    running: Rig, lucia: Customer, private_chat: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a job that has waited longer than an account that is up may refuse it
    monkeypatch.setattr(waits, "REFUSED_S", 0)
    post = publish(running, private_chat, size=MIB)
    strike(running, "error", method="channels.getMessages", code=401, error="SESSION_REVOKED", count=2)
    with monkeypatch.context() as away:
        away.setattr(running.transfers, "_clients", replace(running.transfers._clients, account_is_up=lambda: False))
        job = await running.ask(lucia, post["url"])
        await put_back(running, job)
        # When it is tried again and the account is still away, then it waits on
        await running.hurry(job)
        assert (await put_back(running, job)).attempts == 0
    # And once the account reads again it is delivered
    await running.hurry(job)
    await arrived_once(running, lucia, await running.ended(job), post)


@pytest.mark.parametrize("how", ["unregistered", "revoked", "404"])
async def test_a_login_lost_in_one_data_centre_is_replaced(
    running: Rig, lucia: Customer, private_chat: int, how: str
) -> None:
    # Given an account that has read in data centre 4, where its login is ended then
    await running.deliver(lucia, publish(running, private_chat, dc=4)["url"])
    assert strike(running, "revoke", account="peaje_operator", dc=4, how=how)["keys"]
    await lucia.forget()
    # Then the next file from there comes all the same, without a wait for the account
    post = publish(running, private_chat, dc=4)
    job = await running.deliver(lucia, post["url"])
    await arrived_once(running, lucia, job, post)
    assert job.not_before == 0, "it was never put back"


@pytest.mark.parametrize(("dc", "count"), [(2, 1), (4, None)])
async def test_a_login_refused_at_home_or_when_fresh_is_awaited(
    running: Rig, lucia: Customer, private_chat: int, dc: int, count: int | None
) -> None:
    # Given a login that is refused as it reads a file: at home once, in another data centre every fresh one too
    post = publish(running, private_chat, dc=dc)
    refusal = {"code": 401, "error": "AUTH_KEY_UNREGISTERED"}
    strike(running, "error", method="upload.getFile", account="peaje_operator", count=count, **refusal)
    job = await running.ask(lucia, post["url"])
    # Then the job waits for the account, at no cost of an attempt
    assert (await put_back(running, job)).attempts == 0
    # And once it reads again the file comes
    running.control("DELETE", "/faults")
    await running.hurry(job)
    await arrived_once(running, lucia, await running.ended(job), post)


@pytest.mark.parametrize(
    "refusal", [(406, "CHANNEL_PRIVATE"), (400, "CHANNEL_INVALID"), (403, "CHANNEL_PUBLIC_GROUP_NA")]
)
async def test_a_chat_that_closes_is_refused_at_once(
    running: Rig, lucia: Customer, private_chat: int, refusal: tuple[int, str]
) -> None:
    post = publish(running, private_chat, size=MIB)
    code, error = refusal
    strike(running, "error", method="channels.getMessages", code=code, error=error, count=1)
    job = await running.deliver(lucia, post["url"])
    assert (job.state, job.reason, job.attempts) == (JobState.REFUSED, "no_access", 1)


@pytest.mark.parametrize(
    ("fault", "settings"),
    [("flood_wait", {"seconds": 60}), ("error", {"code": 406, "error": "UPDATE_APP_TO_LOGIN"})],
)
async def test_a_retried_invitation_takes_one_of_the_days_joins(
    running: Rig, lucia: Customer, fault: str, settings: dict[str, Any]
) -> None:
    # Given an invitation that Telegram does not let the account follow now
    chat = running.control("POST", "/chats", {"title": "FloodWaitTooLong"})["id"]
    invitation = running.control("POST", "/invitations", {"chat": chat})["url"]
    day = usage.day_of(int(time.time()), running.settings.timezone)
    before = await running.database(joined_today, day)
    strike(running, fault, method="messages.importChatInvite", count=1, **settings)
    job = await running.ask(lucia, invitation)

    async def put_back() -> JobInfo | None:
        present = await running.job(job)
        return present if present.state is JobState.QUEUED and present.not_before else None

    # Then nothing of the day is used up by the refusal
    await until(put_back)
    assert await running.database(joined_today, day) == before
    # And once it works, one join is
    await running.hurry(job)
    assert (await running.ended(job)).state is JobState.DONE
    assert await running.database(joined_today, day) == before + 1


async def test_a_post_deleted_in_the_middle(running: Rig, lucia: Customer, private_chat: int) -> None:
    """Its bytes are refused from the moment that the reference has to be renewed."""
    post = publish(running, private_chat)
    slow(running)
    job = await running.ask(lucia, post["url"])
    await in_the_middle(running)
    running.control("POST", "/posts", {"action": "delete", "url": post["url"]})
    strike(running, "expire_references")
    ended = await running.ended(job)
    if ended.state is JobState.DONE:
        await arrived_once(running, lucia, ended, post)
    else:
        assert ended.reason == "not_found"
        assert await running.database(usage.of_job, job.id) == {}
        assert await lucia.media() == []


async def test_a_post_edited_in_the_middle_is_never_mixed(running: Rig, lucia: Customer, private_chat: int) -> None:
    # Given a transfer under way
    post = publish(running, private_chat)
    slow(running)
    job = await running.ask(lucia, post["url"])
    await in_the_middle(running)
    # When the post gets another file, and the old one's reference expires
    strike(running, "expire_references", url=post["url"])
    fresh = running.control(
        "POST",
        "/posts",
        {"action": "edit", "url": post["url"], "kind": "document", "size": SIZE - MIB, "caption": "new"},
    )
    ended = await running.ended(job)
    # Then one of the two arrives, whole
    assert ended.state is JobState.DONE
    (delivered,) = running.control("GET", f"/deliveries?customer={lucia.id}&after={lucia.after}")
    (message,) = await lucia.media()
    assert (delivered["sha256"], message.message) in ((post["sha256"], ""), (fresh["sha256"], "new"))
    assert await running.database(usage.of_job, job.id) == {"document": 1}


async def test_the_bot_is_blocked_in_the_middle(running: Rig, lucia: Customer, private_chat: int) -> None:
    post = publish(running, private_chat)
    slow(running)
    job = await running.ask(lucia, post["url"])
    await in_the_middle(running)
    behind = [await running.ask(lucia, publish(running, private_chat)["url"]) for _ in range(4)]
    strike(running, "block", user=lucia.id, blocks=lucia.bot_id)
    ended = await running.ended(job)
    strike(running, "block", user=lucia.id, blocks=lucia.bot_id, blocked=False)
    assert (ended.state, ended.reason) == (JobState.REFUSED, "unreachable")
    assert await running.database(usage.of_job, job.id) == {}
    # And what stood in line behind it is not fetched for nobody
    left = [await running.ended(one) for one in behind]
    assert {one.reason for one in left} == {"unreachable"}
    assert {one.state for one in left[1:]} == {JobState.CANCELLED}, "large files go two at a time"
    # And when he is back he can send again
    small = publish(running, private_chat, size=MIB)
    await arrived_once(running, lucia, await running.deliver(lucia, small["url"]), small)


async def test_a_black_hole_longer_than_any_time_out(
    running: Rig, lucia: Customer, private_chat: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, name in (
        (transport, "CONNECT_TIMEOUT_S"),
        (transport, "IDLE_TIMEOUT_S"),
        (sessions, "OPEN_TIMEOUT_S"),
        (congestion, "LONGEST_TIMEOUT_S"),
    ):
        monkeypatch.setattr(module, name, 0.4 * getattr(module, name))
    post = publish(running, private_chat)
    slow(running)
    job = await running.ask(lucia, post["url"])
    await in_the_middle(running)
    strike(running, "black_hole", seconds=8)
    ended = await running.ended(job)
    await arrived_once(running, lucia, ended, post)


async def test_connections_that_a_router_has_forgotten(running: Rig, lucia: Customer, private_chat: int) -> None:
    post = publish(running, private_chat, size=100 * MIB)
    slow(running, 20)
    job = await running.ask(lucia, post["url"])
    await in_the_middle(running)
    strike(running, "black_hole", seconds=90, account="peaje_sandbox_bot", deaf=True)
    running.control("DELETE", "/network")
    ended = await running.ended(job, 40)
    await arrived_once(running, lucia, ended, post)


async def test_cancelling_stops_a_transfer_within_a_second(running: Rig, lucia: Customer, private_chat: int) -> None:
    post = publish(running, private_chat, size=60 * MIB)
    slow(running, 4)
    job = await running.ask(lucia, post["url"])
    await in_the_middle(running, MIB)
    started = time.monotonic()
    await running.cancel(job)
    await until(running.is_idle)
    assert time.monotonic() - started < 1
    assert (await running.job(job)).state is JobState.CANCELLED
    await asyncio.sleep(0.2)
    still = sum(running.control("GET", "/stats")["media_bytes_in"].values())
    await asyncio.sleep(0.5)
    assert sum(running.control("GET", "/stats")["media_bytes_in"].values()) == still


async def test_ten_customers_at_once_are_one_fetch(running: Rig, lucia: Customer, private_chat: int) -> None:
    post = publish(running, private_chat, size=8 * MIB)
    slow(running)
    before = moved(running)
    jobs = [await running.ask(lucia, post["url"]) for _ in range(10)]
    ended = [await running.ended(job) for job in jobs]
    assert {job.state for job in ended} == {JobState.DONE}
    delivered = running.control("GET", f"/deliveries?customer={lucia.id}&after={lucia.after}")
    assert [one["sha256"] for one in delivered] == [post["sha256"]] * 10
    assert moved(running) - before == post["size"]


async def test_parts_that_the_server_lost_are_sent_again(running: Rig, lucia: Customer, private_chat: int) -> None:
    post = publish(running, private_chat, size=11 * MIB)
    strike(running, "error", method="messages.uploadMedia", code=400, error="FILE_PART_3_MISSING", count=1)
    await arrived_once(running, lucia, await running.deliver(lucia, post["url"]), post)


@pytest.mark.parametrize("refusal", ["MEDIA_EMPTY", "CHAT_FORWARDS_RESTRICTED", "FILE_REFERENCE_EXPIRED"])
async def test_a_public_post_refused_by_reference_is_streamed(running: Rig, lucia: Customer, refusal: str) -> None:
    post = running.control("POST", "/posts", {"chat": "library", "kind": "document", "size": 2 * MIB})
    begun = moved(running)
    strike(running, "error", method="messages.sendMedia", code=400, error=refusal)
    await arrived_once(running, lucia, await running.deliver(lucia, post["url"]), post)
    assert moved(running) - begun == post["size"]


@pytest.mark.parametrize("code", [400, 403])
async def test_a_refused_voice_message_is_told_and_the_file_stays(
    running: Rig, lucia: Customer, private_chat: int, code: int
) -> None:
    # Given a customer whose privacy settings keep voice messages out
    post = running.control("POST", "/posts", {"chat": private_chat, "kind": "voice"})
    strike(running, "error", method="messages.sendMedia", code=code, error="VOICE_MESSAGES_FORBIDDEN", count=1)
    begun = moved(running)
    # When he asks for one, then it is refused at once, for what it is
    job = await running.deliver(lucia, post["url"])
    assert (job.state, job.reason, job.attempts) == (JobState.REFUSED, "voice_forbidden", 1)
    # And what was fetched for him stays: once he has changed them it comes without a byte
    assert (await running.deliver(lucia, post["url"])).state is JobState.DONE
    assert moved(running) - begun == post["size"]


async def test_refusing_voice_messages_keeps_them_from_no_other(
    running: Rig, lucia: Customer, private_chat: int
) -> None:
    # Given two who wait for the same file, of whom the first takes no voice messages
    post = running.control("POST", "/posts", {"chat": private_chat, "kind": "voice", "size": 4 * MIB})
    slow(running)
    strike(running, "error", method="messages.uploadMedia", code=400, error="VOICE_MESSAGES_FORBIDDEN", count=1)
    jobs = [await running.ask(lucia, post["url"]) for _ in range(2)]
    first, second = [await running.ended(job) for job in jobs]
    # Then the second gets it
    assert (first.reason, second.state) == ("voice_forbidden", JobState.DONE)


@pytest.mark.parametrize(
    ("method", "error", "size"),
    [
        ("messages.sendMedia", "MEDIA_INVALID", MIB),
        ("messages.sendMedia", "MEDIA_INVALID", 2 * MIB),
        ("messages.uploadMedia", "PHOTO_INVALID_DIMENSIONS", 2 * MIB),
    ],
)
async def test_a_file_that_is_refused_when_fresh_is_refused_for_good(
    running: Rig, lucia: Customer, private_chat: int, method: str, error: str, size: int
) -> None:
    post = publish(running, private_chat, size=size)
    begun = moved(running)
    strike(running, "error", method=method, code=400, error=error, count=None)
    job = await running.deliver(lucia, post["url"])
    assert (job.state, job.reason, job.attempts) == (JobState.REFUSED, "file_refused", 1)
    assert moved(running) - begun == post["size"]
    assert await running.database(cache.get, lucia.bot_id, private_chat, post["message_id"], 0, now()) is None


async def test_an_error_that_is_not_the_files_fetches_it_once(
    running: Rig, lucia: Customer, private_chat: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "FIRST_RETRY_S", 1)
    post = publish(running, private_chat, size=MIB)
    begun = moved(running)
    strike(running, "error", method="messages.sendMedia", code=400, error="CHAT_RESTRICTED", count=2)
    await arrived_once(running, lucia, await running.deliver(lucia, post["url"]), post)
    assert moved(running) - begun == post["size"]


async def test_a_dead_file_is_forgotten_and_fetched_anew(running: Rig, lucia: Customer, private_chat: int) -> None:
    # Given a post that the bot holds, by a reference that has expired, and which cannot be fetched just now
    post = publish(running, private_chat, size=MIB)
    await running.deliver(lucia, post["url"])
    await lucia.forget()
    strike(running, "expire_references")
    strike(running, "flood_wait", method="upload.getFile", seconds=60)
    begun = moved(running)
    # When it is asked for again
    job = await running.ask(lucia, post["url"])
    await put_back(running, job)
    # Then the bot does not take it for held any more
    assert await running.database(cache.get, lucia.bot_id, private_chat, post["message_id"], 0, now()) is None
    # And it is fetched anew, and held from then on
    await running.hurry(job)
    await arrived_once(running, lucia, await running.ended(job), post)
    await lucia.forget()
    await arrived_once(running, lucia, await running.deliver(lucia, post["url"]), post)
    assert moved(running) - begun == post["size"]


@pytest.mark.parametrize("size", [MIB, 2 * MIB])
@pytest.mark.parametrize("method", ["messages.sendMedia", "messages.uploadMedia"])
async def test_a_fresh_file_with_an_expired_reference_is_refetched(
    running: Rig, lucia: Customer, private_chat: int, method: str, size: int
) -> None:
    """It says nothing of the file: somebody's references expire at any moment."""
    post = publish(running, private_chat, size=size)
    strike(running, "error", method=method, code=400, error="FILE_REFERENCE_EXPIRED", count=1)
    job = await running.deliver(lucia, post["url"])
    await arrived_once(running, lucia, job, post)


async def test_a_post_edited_between_two_looks_is_never_mixed(running: Rig, lucia: Customer) -> None:
    # Given a public post that the bot has seen, and whose file it may not send by reference
    post = running.control("POST", "/posts", {"chat": "library", "kind": "document", "size": MIB, "caption": "old"})
    strike(running, "error", method="messages.sendMedia", code=400, error="MEDIA_EMPTY", count=1)
    strike(running, "delay", method="channels.getMessages", seconds=1.5, account="peaje_sandbox_bot", count=1)
    job = await running.ask(lucia, post["url"])

    await asyncio.sleep(0.7)
    # When it is edited before the account looks
    fresh = running.control(
        "POST", "/posts", {"action": "edit", "url": post["url"], "kind": "document", "size": 2 * MIB, "caption": "new"}
    )
    assert (await running.ended(job)).state is JobState.DONE
    # Then a file comes with its own words
    (delivered,) = running.control("GET", f"/deliveries?customer={lucia.id}&after={lucia.after}")
    (message,) = await lucia.media()
    assert (delivered["sha256"], message.message) in ((post["sha256"], "old"), (fresh["sha256"], "new"))
