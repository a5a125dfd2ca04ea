"""Names, invitations and openings: what is asked of Telegram, how often, and what is remembered."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from daemon.transfer import lookups as looking_up
from daemon.transfer.pace import Rate
from models import database, outbox
from models.event_kinds import BudgetSpent, EventKind
from models.jobs import sources
from models.jobs.states import JobInfo, JobState
from models.tables import SourceOpening
from tests.sandbox_process import Sandbox
from tests.transfer_rig import Customer, Rig, customer, now, rig, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAME, CHECK = "contacts.resolveUsername", "messages.checkChatInvite"
WEEK = 7 * 86_400
FAST = Rate(0.001, 1000)


@pytest.fixture(scope="module")
def hurried() -> Iterator[None]:
    """Paces at which a test need not wait."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(looking_up, "OF_THE_BOT", dict.fromkeys(looking_up.OF_THE_BOT, (FAST, FAST)))
        patch.setattr(looking_up, "OF_THE_ACCOUNT", dict.fromkeys(looking_up.OF_THE_ACCOUNT, (FAST, FAST)))
        yield


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(
    sandbox: Sandbox, migrated: Path, hurried: None, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Rig]:
    """The transfers with a chat on the operator's list, and few joins a day."""
    path = tmp_path_factory.mktemp("lookups") / "peaje.db"
    shutil.copy(migrated, path)
    database.open_database(path)
    listed = {"title": "Listed", "username": "listed_by_name", "members": ["peaje_operator"]}
    sandbox.control("POST", "/chats", listed)
    settings = {
        "blocked_chats": frozenset({"@Listed_by_name", "nobody_has_this_yet"}),
        "jobs_per_customer": 10,
        "joins_per_day": 3,
    }
    async with rig(sandbox, path, **settings) as built:
        yield built
    database.close_database()


def calls(running: Rig, method: str) -> int:
    """How often a method was called, by whomever."""
    return int(running.control("GET", "/stats")["calls"].get(method, 0))


async def deliver_all(running: Rig, who: Customer, urls: list[str]) -> list[JobInfo]:
    """Ask for all at once, and wait for all."""
    asked = [await running.ask(who, url) for url in urls]
    return [await running.ended(job) for job in asked]


async def make_due(running: Rig, chat: int) -> None:
    """Let a week pass for the openings of a chat."""

    def rewind() -> None:
        SourceOpening.update(looked_at=now() - WEEK).where(SourceOpening.source == chat).execute()

    await running.database(rewind)


async def test_a_listed_chat_stays_blocked_under_another_name(running: Rig, lucia: Customer) -> None:
    # Given the chat of BLOCKED_CHATS was found at the start, and its owner renames it before anybody asks
    await until(lambda: running.database(sources.is_listed, sources.BLOCKED, "listed_by_name"))
    post = running.control("POST", "/posts", {"chat": "listed_by_name", "kind": "photo"})
    running.control("POST", "/chats", {"action": "edit", "chat": post["chat_id"], "username": "listed_renamed"})
    number = post["url"].rsplit("/", 1)[1]
    # Then it is blocked under that name, by its number, and for who holds an invitation
    for url in (f"https://t.me/listed_renamed/{number}", f"https://t.me/c/{post['chat_id']}/{number}"):
        assert (await running.deliver(lucia, url)).reason == "blocked"
    invitation = running.control("POST", "/invitations", {"chat": "listed_renamed"})["url"]
    assert (await running.deliver(lucia, invitation)).reason == "blocked"


async def test_a_listed_name_is_kept_at_first_sight(running: Rig, lucia: Customer) -> None:
    about = {"title": "Late", "username": "nobody_has_this_yet", "members": ["peaje_operator"]}
    chat = running.control("POST", "/chats", about)["id"]
    running.control("POST", "/posts", {"chat": chat, "kind": "photo"})
    assert (await running.deliver(lucia, "https://t.me/nobody_has_this_yet/1")).reason in ("blocked", "not_found")
    assert (await running.deliver(lucia, f"https://t.me/c/{chat}/1")).reason == "blocked"
    running.control("POST", "/chats", {"action": "edit", "chat": chat, "username": "harmless_name"})
    assert (await running.deliver(lucia, "https://t.me/harmless_name/1")).reason == "blocked"


async def test_bad_names_and_invitations_are_asked_for_once(running: Rig, lucia: Customer) -> None:
    before = calls(running, NAME), calls(running, CHECK)
    names = [f"https://t.me/nobody_at_all/{number}" for number in range(1, 6)]
    codes = ["https://t.me/+AAAAAAAAAAAAAAAB", "https://t.me/+AAAAAAAAAAAAAAAB/1", "https://t.me/+AAAAAAAAAAAAAAAB/2"]
    assert (await running.deliver(lucia, names[0])).reason == "not_found"
    assert {job.reason for job in await deliver_all(running, lucia, names)} == {"not_found"}
    for code in codes:
        assert (await running.deliver(lucia, code)).reason == "invite_invalid"
    assert (calls(running, NAME), calls(running, CHECK)) == (before[0] + 1, before[1] + 1)


async def test_who_looks_for_too_much_hears_once_and_others_go_on(running: Rig, lucia: Customer) -> None:
    async with customer(running, 3) as flooder, customer(running, 4) as other:
        before = calls(running, NAME) + calls(running, CHECK)
        names = [f"https://t.me/nobody_{number}_flood/1" for number in range(45)]
        codes = [f"https://t.me/+BBBBBBBBBBBBBB{number:02}" for number in range(15)]
        ended = await deliver_all(running, flooder, names + codes)
        assert calls(running, NAME) + calls(running, CHECK) == before + 40
        reasons = [job.reason for job in ended]
        assert reasons.count("lookups_spent") == 20
        told = [
            event
            for event in await running.database(outbox.due, now() + 60, 1000)
            if event.user_id == flooder.id and event.kind == EventKind.BUDGET_SPENT
        ]
        assert [event.read(BudgetSpent).purpose for event in told] == ["lookups"]
        # What is known already arrives, and other customers have budgets of their own
        assert (await running.deliver(other, "https://t.me/sandbox_gallery/1")).reason != "lookups_spent"
        assert (await running.deliver(flooder, "https://t.me/sandbox_gallery/1")).reason != "lookups_spent"
        assert (await running.deliver(other, "https://t.me/nobody_else_flood/1")).reason == "not_found"


async def test_names_that_exist_cost_nothing_of_the_budget(running: Rig, lucia: Customer) -> None:
    async with customer(running, 5) as someone:
        urls = []
        for number in range(45):
            chat = running.control("POST", "/chats", {"title": "Many", "username": f"many_{number}_chats"})["id"]
            running.control("POST", "/posts", {"chat": chat, "kind": "text", "caption": "hello"})
            urls.append(f"https://t.me/many_{number}_chats/1")
        assert {job.state for job in await deliver_all(running, someone, urls)} == {JobState.DONE}


async def test_a_paid_channel_is_not_opened_by_an_invitation(running: Rig, lucia: Customer) -> None:
    chat = running.control("POST", "/chats", {"title": "Paid"})["id"]
    running.control("POST", "/posts", {"chat": chat, "kind": "photo"})
    paid = running.control("POST", "/invitations", {"chat": chat, "price": 50})["url"]
    plain = running.control("POST", "/invitations", {"chat": chat})["url"]
    # Given the account is in it, with a subscription of its own
    until_then = now() + 30 * 86_400
    running.control("POST", "/members", {"chat": chat, "user": "peaje_operator", "subscribed_until": until_then})
    for invitation in (paid, plain, f"{paid}/1"):
        assert (await running.deliver(lucia, invitation)).reason == "invite_paid"
    assert (await running.deliver(lucia, f"https://t.me/c/{chat}/1")).reason == "no_access"


async def test_an_opening_ends_with_membership_where_it_is_seen(running: Rig, lucia: Customer) -> None:
    # Given a group in which both are, and which an invitation has opened
    about = {"title": "Seen", "megagroup": True, "members": ["peaje_operator", lucia.id]}
    chat = running.control("POST", "/chats", about)["id"]
    post = running.control("POST", "/posts", {"chat": chat, "kind": "photo"})
    invitation = running.control("POST", "/invitations", {"chat": chat})["url"]
    assert (await running.deliver(lucia, invitation)).state is JobState.DONE
    # Then it holds after a week, while she is in it
    await make_due(running, chat)
    assert (await running.deliver(lucia, post["url"])).state is JobState.DONE
    # When she is banned, it ends at the next look, and the invitation opens nothing any more
    running.control("POST", "/members", {"chat": chat, "user": lucia.id, "role": "banned"})
    assert (await running.deliver(lucia, post["url"])).state is JobState.DONE
    await make_due(running, chat)
    assert (await running.deliver(lucia, post["url"])).reason == "no_access"
    assert (await running.deliver(lucia, invitation)).reason == "not_member"
    # Until she is in it again
    running.control("POST", "/members", {"chat": chat, "user": lucia.id})
    assert (await running.deliver(lucia, invitation)).state is JobState.DONE
    assert (await running.deliver(lucia, post["url"])).state is JobState.DONE


async def test_an_opening_holds_where_members_are_not_seen(running: Rig, lucia: Customer) -> None:
    chat = running.control("POST", "/chats", {"title": "Unseen", "members": ["peaje_operator"]})["id"]
    post = running.control("POST", "/posts", {"chat": chat, "kind": "photo"})
    invitation = running.control("POST", "/invitations", {"chat": chat})["url"]
    assert (await running.deliver(lucia, invitation)).state is JobState.DONE
    await make_due(running, chat)
    assert (await running.deliver(lucia, post["url"])).state is JobState.DONE
    # But not once its invitation costs
    await make_due(running, chat)
    until_then = now() + 30 * 86_400
    running.control("POST", "/members", {"chat": chat, "user": "peaje_operator", "subscribed_until": until_then})
    await running.database(lambda: database.execute("UPDATE lookup SET again_at = 0"))
    assert (await running.deliver(lucia, post["url"])).reason == "no_access"


async def test_one_customer_does_not_use_up_the_joins_of_the_day(running: Rig, lucia: Customer) -> None:
    def invitation() -> str:
        chat = running.control("POST", "/chats", {"title": "Joinable"})["id"]
        return str(running.control("POST", "/invitations", {"chat": chat})["url"])

    # Given three joins a day
    assert (await running.deliver(lucia, invitation())).state is JobState.DONE
    assert (await running.deliver(lucia, invitation())).reason == "join_share"
    async with customer(running, 6) as other:
        assert (await running.deliver(other, invitation())).state is JobState.DONE


async def test_what_is_known_is_asked_for_by_nobody_after_a_restart(running: Rig, lucia: Customer) -> None:
    # Given a public chat and an invitation that were used, and Telegram that lets nobody look up anything
    chat = running.control(
        "POST", "/chats", {"title": "Known", "username": "well_known", "members": ["peaje_operator"]}
    )
    post = running.control("POST", "/posts", {"chat": "well_known", "kind": "document", "size": 3000})
    inside = running.control("POST", "/chats", {"title": "Inside", "members": ["peaje_operator"]})["id"]
    hidden = running.control("POST", "/posts", {"chat": inside, "kind": "photo"})
    invitation = running.control("POST", "/invitations", {"chat": inside})["url"]
    for url in (post["url"], invitation):
        assert (await running.deliver(lucia, url)).state is JobState.DONE
    for method in (NAME, CHECK):
        flood = {"fault": "flood_wait", "seconds": 3600, "count": None, "method": method}
        running.control("POST", "/faults", flood)
    # When everything starts anew, on the same database
    resolver = (await running.transfers._build_pipeline())[0]
    before = calls(running, NAME), calls(running, CHECK)
    channel, fresh = await resolver._by_bot.by_name(lucia.id, "well_known")
    assert (channel.id, fresh) == (chat["id"], False)
    checked = await resolver._invitations.check(lucia.id, invitation.rpartition("+")[2], now())
    assert checked.channel is not None and checked.channel.id == inside
    assert (calls(running, NAME), calls(running, CHECK)) == before
    assert (await running.deliver(lucia, hidden["url"])).state is JobState.DONE


async def test_a_flood_wait_is_not_prolonged_by_asking(running: Rig, lucia: Customer) -> None:
    flood = {"fault": "flood_wait", "seconds": 3600, "count": None, "method": NAME}
    running.control("POST", "/faults", flood)
    before = calls(running, NAME)
    asked = [await running.ask(lucia, f"https://t.me/unknown_{number}_flooded/1") for number in range(6)]

    async def all_wait() -> bool:
        return all([(await running.job(job)).not_before > now() + 1000 for job in asked])

    await until(all_wait)
    # The bot and the account have met it once each; who asked at the same moment may have, too
    assert calls(running, NAME) - before <= 2 * len(asked)
    more = await running.ask(lucia, "https://t.me/unknown_later_flooded/1")
    met = calls(running, NAME)
    await until(lambda: _waits(running, more))
    assert calls(running, NAME) == met
    for job in (*asked, more):
        await running.cancel(job)


async def _waits(running: Rig, job: JobInfo) -> bool:
    await asyncio.sleep(0.05)
    return (await running.job(job)).not_before > now() + 1000
