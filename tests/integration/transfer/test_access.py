"""Attacks: what the operator's account can read and this customer must not get."""

import asyncio
import logging

import pytest

from daemon.transfer import reader
from models.jobs import sources, usage
from models.jobs.states import JobInfo, JobState
from tests.store import joined_today
from tests.transfer_rig import Customer, Rig, customer, now, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("person1", "person"),
        ("login_code1", "not_found"),
        ("bot_dialog1", "person"),
        ("basic_group1", "no_access"),
        ("secret1", "no_access"),
        ("private1", "no_access"),
    ],
)
async def test_the_operators_mail_stays_theirs(running: Rig, lucia: Customer, name: str, reason: str) -> None:
    link = running.link(name)
    before = running.control("GET", "/stats")["calls"].get("messages.getMessages", 0)
    job = await running.deliver(lucia, link["url"])
    assert (job.state, job.reason) == (JobState.REFUSED, reason)
    assert running.control("GET", "/stats")["calls"].get("messages.getMessages", 0) == before
    assert await lucia.media() == []
    assert all(link.get("secret", "SECRET") not in message.message for message in await lucia.messages())


async def test_the_cache_does_not_cross_the_line(running: Rig, lucia: Customer) -> None:
    # Given Lucía has opened a private chat by her own invitation, and has had a post of it delivered
    invitation, post = running.link("invite_already1")["url"], running.link("private_document1")["url"]
    assert (await running.deliver(lucia, invitation)).state is JobState.DONE
    assert (await running.deliver(lucia, post)).state is JobState.DONE
    # When somebody else asks for the same post, which the bot holds now
    async with customer(running, 1) as mateo:
        job = await running.deliver(mateo, post)
        # Then he does not get it
        assert (job.state, job.reason) == (JobState.REFUSED, "no_access")
        assert await mateo.media() == []


async def test_a_text_cannot_lend_access_to_what_it_links_to(running: Rig, lucia: Customer) -> None:
    # Given a public text that links to a post of a private chat
    secret = running.link("secret1")["url"]
    post = running.control("POST", "/posts", {"chat": "library", "kind": "text", "caption": f"Look: {secret}"})
    # Then only the text arrives
    job = await running.deliver(lucia, post["url"])
    assert (job.state, job.kind) == (JobState.DONE, "text")
    assert await lucia.media() == []


async def test_a_text_does_not_wait_for_a_private_post_it_links(running: Rig, lucia: Customer) -> None:
    secret = running.link("secret1")["url"]
    post = running.control("POST", "/posts", {"chat": "library", "kind": "text", "caption": f"Look: {secret}"})
    # Given the account may not read for a minute
    flood = {"fault": "flood_wait", "seconds": 60, "count": 100, "account": "peaje_operator"}
    for method in ("channels.getMessages", "channels.getChannels", "messages.getDialogs"):
        running.control("POST", "/faults", {"method": method, **flood})
    # Then the text arrives all the same
    job = await running.deliver(lucia, post["url"], deadline_s=8)
    assert (job.state, job.kind) == (JobState.DONE, "text")


async def test_a_text_waits_for_a_private_post_open_to_its_reader(running: Rig, lucia: Customer) -> None:
    invitation, private = running.link("invite_already1")["url"], running.link("private_document1")["url"]
    assert (await running.deliver(lucia, invitation)).state is JobState.DONE
    post = running.control("POST", "/posts", {"chat": "library", "kind": "text", "caption": f"Look: {private}"})
    flood = {"fault": "flood_wait", "seconds": 60, "count": 100, "account": "peaje_operator"}
    running.control("POST", "/faults", {"method": "channels.getMessages", **flood})
    job = await running.ask(lucia, post["url"])
    await until(lambda: waits(running, job))
    running.control("DELETE", "/faults")
    await running.hurry(job)
    assert (await running.ended(job)).kind == "document"


async def waits(running: Rig, job: JobInfo) -> bool:
    present = await running.job(job)
    return present.state is JobState.QUEUED and present.not_before > 0


async def test_a_comment_link_reads_only_its_comment(running: Rig, lucia: Customer) -> None:
    # Given a message in the discussion group that belongs to no post
    stray = running.control("POST", "/posts", {"chat": "discussion", "kind": "document", "caption": "not a comment"})
    number = stray["url"].rsplit("/", 1)[1]
    job = await running.deliver(lucia, f"{running.link('discussed1')['url']}?comment={number}")
    assert (job.state, job.reason) == (JobState.REFUSED, "not_found")


async def test_a_comment_under_a_post_that_is_never_delivered_itself(running: Rig, lucia: Customer) -> None:
    # Given a post whose photo destroys itself, with a comment
    parent = running.link("discussed1")["url"]
    destroyed = {"action": "edit", "url": parent, "kind": "photo", "ttl_seconds": 2147483647}
    running.control("POST", "/posts", destroyed)
    try:
        assert (await running.deliver(lucia, parent)).state is JobState.REFUSED
        # Then the comment arrives
        job = await running.deliver(lucia, running.link("comment1")["url"])
        assert (job.state, job.kind) == (JobState.DONE, "photo")
    finally:
        running.control("POST", "/posts", {"action": "edit", "url": parent, "kind": "text"})


async def test_a_comment_that_does_not_exist_is_not_looked_for_again(running: Rig, lucia: Customer) -> None:
    job = await running.deliver(lucia, f"{running.link('discussed1')['url']}?comment=99999")
    assert (job.state, job.reason, job.attempts) == (JobState.REFUSED, "not_found", 1)


async def test_the_largest_number_of_a_post_is_looked_for(running: Rig, lucia: Customer) -> None:
    for chat in (running.link("photo1")["url"], running.link("secret1")["url"]):
        job = await running.deliver(lucia, f"{chat.rpartition('/')[0]}/{2**31 - 1}")
        assert (job.state, job.attempts) == (JobState.REFUSED, 1)


async def test_the_log_names_no_link_but_a_refused_one(
    running: Rig, lucia: Customer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="daemon.transfer")
    await running.deliver(lucia, running.link("comment1")["url"])
    await running.deliver(lucia, f"{running.link('discussed1')['url']}?comment=99999")
    named = {record.getMessage(): hasattr(record, "link") for record in caplog.records}
    assert (named["job.delivered"], named["job.refused"]) == (False, True)


@pytest.mark.parametrize("number", [1, 2, 9999])
async def test_nobody_learns_which_posts_a_private_chat_has(running: Rig, lucia: Customer, number: int) -> None:
    chat = running.link("secret1")["url"].rpartition("/")[0]
    running.control("POST", "/posts", {"chat": "secret", "kind": "photo", "ttl_seconds": 2147483647})
    assert (await running.deliver(lucia, f"{chat}/{number}")).reason == "no_access"


async def test_a_chat_opens_once_account_and_customer_are_in(running: Rig, lucia: Customer) -> None:
    # Given a private chat that nobody here knows
    chat = running.control("POST", "/chats", {"title": "Later"})["id"]
    post = running.control("POST", "/posts", {"chat": chat, "kind": "photo"})
    assert (await running.deliver(lucia, post["url"])).reason == "no_access"
    # When the account is added to it
    running.control("POST", "/members", {"chat": chat, "user": "peaje_operator"})
    await asyncio.sleep(reader.NEWEST_DIALOGS_EVERY_S)
    # Then it is still not open to everybody, but to whoever brings an invitation of his own
    assert (await running.deliver(lucia, post["url"])).reason == "no_access"
    invitation = running.control("POST", "/invitations", {"chat": chat})["url"]
    assert (await running.deliver(lucia, invitation)).state is JobState.DONE
    assert (await running.deliver(lucia, post["url"])).state is JobState.DONE


async def test_an_invitation_that_only_asks_opens_nothing(running: Rig, lucia: Customer) -> None:
    # Given an invitation that makes the account ask, and is sent twice before anybody has answered
    chat = running.control("POST", "/chats", {"title": "Asking"})["id"]
    post = running.control("POST", "/posts", {"chat": chat, "kind": "photo"})
    invitation = running.control("POST", "/invitations", {"chat": chat, "request_needed": True})["url"]
    day = usage.day_of(now(), running.settings.timezone)
    before = await running.database(joined_today, day)
    for _ in range(2):
        assert (await running.deliver(lucia, invitation)).reason == "join_requested"
    # Then it has taken none of the day's joins: requests are counted apart
    assert await running.database(joined_today, day) == before
    # And once the account was let in, who holds it hears the same, and reads nothing
    running.control("POST", "/members", {"chat": chat, "user": "peaje_operator"})
    assert (await running.deliver(lucia, invitation)).reason == "join_requested"
    assert (await running.deliver(lucia, post["url"])).reason == "no_access"
    # Until the operator opens the chat
    await running.database(sources.allow, chat, 42, now())
    assert (await running.deliver(lucia, post["url"])).state is JobState.DONE


@pytest.mark.parametrize("members", [[], ["peaje_operator"]])
async def test_an_invitation_to_a_blocked_chat_opens_nothing(running: Rig, lucia: Customer, members: list[str]) -> None:
    # Given a chat that the operator has blocked, with the account in it or not
    chat = running.control("POST", "/chats", {"title": "Blocked", "members": members})["id"]
    invitation = running.control("POST", "/invitations", {"chat": chat})["url"]
    await running.database(sources.block, chat, 42, now())
    # Then who brings an invitation to it hears that it is, and would read nothing if the operator changed his mind
    job = await running.deliver(lucia, invitation)
    assert (job.state, job.reason) == (JobState.REFUSED, "blocked")
    assert not await running.database(sources.is_open_for, lucia.id, chat)


@pytest.mark.parametrize("number", [4_400_000_001, 6_200_000_001, 7_100_000_002, 4_100_001])
async def test_an_id_of_a_person_bot_or_group_names_no_channel(running: Rig, lucia: Customer, number: int) -> None:
    for message_id in (1, 2, 4):
        job = await running.deliver(lucia, f"https://t.me/c/{number}/{message_id}")
        assert (job.state, job.reason) == (JobState.REFUSED, "no_access")
    assert await lucia.media() == []


async def test_a_public_chat_that_turned_private_is_closed_at_once(running: Rig, lucia: Customer) -> None:
    # Given a public chat of which posts were delivered, so that both clients and the cache know it
    chat = running.control(
        "POST", "/chats", {"title": "Was open", "username": "was_open", "members": ["peaje_operator"]}
    )
    post = running.control("POST", "/posts", {"chat": "was_open", "kind": "document", "size": 2000})
    assert (await running.deliver(lucia, post["url"])).state is JobState.DONE
    await lucia.forget()
    # When its owner makes it private
    running.control("POST", "/chats", {"action": "edit", "chat": chat["id"], "username": None})
    # Then neither its old name nor its number brings anything
    for url in (post["url"], f"https://t.me/c/{chat['id']}/1"):
        assert (await running.deliver(lucia, url)).state is JobState.REFUSED
    assert await lucia.media() == []


async def test_a_name_that_moved_leads_to_its_new_owner(running: Rig, lucia: Customer) -> None:
    # Given a chat that was known by a name
    old = running.control("POST", "/chats", {"title": "Old", "username": "moving", "members": ["peaje_operator"]})
    running.control("POST", "/posts", {"chat": "moving", "kind": "text", "caption": "the old owner's"})
    assert (await running.deliver(lucia, "https://t.me/moving/1")).state is JobState.DONE
    await lucia.forget()
    # When the name moves to another chat
    running.control("POST", "/chats", {"action": "edit", "chat": old["id"], "username": None})
    running.control("POST", "/chats", {"title": "New", "username": "moving"})
    running.control("POST", "/posts", {"chat": "moving", "kind": "text", "caption": "the new owner's"})
    # Then the link brings the new owner's post, and nothing of the old one's
    await running.deliver(lucia, "https://t.me/moving/1")
    texts = [message.message for message in await lucia.messages()]
    assert "the new owner's" in texts
    assert "the old owner's" not in texts


async def test_the_account_reads_what_a_group_hides_from_the_bot(running: Rig, lucia: Customer) -> None:
    # Given a public group that the bot is not in, so that it sees no message there
    running.control("POST", "/chats", {"title": "Talk", "username": "talk", "megagroup": True})
    post = running.control("POST", "/posts", {"chat": "talk", "kind": "document", "size": 2000})
    # Then the account is asked, for what is there and for what is not
    job = await running.deliver(lucia, post["url"])
    assert (job.state, job.reason) == (JobState.DONE, None)
    assert [await lucia.sha256(message) for message in await lucia.media()] == [post["sha256"]]
    assert (await running.deliver(lucia, "https://t.me/talk/99")).reason == "not_found"


async def test_a_channel_that_shuts_the_bot_out_is_still_read(running: Rig, lucia: Customer) -> None:
    # Given a public channel whose owner has banned the bot
    chat = running.control("POST", "/chats", {"title": "Shut", "username": "shut_out"})["id"]
    running.control("POST", "/members", {"chat": chat, "user": "peaje_sandbox_bot", "role": "banned"})
    post = running.control("POST", "/posts", {"chat": "shut_out", "kind": "document", "size": 2000})
    # Then what the bot was told of the name keeps nobody from it
    for _ in range(2):
        job = await running.deliver(lucia, post["url"])
        assert (job.state, job.reason) == (JobState.DONE, None)


async def test_a_name_that_nobody_has_is_looked_up_once(running: Rig, lucia: Customer) -> None:
    before = running.control("GET", "/stats")["calls"].get("contacts.resolveUsername", 0)
    assert (await running.deliver(lucia, "https://t.me/nobody_has_it/1")).reason == "not_found"
    assert running.control("GET", "/stats")["calls"]["contacts.resolveUsername"] == before + 1


async def test_a_chat_that_now_forbids_saving_is_declined(running: Rig, lucia: Customer) -> None:
    chat = running.control("POST", "/chats", {"title": "Turning", "username": "turning"})
    post = running.control("POST", "/posts", {"chat": "turning", "kind": "photo"})
    assert (await running.deliver(lucia, post["url"])).state is JobState.DONE
    running.control("POST", "/chats", {"action": "edit", "chat": chat["id"], "noforwards": True})
    assert (await running.deliver(lucia, post["url"])).reason == "protected"
