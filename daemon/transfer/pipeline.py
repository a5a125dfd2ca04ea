"""The way of one job: find the post, see what it costs, deliver it the cheapest way that works."""

import logging
import time
from collections import Counter
from collections.abc import Sequence

from config.plans import Plans
from config.settings import Settings
from daemon.database import Database
from daemon.telegram import links
from daemon.telegram.links import InviteLink, PostLink
from daemon.transfer.delivery import Delivery, MediaRefused, Message, ReferenceExpired, plan
from daemon.transfer.errors import PermanentFailure, RecipientRestricted, RetryLater, SourceChanged, Unreachable
from daemon.transfer.fetch import Fetcher
from daemon.transfer.media.items import MAX_BYTES, name_of
from daemon.transfer.media.stored_files import StoredFile
from daemon.transfer.reader import Post
from daemon.transfer.resolver import Customer, Found, Resolver
from daemon.transfer.run import Run, Track
from daemon.transfer.single_flight import SingleFlight
from models.database import transaction
from models.event_kinds import InvitationFollowed, OverLimit, TooLarge
from models.jobs import batches, cache, queue, usage
from models.jobs.cache import CachedInfo
from models.jobs.queue import Delivered
from models.jobs.reasons import RefusalReason
from models.money import access

logger = logging.getLogger(__name__)

CHANGES = 3
EXPIRED_S = 1.0


class LimitReached(Exception):
    """The customer's limit leaves no room for the job, which has been refused or held."""


class Pipeline:
    """Delivers jobs."""

    def __init__(
        self,
        bot_id: int,
        finder: Resolver,
        fetcher: Fetcher,
        delivery: Delivery,
        database: Database,
        settings: Settings,
        plans: Plans,
    ) -> None:
        self._bot_id, self._finder, self._fetcher, self._delivery = bot_id, finder, fetcher, delivery
        self._database, self._settings, self._plans = database, settings, plans
        self._flights = SingleFlight()
        self._tracks: dict[object, Track] = {}

    async def deliver(self, run: Run) -> None:
        """Do all of it, and record the end.

        :raises Refusal: it will not be delivered.
        :raises PutBack: not now.
        :raises Unreachable: the customer cannot be written to.
        :raises LeaseLost: the job is not ours any more.
        """
        link = links.read(run.job.link)
        level = (await self._database(access.of, run.job.user_id, _now())).level
        customer = Customer(run.job.user_id, paying=level > 0)
        if isinstance(link, InviteLink):
            await self._accept(run, customer, link)
        elif isinstance(link, PostLink):
            await self._bring(run, customer, link, level)
        else:
            raise PermanentFailure(link.reason if isinstance(link, links.Refused) else RefusalReason.NOT_A_POST)

    async def _accept(self, run: Run, customer: Customer, link: InviteLink) -> None:
        channel, joined = await self._finder.follow(customer, link.hash)
        followed = InvitationFollowed(invitation="joined" if joined else "already_member", chat=channel.title)
        await self._database(queue.finish, run.job.id, str(run.job.owner), Delivered(detail=followed.stored()), _now())

    async def _bring(self, run: Run, customer: Customer, link: PostLink, level: int) -> None:
        for _ in range(CHANGES):
            found = await self._finder.find(customer, link)
            await self._reserve(run, found.post, level)
            try:
                return await self._deliver(run, found)
            except SourceChanged as change:
                logger.info("begun again", extra={"job": run.job.id, "reason": str(change)})
        raise RetryLater(5, "the post keeps changing", counts=True)

    async def _reserve(self, run: Run, post: Post, level: int) -> None:
        """See that the customer may have so much, and set it aside.

        :raises LimitReached: he may not; the job has ended or waits.
        """
        limits = self._plans.for_level(level)
        largest = max((item.size for item in post.items), default=0)
        if largest > MAX_BYTES:
            raise PermanentFailure(RefusalReason.TOO_LARGE_FOR_BOTS, TooLarge(size=largest, limit=MAX_BYTES))
        if largest > limits.max_bytes:
            raise PermanentFailure(RefusalReason.TOO_LARGE_FOR_PLAN, TooLarge(size=largest, limit=limits.max_bytes))
        await self._database(queue.size_known, run.job.id, _kind(post), post.size)
        day = usage.day_of(_now(), self._settings.timezone)
        answer = await self._database(
            usage.reserve, run.job.id, run.job.user_id, post.kinds, limits.limits, day, _now()
        )
        if isinstance(answer, usage.Refused):
            await self._limit_reached(run, answer, post)

    async def _limit_reached(self, run: Run, refused: usage.Refused, post: Post) -> None:
        limit = refused.limit
        over = OverLimit(
            kind=refused.kind,
            limit=limit.count or 0,
            period=limit.period,
            used=refused.used,
            wanted=post.kinds[refused.kind],
        )
        if run.job.batch_id is not None and limit.count:
            await self._database(batches.hold, run.job.id, str(run.job.owner), over, _now())
            raise LimitReached
        raise PermanentFailure(RefusalReason.LIMIT, over)

    async def _deliver(self, run: Run, found: Found) -> None:
        post, messages = found.post, plan(found.post)
        total = sum(message.count for message in messages)
        random_ids = await self._database(queue.plan_messages, run.job.id, total, _now())
        if not post.items:
            await self._send(run, messages, (), random_ids)
        elif not await self._send_held(run, found, messages, random_ids):
            await self._send_fetched(run, found, messages, random_ids)
        names = Counter(name_of(item) for item in post.items) or post.kinds
        detail = {"kind": _kind(post), "size": post.size, "chat": post.channel.title, "names": names}
        await self._database(queue.finish, run.job.id, str(run.job.owner), Delivered(detail=detail), _now())
        logger.info("delivered", extra={"job": run.job.id, "user": run.job.user_id, "bytes": post.size})

    async def _send_held(self, run: Run, found: Found, messages: Sequence[Message], random_ids: Sequence[int]) -> bool:
        """Try what costs no bytes: the cache, then the reference that the bot has seen. False: neither did."""
        post = found.post
        for held in (await self._cached(post), found.held):
            if len(held) != len(post.items):
                continue
            try:
                await self._send(run, messages, held, random_ids)
            except MediaRefused as refusal:
                logger.info("not by reference", extra={"job": run.job.id, "reason": str(refusal)})
                await self._database(queue.unsent, run.job.id, str(run.job.owner), _now())
                await self._database(cache.drop, self._bot_id, post.channel.id, post.message_id)
            else:
                return True
        return False

    async def _send_fetched(
        self, run: Run, found: Found, messages: Sequence[Message], random_ids: Sequence[int]
    ) -> None:
        """Have the files fetched, and send them. A file that Telegram refuses then, it refuses always.

        :raises Refusal: it does.
        :raises PutBack: only what names the file has expired meanwhile.
        """
        post = found.post
        try:
            held = await self._fetch(run, await self._as_the_account_sees(found))
            await self._send(run, messages, held, random_ids)
        except MediaRefused as refusal:
            logger.warning("file refused", extra={"job": run.job.id, "reason": str(refusal)})
            await self._database(cache.drop, self._bot_id, post.channel.id, post.message_id)
            if isinstance(refusal, ReferenceExpired):
                raise RetryLater(EXPIRED_S, "a fresh reference has expired", counts=True) from refusal
            raise PermanentFailure(RefusalReason.FILE_REFUSED) from refusal

    async def _cached(self, post: Post) -> tuple[StoredFile, ...]:
        kept = await self._database(
            cache.get, self._bot_id, post.channel.id, post.message_id, post.edit_date, _now(), single=post.single
        )
        return tuple(StoredFile.read(row) for row in kept.items) if kept else ()

    async def _send(
        self, run: Run, messages: Sequence[Message], held: Sequence[StoredFile], random_ids: Sequence[int]
    ) -> None:
        """Make the calls that have not been made yet, writing down each."""
        job = await self._database(queue.delivering, run.job.id, str(run.job.owner), _now())
        left = iter(random_ids)
        for message in messages:
            ids = [next(left) for _ in range(message.count)]
            if not job.sent.keys() >= set(ids):
                sent = await self._delivery.send(job.chat_id, message, held, ids)
                await self._database(queue.sent, job.id, sent)

    async def _as_the_account_sees(self, found: Found) -> Post:
        """The post with locations that the account can read, when the bot was the one that found it."""
        if not found.held:
            return found.post
        seen = await self._finder.reread(found.post)
        if (seen.edit_date, _files(seen)) != (found.post.edit_date, _files(found.post)):
            raise SourceChanged("the post was edited")
        return seen

    async def _fetch(self, run: Run, post: Post) -> Sequence[StoredFile]:
        """Have the files brought to the bot; whoever wants the same ones at the same time waits for the same fetch."""
        run.grow(post.size)
        key = (post.channel.id, post.message_id, post.edit_date, post.single)
        while True:
            leads = not self._flights.is_under_way(key)
            run.track = self._tracks[key] = Track(post.size) if leads else self._tracks[key]
            try:
                held: Sequence[StoredFile] = await self._flights.join(key, lambda: self._fetch_and_keep(run, post))
                return held
            except (Unreachable, RecipientRestricted):
                if leads:
                    raise
                # It was somebody else's customer who blocked the bot, or takes no voice messages: begin again for
                # this one.
            finally:
                if not self._flights.is_under_way(key):
                    self._tracks.pop(key, None)

    async def _fetch_and_keep(self, run: Run, post: Post) -> tuple[StoredFile, ...]:
        held = await self._fetcher.fetch(post, run, run.track or Track(post.size))
        rows = tuple(one.row() for one in held)
        kept = CachedInfo(self._bot_id, post.channel.id, post.message_id, post.edit_date, rows, post.single)
        await self._database(_keep, kept)
        return held


def _files(post: Post) -> list[int]:
    return [item.media_id for item in post.items]


def _kind(post: Post) -> str:
    return post.items[0].kind if post.items else "text"


def _keep(info: CachedInfo) -> None:
    with transaction():
        cache.put(info, _now())


def _now() -> int:
    return int(time.time())
