"""Sends webhook events until the receiver takes them, on PayPal's schedule compressed to seconds."""

import json
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import requests

from .certificates import Certificates
from .clock import Clock, rfc3339
from .events import DELIVERY, EVENT, OUTBOX, Events
from .guard import Guard
from .names import Names
from .signatures import Transmission, sign
from .store import Document, Store
from .switches import LEFT_OUT, Switches

logger = logging.getLogger(__name__)

ATTEMPTS = 25  # as PayPal; it spreads them over three days
FIRST_WAIT, LONGEST_WAIT = 0.2, 5.0  # seconds; each wait is twice the one before
TIMEOUT = 30  # seconds that a receiver has to answer
WORKERS = 8
REORDER_LIMIT = 2.0  # seconds that a held transmission waits for one to overtake it


class Deliveries:
    """A thread that looks after the outbox, and workers that post."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        events: Events,
        certificates: Certificates,
        switches: Switches,
        guard: Guard,
        base_url: str,
    ) -> None:
        self._store = store
        self._clock = clock
        self._events = events
        self._certificates = certificates
        self._switches = switches
        self._guard = guard
        self._base_url = base_url
        self.leaves_out_optional = False
        self.names = Names()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._in_flight: set[str] = set()
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="paypal-webhook")
        self._thread = threading.Thread(target=self._run, name="paypal-deliveries", daemon=True)
        events.on_publish(self._wake.set)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread; what is still in the outbox is sent after the next start."""
        self._stopping.set()
        self._wake.set()
        self._thread.join()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def wait(self, timeout: float) -> bool:
        """True when everything was taken or given up within so many seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._store.all(OUTBOX), timeout)

    def all(self) -> list[Document]:
        """Finished ones, then those still to be sent."""
        return self._store.all(DELIVERY) + self._store.all(OUTBOX)

    def transmission(self, delivery: Document) -> Transmission:
        """The bytes and headers of a delivery; the same for each attempt."""
        event = self._store.get(EVENT, delivery["event_id"]) or {}
        if delivery.get("sparse"):
            event = self._guard.sparse_event(event)
        if left_out := delivery.get("left_out"):
            event = {**event, "resource": {k: v for k, v in event["resource"].items() if k not in left_out}}
        body = json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()
        name = self._certificates.GENUINE
        return sign(
            self._certificates.pair(name),
            f"{self._base_url}/v1/notifications/certs/{name}",
            delivery["transmission_id"],
            delivery["transmission_time"],
            delivery["webhook_id"],
            body,
        )

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                wait = self._dispatch()
            except Exception:
                logger.exception("webhook outbox")
                wait = 1.0
            self._wake.wait(wait)

    def _dispatch(self) -> float:
        """Hands what is due to the workers; says how long until more is, in seconds."""
        wait = 60.0
        in_flight = set(self._in_flight)  # before the outbox is read: one that lands meanwhile must not go out again
        for delivery in self._store.all(OUTBOX):
            key = delivery["transmission_id"]
            due = delivery["due"] - time.time()
            if key in in_flight:
                continue
            if due > 0:
                wait = min(wait, due)
            elif self._prepare(delivery):
                self._in_flight.add(key)
                self._pool.submit(self._send, delivery)
            else:
                wait = 0
        return wait

    def _prepare(self, delivery: Document) -> bool:
        """Applies the switches to a transmission that is about to be sent the first time; False: not now."""
        if delivery["prepared"]:
            return True
        delivery["prepared"] = True
        delivery["transmission_time"] = rfc3339(self._clock.now())
        event_type = delivery["event_type"]
        delivery["sparse"] = self.leaves_out_optional or bool(self._switches.take(LEFT_OUT, event_type))
        if without := self._switches.take("webhook_without", event_type):
            delivery["left_out"] = without.parameters["fields"]
        if self._switches.take("webhook_drop", event_type):
            self._finish(delivery, "DROPPED")
            return False
        if duplicate := self._switches.take("webhook_duplicate", event_type):
            event = self._store.get(EVENT, delivery["event_id"]) or {}
            for _ in range(duplicate.parameters.get("copies", 1)):
                self._events.enqueue(event, delivery["webhook_id"], delivery["url"], prepared=True)
        if delay := self._switches.take("webhook_delay", event_type):
            delivery["due"] = time.time() + delay.parameters.get("seconds", 1)
        elif reorder := self._switches.take("webhook_reorder", event_type):
            delivery["due"] = time.time() + REORDER_LIMIT
            delivery["behind"] = reorder.parameters.get("behind", 1)
        self._store.put(OUTBOX, delivery["transmission_id"], delivery)
        return bool(delivery["due"] <= time.time())

    def _send(self, delivery: Document) -> None:
        try:
            answer = self._post(delivery)
            delivery["attempts"] += 1
            delivery["answers"].append(answer)
            if answer is not None and 200 <= answer < 300:
                self._finish(delivery, "SUCCESS")
            elif delivery["attempts"] >= ATTEMPTS:
                self._finish(delivery, "FAILURE")
            else:
                delivery["due"] = time.time() + min(LONGEST_WAIT, FIRST_WAIT * 2 ** (delivery["attempts"] - 1))
                with self._store.transaction():
                    if self._store.get(OUTBOX, delivery["transmission_id"]):
                        self._store.put(OUTBOX, delivery["transmission_id"], delivery)
            self._overtake()
        except Exception:
            logger.exception("webhook %s", delivery["transmission_id"])
        finally:
            self._in_flight.discard(delivery["transmission_id"])
            self._wake.set()

    def _post(self, delivery: Document) -> int | None:
        """The status that the receiver answered, or None for no answer."""
        transmission = self.transmission(delivery)
        try:
            response = requests.post(
                self.names.where(delivery["url"]),
                data=transmission.body,
                headers=transmission.headers,
                timeout=TIMEOUT,
                allow_redirects=False,
            )
        except requests.RequestException:
            return None
        return response.status_code

    def _finish(self, delivery: Document, status: str) -> None:
        delivery["status"] = status
        with self._store.transaction():
            if self._store.delete(OUTBOX, delivery["transmission_id"]):
                self._store.put(DELIVERY, delivery["transmission_id"], delivery)
        with self._changed:
            self._changed.notify_all()

    def _overtake(self) -> None:
        """A transmission went by: the held ones have one less to wait for."""
        with self._store.transaction():
            for held in self._store.all(OUTBOX):
                if held.get("behind"):
                    held["behind"] -= 1
                    if not held["behind"]:
                        held["due"] = 0
                    self._store.put(OUTBOX, held["transmission_id"], held)
