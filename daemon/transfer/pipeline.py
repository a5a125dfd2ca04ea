"""The steps of one job: find the post, check the limits, deliver the post the cheapest way that works."""

import asyncio
import contextlib
import dataclasses
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from config.settings import Settings
from daemon.database import Database
from daemon.telegram import links
from daemon.telegram.links import InviteLink, PostLink
from daemon.transfer.delivery import Delivery, MediaRefused, Message, ReferenceExpired, plan
from daemon.transfer.errors import (
    PermanentFailure,
    RetryLater,
    SourceChanged,
)
from daemon.transfer.fetch import Fetcher
from daemon.transfer.media.items import MAX_BYTES, name_of
from daemon.transfer.media.stored_files import StoredFile
from daemon.transfer.reader import Post
from daemon.transfer.resolver import Customer, Found, Resolver
from daemon.transfer.run import Run, Track
from daemon.transfer.single_flight import SingleFlight
from daemon.transfer.small_files import FINAL, FLIGHT_ERRORS, SmallFile, first_that_works, may_go_at_once
from models.catalogue import Catalogue
from models.database import transaction
from models.errors import LeaseLost
from models.event_kinds import InvitationFollowed, JobHeld, OverLimit, TooLarge
from models.jobs import batches, blocked_posts, cache, holding, queue, usage
from models.jobs.cache import CachedInfo
from models.jobs.queue import Delivered
from models.jobs.reasons import RefusalReason
from models.jobs.states import JobInfo
from models.jobs.usage import Needs, Room
from models.money import access
from models.promotion import codes

logger = logging.getLogger(__name__)

MAX_CHANGES = 3
REFERENCE_RETRY_S = 1.0


class LimitReached(Exception):
    """A limit of the customer's plan holds the job: it stays open, alone or with its batch.

    Of a customer who has paid meanwhile it is queued again, not held.
    """


@dataclass(frozen=True)
class _Over:
    """A reservation that was refused, under a plan with files of up to so many bytes."""

    refused: usage.Refused
    max_bytes: int


@dataclass(frozen=True)
class Fetched:
    """Files that the bot can send, and what was sent with their upload: random id -> message id.

    No file where Telegram had that message already, and so does not say what it holds.
    """

    stored: tuple[StoredFile, ...]
    sent: Mapping[int, int] = field(default_factory=dict)


class Pipeline:
    """Delivers jobs."""

    def __init__(
        self,
        resolver: Resolver,
        fetcher: Fetcher,
        delivery: Delivery,
        database: Database,
        settings: Settings,
        catalogue: Catalogue,
    ) -> None:
        self._resolver, self._fetcher, self._delivery = resolver, fetcher, delivery
        self._database, self._settings, self._catalogue = database, settings, catalogue
        self._fetches = SingleFlight()
        self._tracks: dict[object, Track] = {}
        self._early: dict[Hashable, asyncio.Event] = {}

    async def deliver(self, run: Run) -> None:
        """Deliver a job and record that it is done.

        :raises PermanentFailure: the link will not be delivered.
        :raises RetryLater: the job cannot go on now.
        :raises LimitReached: a limit holds the job.
        :raises RecipientUnreachable: the bot cannot write to the customer.
        :raises LeaseLost: this worker no longer has the job.
        """
        link = links.read(run.job.link)
        if isinstance(link, PostLink) and not isinstance(link.chat, str) and self._resolver.account_is_up():
            self._fetcher.warm()  # what only the account can read is fetched
        level = (await self._database(access.of, run.job.user_id, _now())).level
        customer = Customer(run.job.user_id, paying=level > 0)
        if isinstance(link, InviteLink):
            await self._follow_invitation(run, customer, link)
        elif isinstance(link, PostLink):
            await self._deliver_post(run, customer, link)
        else:
            raise PermanentFailure(link.reason if isinstance(link, links.Refused) else RefusalReason.NOT_A_POST)

    async def _follow_invitation(self, run: Run, customer: Customer, link: InviteLink) -> None:
        channel, joined = await self._resolver.follow(customer, link.hash)
        followed = InvitationFollowed(invitation="joined" if joined else "already_member", chat=channel.title)
        await self._database(queue.finish, run.job.id, str(run.job.owner), Delivered(detail=followed.stored()), _now())

    async def _deliver_post(self, run: Run, customer: Customer, link: PostLink) -> None:
        for _ in range(MAX_CHANGES):
            found = await self._resolver.find(customer, link)
            await self._refuse_blocked(found.post)
            try:
                return await self._deliver(run, found)
            except SourceChanged as change:
                logger.info("job.restarted", extra=_fields(run) | {"reason": str(change)})
        raise RetryLater(5, "the post keeps changing", counts=True)

    async def _refuse_blocked(self, post: Post) -> None:
        """Refuse a post that the operator has blocked, by its place or by a file of it.

        :raises PermanentFailure: it is blocked.
        """
        if await self._database(blocked_posts.meets, post.contents):
            raise PermanentFailure(RefusalReason.POST_BLOCKED)

    async def _deliver(self, run: Run, found: Found) -> None:
        """Deliver a post. A small file that has to be fetched is being read while the limits are looked at."""
        post, messages = found.post, plan(found.post)
        cached = await self._cached(post) if post.items else ()
        async with self._read_early(found, messages, cached) as small:
            random_ids = await self._reserve(run, post, sum(message.count for message in messages))
            outcome = Delivered()
            if not post.items:
                await self._send(run, messages, (), random_ids)
            elif not await self._send_stored(run, found, (cached, found.stored), messages=messages, ids=random_ids):
                outcome = await self._fetch_and_send(run, found, messages, random_ids, small=small)
        names = Counter(name_of(item) for item in post.items) or post.kinds
        detail = {"kind": _kind(post), "size": post.size, "chat": post.channel.title, "names": names}
        await self._database(
            queue.finish, run.job.id, str(run.job.owner), dataclasses.replace(outcome, detail=detail), _now()
        )
        logger.info("job.delivered", extra=_fields(run) | {"bytes": post.size})

    @contextlib.asynccontextmanager
    async def _read_early(
        self, found: Found, messages: Sequence[Message], cached: Sequence[StoredFile]
    ) -> AsyncIterator[SmallFile | None]:
        """Begin to read a file that can be sent with the call that uploads it, where nobody is fetching it."""
        post, key = found.post, _key(found.post)
        alone = len(post.items) == len(messages) == 1 and not cached and not found.stored
        is_read = self._fetches.is_under_way(key) or key in self._early
        if not alone or is_read or not may_go_at_once(post.items[0]):
            yield None
            return
        early = self._early[key] = asyncio.Event()
        try:
            async with self._fetcher.reading(post, post.items[0]) as small:
                yield small
        finally:
            if self._early.get(key) is early:
                self._no_longer_early(key)

    def _no_longer_early(self, key: Hashable) -> None:
        """Let those go on who wait for a file that is read early: now it is being fetched, or is not read any more."""
        if early := self._early.pop(key, None):
            early.set()

    async def _reserve(self, run: Run, post: Post, messages: int) -> list[int]:
        """Reserve the post in the customer's limits; return the random ids of its messages.

        :raises PermanentFailure: the post is too large, or a limit leaves no room for it, and nothing on sale does.
        :raises LimitReached: a limit holds the job, or the batch that it is part of.
        """
        largest = max((item.size for item in post.items), default=0)
        if largest > MAX_BYTES:
            raise PermanentFailure(RefusalReason.TOO_LARGE_FOR_BOTS, TooLarge(size=largest, limit=MAX_BYTES))
        answer = await self._database(_reserve_and_plan, run.job, post, self._room(run), messages)
        if isinstance(answer, _Over):
            await self._limit_reached(run, answer.refused, _needs(post), answer.max_bytes)
        return answer

    def _room(self, run: Run) -> Callable[[], Room]:
        """What the customer has when that is asked: they may have paid, or taken their money back, since the start."""
        plans, tz = self._catalogue.plans, self._settings.timezone
        return lambda: usage.room_of(run.job.user_id, plans, tz, _now())

    async def _limit_reached(self, run: Run, refused: usage.Refused, needs: Needs, max_bytes: int) -> NoReturn:
        """Hold the job where something on sale would bring its post, or else refuse it."""
        reason, detail = _why(refused, needs, max_bytes)
        if run.job.batch_id is not None and isinstance(detail, OverLimit) and detail.limit:
            await self._database(
                batches.hold,
                run.job.id,
                str(run.job.owner),
                detail,
                now=_now(),
                needs=needs,
                room=self._room(run),
            )
            raise LimitReached
        held = JobHeld(
            job=run.job.id,
            reason=reason,
            detail=detail.stored(),
            kind=refused.kind,
            missing=refused.missing,
            wants=dict(needs.wants),
            largest=dict(needs.largest),
        )
        if await self._is_offered(run.job.user_id, held):
            if await self._database(holding.hold, str(run.job.owner), held, _now(), self._room(run)):
                logger.info("job.held", extra=_fields(run) | {"reason": reason})
            raise LimitReached
        raise PermanentFailure(reason, detail)

    async def _is_offered(self, user_id: int, held: JobHeld) -> bool:
        """Whether anything would bring the customer the post, the trial among it."""
        offers = holding.offers(self._catalogue.plans, held)
        offers = await self._database(codes.offers_to, user_id, offers, self._settings.secret_key)
        return bool(offers.articles or offers.trial)

    async def _send_stored(
        self,
        run: Run,
        found: Found,
        known: Sequence[Sequence[StoredFile]],
        *,
        messages: Sequence[Message],
        ids: Sequence[int],
    ) -> bool:
        """Try to send without moving bytes: from the cache, then by the reference that the bot has seen. True: sent."""
        post = found.post
        for stored in known:
            if len(stored) != len(post.items):
                continue
            try:
                await self._send(run, messages, stored, ids)
            except MediaRefused as refusal:
                logger.info("reference.refused", extra=_fields(run) | {"reason": str(refusal)})
                await self._database(queue.unsent, run.job.id, str(run.job.owner), _now())
                await self._database(cache.drop, self._settings.bot_id, post.channel.id, post.message_id)
            else:
                return True
        return False

    async def _fetch_and_send(
        self,
        run: Run,
        found: Found,
        messages: Sequence[Message],
        random_ids: Sequence[int],
        *,
        small: SmallFile | None,
    ) -> Delivered:
        """Fetch the files and send them. A file that Telegram refuses after that is refused for good.

        :return: what is to be recorded with the end of the job.
        :raises PermanentFailure: Telegram refuses a file, or the post was blocked meanwhile.
        :raises RetryLater: only the file reference has expired meanwhile.
        """
        post = found.post
        try:
            seen = await self._as_the_account_sees(found)
            if small is None and (early := self._early.get(_key(seen))):
                await early.wait()  # for the job that reads the file, until it leads or gives up
            if small is not None and self._fetches.is_under_way(_key(seen)):
                await small.drop()  # whoever waits for another job holds nothing that one might need
                small = None
                self._no_longer_early(_key(seen))
            fetched = await self._fetch(run, seen, lambda: self._lead(run, seen, messages, random_ids, small=small))
            if not fetched.sent:
                await self._refuse_blocked(post)  # that took a while
                await self._send(run, messages, fetched.stored, random_ids)
                return Delivered()
        except MediaRefused as refusal:
            logger.warning("file.refused", extra=_fields(run) | {"reason": str(refusal)})
            await self._database(cache.drop, self._settings.bot_id, post.channel.id, post.message_id)
            if isinstance(refusal, ReferenceExpired):
                raise RetryLater(REFERENCE_RETRY_S, "a fresh reference has expired", counts=True) from refusal
            raise PermanentFailure(RefusalReason.FILE_REFUSED) from refusal
        return Delivered(sent=fetched.sent, cached=self._to_keep(post, fetched.stored) if fetched.stored else None)

    async def _lead(
        self,
        run: Run,
        post: Post,
        messages: Sequence[Message],
        random_ids: Sequence[int],
        *,
        small: SmallFile | None,
    ) -> Fetched:
        """Fetch the files for all who wait for them."""
        if small is None:
            return await self._kept(post, await self._fetcher.fetch(post, run, run.track or Track(post.size)))
        self._no_longer_early(_key(post))
        await small.arrive()
        await self._refuse_blocked(post)  # that took a while
        fetched: Fetched = await first_that_works(
            run.job,
            lambda: self._send_at_once(run, small, messages[0], random_ids[0]),
            lambda: self._upload(run, small, post),
        )
        return fetched

    async def _send_at_once(self, run: Run, small: SmallFile, message: Message, random_id: int) -> Fetched:
        """Send a small file with the call that uploads it, unless an earlier attempt has sent its message.

        :raises LeaseLost: the job was cancelled or belongs to another worker.

        Otherwise raises :data:`~daemon.transfer.small_files.FLIGHT_ERRORS`.
        """
        owner, now = str(run.job.owner), _now()
        job = await self._database(queue.delivering, run.job.id, owner, now)
        if random_id in job.sent:
            return Fetched((), {random_id: job.sent[random_id]})
        try:
            sent, stored = await self._delivery.send_new(
                job.chat_id, message, small.media(), random_id, call=small.call
            )
        except (OSError, *FINAL):
            raise  # the message may have been sent, or will not be
        except FLIGHT_ERRORS:
            await self._database(queue.unsent, run.job.id, owner, now)
            raise
        return Fetched((stored,) if stored else (), sent)

    async def _upload(self, run: Run, small: SmallFile, post: Post) -> Fetched:
        return await self._kept(post, (await self._fetcher.upload(small, run),))

    async def _kept(self, post: Post, stored: tuple[StoredFile, ...]) -> Fetched:
        await self._database(_keep, self._to_keep(post, stored))
        return Fetched(stored)

    async def _cached(self, post: Post) -> tuple[StoredFile, ...]:
        kept = await self._database(
            cache.get,
            self._settings.bot_id,
            post.channel.id,
            post.message_id,
            post.edit_date,
            now=_now(),
            single=post.single,
        )
        return tuple(StoredFile.read(row) for row in kept.items) if kept else ()

    async def _send(
        self, run: Run, messages: Sequence[Message], stored: Sequence[StoredFile], random_ids: Sequence[int]
    ) -> None:
        """Send the messages that have not been sent yet, and record each."""
        job = await self._database(queue.delivering, run.job.id, str(run.job.owner), _now())
        left = iter(random_ids)
        for message in messages:
            ids = [next(left) for _ in range(message.count)]
            if not job.sent.keys() >= set(ids):
                sent = await self._delivery.send(job.chat_id, message, stored, ids)
                await self._database(queue.sent, job.id, sent)

    async def _as_the_account_sees(self, found: Found) -> Post:
        """The post with locations that the account can read, where the bot found the post."""
        if not found.stored:
            return found.post
        seen = await self._resolver.reread(found.post)
        if (seen.edit_date, _files(seen)) != (found.post.edit_date, _files(found.post)):
            raise SourceChanged("the post was edited")
        return seen

    async def _fetch(self, run: Run, post: Post, lead: Callable[[], Coroutine[Any, Any, Fetched]]) -> Fetched:
        """Fetch the files to the bot. Jobs that want the same files at the same time share one fetch.

        :param lead: fetches them, where nobody does yet. What it has sent went to the customer of that job alone.
        """
        run.set_size(post.size)
        key = _key(post)
        while True:
            leads = not self._fetches.is_under_way(key)
            run.track = self._tracks[key] = Track(post.size) if leads else self._tracks[key]
            try:
                fetched: Fetched = await self._fetches.join(key, lead)
                if leads:
                    return fetched
                if fetched.stored:
                    return Fetched(fetched.stored)
            except (*FINAL, LeaseLost):
                if leads:
                    raise
                # The fetch was led by a job whose customer has blocked the bot, takes no voice messages, or has
                # cancelled: fetch again for this customer.
            finally:
                if not self._fetches.is_under_way(key):
                    self._tracks.pop(key, None)

    def _to_keep(self, post: Post, stored: Sequence[StoredFile]) -> CachedInfo:
        return CachedInfo(
            bot_id=self._settings.bot_id,
            source_chat=post.channel.id,
            message_id=post.message_id,
            edit_date=post.edit_date,
            items=tuple(one.row() for one in stored),
            single=post.single,
        )


def _key(post: Post) -> tuple[object, ...]:
    """What tells the files of posts apart."""
    return post.channel.id, post.message_id, post.edit_date, post.single


def _fields(run: Run) -> dict[str, object]:
    """What the log says of a job: whose it is, but not which link, unless that is refused."""
    return {"job": run.job.id, "user": run.job.user_id}


def _files(post: Post) -> list[int]:
    return [item.media_id for item in post.items]


def _needs(post: Post) -> Needs:
    largest: dict[str, int] = {}
    for item in post.items:
        largest[item.kind] = max(item.size, largest.get(item.kind, 0))
    return Needs(post.kinds, largest)


def _why(refused: usage.Refused, needs: Needs, max_bytes: int) -> tuple[RefusalReason, OverLimit | TooLarge]:
    if refused.size is not None:
        return RefusalReason.TOO_LARGE_FOR_PLAN, TooLarge(size=refused.size, limit=max_bytes)
    over = OverLimit(
        kind=refused.kind,
        limit=refused.limit.count or 0,
        period=refused.limit.period,
        used=refused.used,
        wanted=needs.wants[refused.kind],
    )
    return RefusalReason.LIMIT, over


def _kind(post: Post) -> str:
    return post.items[0].kind if post.items else "text"


def _reserve_and_plan(job: JobInfo, post: Post, present: Callable[[], Room], messages: int) -> _Over | list[int]:
    """Store what a post is and reserve it in the *present* room; return the random ids of its messages."""
    with transaction(durable=False):
        has_grown = queue.size_known(job.id, _kind(post), post.size)
        room, needs = present(), _needs(post)
        answer = usage.reserve_post(job.id, job.user_id, needs=needs, room=room, now=_now(), has_grown=has_grown)
        if isinstance(answer, usage.Refused):
            return _Over(answer, room.max_bytes or 0)
        return queue.plan_messages(job.id, messages, _now())


def _keep(info: CachedInfo) -> None:
    with transaction():
        cache.put(info, _now())


def _now() -> int:
    return int(time.time())
