"""Files of one piece: read while the limits are looked at, and sent with the call that uploads them."""

from collections import Counter
from typing import Any

import pytest

from daemon.transfer.datacentres import pool
from models import database
from models.jobs import queue, usage
from models.jobs.states import JobInfo, JobState
from tests.transfer_rig import Customer, Rig, customer, now, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

MIB = 1 << 20
SMALL = 100_000


def publish(running: Rig, chat: int, kind: str = "document", size: int = SMALL, **order: Any) -> dict[str, Any]:
    post: dict[str, Any] = running.control("POST", "/posts", {"chat": chat, "kind": kind, "size": size, **order})
    return post


def strike(running: Rig, fault: str, **settings: Any) -> Any:
    return running.control("POST", "/faults", {"fault": fault, **settings})


def calls(running: Rig) -> Counter[str]:
    """The calls of everybody since the counters were last cleared, but for what keeps connections alive."""
    found = running.control("GET", "/stats")["calls"]
    kept = ("channels.", "upload.", "messages.sendM", "messages.uploadMedia", "messages.sendMultiMedia")
    return Counter({name: number for name, number in found.items() if name.startswith(kept)})


def bytes_moved(running: Rig) -> tuple[int, int]:
    """How many bytes of files were read from the server, and written to it, since the counters were last cleared."""
    stats = running.control("GET", "/stats")
    return sum(stats["media_bytes_out"].values()), sum(stats["media_bytes_in"].values())


def clear(running: Rig) -> None:
    running.control("DELETE", "/stats")


async def arrived_once(running: Rig, lucia: Customer, post: dict[str, Any]) -> None:
    (delivered,) = running.control("GET", f"/deliveries?customer={lucia.id}&after={lucia.after}")
    assert delivered["sha256"] == post["sha256"]


@pytest.mark.parametrize(
    ("kind", "size", "pieces", "parts"),
    [
        ("document", SMALL, 1, 1),
        ("document", MIB, 1, 2),
        ("photo", SMALL, 1, 1),
        ("music", SMALL, 1, 1),
        ("video", SMALL, 2, 2),  # with its thumbnail
        ("animation", MIB, 2, 3),
    ],
)
async def test_it_is_looked_at_read_and_sent(
    running: Rig, lucia: Customer, private_chat: int, kind: str, size: int, pieces: int, parts: int
) -> None:
    post = publish(running, private_chat, kind, size, caption="Señal", spoiler=kind == "photo")
    await running.deliver(lucia, publish(running, private_chat)["url"])
    await lucia.forget()
    clear(running)
    job = await running.deliver(lucia, post["url"])
    # Then nothing was asked for twice, and the message itself named the upload
    assert calls(running) == {
        "channels.getMessages": 1,
        "upload.getFile": pieces,
        "upload.saveFilePart": parts,
        "messages.sendMedia": 1,
    }
    assert (job.state, await running.database(usage.of_job, job.id)) == (JobState.DONE, {post_kind(kind): 1})
    await arrived_once(running, lucia, post)
    (message,) = await lucia.media()
    assert (message.message, bool(message.media.spoiler)) == ("Señal", kind == "photo")
    # And the bot holds it from then on
    clear(running)
    await running.deliver(lucia, post["url"])
    assert calls(running) == {"channels.getMessages": 1, "messages.sendMedia": 1}


def post_kind(kind: str) -> str:
    return {"animation": "video"}.get(kind, kind)


async def test_a_refused_link_reads_one_piece_and_uploads_nothing(
    running: Rig, lucia: Customer, private_chat: int
) -> None:
    async with customer(running, 6, level=0) as free:
        clear(running)
        job = await running.deliver(free, publish(running, private_chat, "apk", MIB)["url"])
        read, written = bytes_moved(running)
    assert (job.state, job.reason) == (JobState.HELD, "limit")
    assert (read <= MIB, written) == (True, 0)


FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("error", {"method": "upload.saveFilePart", "code": 500, "error": "RPC_CALL_FAIL"}),
    ("flood_wait", {"method": "upload.saveFilePart", "seconds": 1}),
    ("drop_request", {"method": "upload.saveFilePart"}),
    ("drop_request", {"method": "messages.sendMedia"}),
    ("drop_reply", {"method": "messages.sendMedia"}),
    ("garble", {"method": "messages.sendMedia"}),
    ("flood_wait", {"method": "messages.sendMedia", "seconds": 1}),
    ("error", {"method": "messages.sendMedia", "code": 400, "error": "FILE_PART_0_MISSING"}),
    ("error", {"method": "messages.sendMedia", "code": 400, "error": "MD5_CHECKSUM_INVALID"}),
    ("error", {"method": "messages.sendMedia", "code": 400, "error": "MSG_WAIT_FAILED"}),
    ("error", {"method": "messages.sendMedia", "code": 500, "error": "MSG_WAIT_FAILED"}),
    ("bad_message", {"method": "messages.sendMedia", "code": 16}),
    ("change_salt", {"account": "peaje_sandbox_bot"}),
]


@pytest.mark.parametrize(("fault", "settings"), FAULTS)
async def test_a_flight_that_fails_is_followed_by_the_ordinary_way(
    running: Rig,
    lucia: Customer,
    private_chat: int,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    settings: dict[str, Any],
) -> None:
    monkeypatch.setattr(pool, "FLIGHT_TIMEOUT_S", 2.0)
    post = publish(running, private_chat)
    strike(running, fault, **settings)
    clear(running)
    job = await running.deliver(lucia, post["url"])
    # Then it is there once, was counted once, took one attempt, and was read once
    assert (job.state, job.reason, job.attempts) == (JobState.DONE, None, 1)
    await arrived_once(running, lucia, post)
    assert await running.database(usage.of_job, job.id) == {"document": 1}
    assert bytes_moved(running)[0] == post["size"]


async def test_nothing_is_sent_whose_parts_did_not_arrive(running: Rig, lucia: Customer, private_chat: int) -> None:
    """A server may take calls that come together in any order; what is asked for says which is before which."""
    post = publish(running, private_chat)
    strike(running, "error", method="upload.saveFilePart", code=500, error="RPC_CALL_FAIL")
    before = running.control("GET", "/stats")["errors"]

    await running.deliver(lucia, post["url"])

    after = running.control("GET", "/stats")["errors"]
    seen = {name: number - before.get(name, 0) for name, number in after.items() if number != before.get(name, 0)}
    assert seen == {"RPC_CALL_FAIL": 1, "MSG_WAIT_FAILED": 1}


async def test_connections_reset_in_the_flight(running: Rig, lucia: Customer, private_chat: int) -> None:
    post = publish(running, private_chat)
    strike(running, "delay", method="messages.sendMedia", seconds=2)
    clear(running)
    job = await running.ask(lucia, post["url"])

    async def flies() -> bool:
        return bool(calls(running)["messages.sendMedia"])

    await until(flies)
    strike(running, "reset", account="peaje_sandbox_bot")
    assert (await running.ended(job)).state is JobState.DONE
    await arrived_once(running, lucia, post)


async def test_what_an_earlier_attempt_has_sent_is_not_sent_again(
    running: Rig, lucia: Customer, private_chat: int
) -> None:
    # Given a job that has sent its file and not its second message, and whose post is shorter now
    post = publish(running, private_chat)

    def half_sent() -> JobInfo:
        new = queue.NewJob(user_id=lucia.id, chat_id=lucia.id, link=post["url"], dedupe="half sent")
        job = queue.enqueue(new, 1000, now())
        assert isinstance(job, JobInfo)
        database.execute("""UPDATE job SET random_ids = '[7, 8]', sent = '{"7": 5}' WHERE id = ?""", (job.id,))
        return job

    clear(running)
    job = await running.database(half_sent)
    running.wakeup.wake()
    # Then it ends as delivered, and nothing is written to Telegram
    ended = await running.ended(job)
    assert (ended.state, dict(ended.sent)) == (JobState.DONE, {7: 5})
    assert await lucia.media() == []
    assert bytes_moved(running)[1] == 0


async def test_several_who_want_it_at_once_read_it_once(running: Rig, lucia: Customer, private_chat: int) -> None:
    post = publish(running, private_chat, size=MIB)
    strike(running, "delay", method="upload.getFile", seconds=0.5)
    clear(running)
    jobs = [await running.ask(lucia, post["url"]) for _ in range(5)]
    ended = [await running.ended(job) for job in jobs]
    assert {job.state for job in ended} == {JobState.DONE}
    delivered = running.control("GET", f"/deliveries?customer={lucia.id}&after={lucia.after}")
    assert [one["sha256"] for one in delivered] == [post["sha256"]] * 5
    assert bytes_moved(running) == (MIB, MIB)


async def test_who_leaves_does_not_take_it_from_others(running: Rig, lucia: Customer, private_chat: int) -> None:
    # Given two who wait for the same file
    post = publish(running, private_chat)
    strike(running, "delay", method="upload.getFile", seconds=2)
    leading = await running.ask(lucia, post["url"])

    async def reads() -> bool:
        return bool(running.control("GET", "/stats")["outstanding"].get("upload.getFile"))

    await until(reads)
    waiting = await running.ask(lucia, post["url"])
    # When the one for whom it is being read cancels
    await running.cancel(leading)
    # Then the other gets it, and only they
    assert (await running.ended(leading)).state is JobState.CANCELLED
    assert (await running.ended(waiting)).state is JobState.DONE
    await arrived_once(running, lucia, post)


async def test_an_album_is_moved_side_by_side(running: Rig, lucia: Customer, private_chat: int) -> None:
    post = publish(running, private_chat, "album", items="photo", count=5)
    for method in ("upload.getFile", "messages.uploadMedia"):
        strike(running, "delay", method=method, seconds=0.3, count=5)
    clear(running)
    job = await running.deliver(lucia, post["url"])
    assert job.state is JobState.DONE
    most = running.control("GET", "/stats")["max_outstanding"]
    assert (most["upload.getFile"], most["messages.uploadMedia"]) == (5, 5)
    delivered = running.control("GET", f"/deliveries?customer={lucia.id}&after={lucia.after}")
    assert [one["sha256"] for one in delivered] == [item["sha256"] for item in post["items"]]


async def test_where_the_bot_sees_nothing_the_account_looks_beside_it(running: Rig, lucia: Customer) -> None:
    # Given a group whose posts the bot has not been able to see
    link = running.link("group_post1")["url"]
    await running.deliver(lucia, link)
    # When another link leads there, then both look at once
    strike(running, "delay", method="channels.getMessages", seconds=0.5, count=2)
    clear(running)
    assert (await running.deliver(lucia, link)).state is JobState.DONE
    assert running.control("GET", "/stats")["max_outstanding"]["channels.getMessages"] == 2
