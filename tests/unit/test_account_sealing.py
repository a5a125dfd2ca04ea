"""What is kept of an account opens for it alone; what is typed opens to one process alone."""

import pytest

from models.accounts import sealing
from models.accounts.sealing import Recipient
from models.errors import Unopenable

SESSION, NUMBER = "session-of-nobody", "+34 600 00 00 01"


def altered(text: str) -> str:
    return text[:-2] + ("AA" if text[-2:] != "AA" else "BB")


def test_a_session_opens_for_its_account() -> None:
    kept = sealing.keep("key", SESSION, "account 1")
    assert SESSION not in kept
    assert sealing.kept("key", kept, "account 1") == SESSION
    assert kept != sealing.keep("key", SESSION, "account 1")


@pytest.mark.parametrize(("key", "about"), [("another", "account 1"), ("key", "account 2")])
def test_a_session_opens_nowhere_else(key: str, about: str) -> None:
    with pytest.raises(Unopenable):
        sealing.kept(key, sealing.keep("key", SESSION, "account 1"), about)


@pytest.mark.parametrize("damaged", ["", "A", "no base64!", "QUJD", "ÿ" * 30])
def test_what_is_damaged_does_not_open(damaged: str) -> None:
    with pytest.raises(Unopenable):
        sealing.kept("key", damaged, "account 1")
    with pytest.raises(Unopenable):
        Recipient().opened(damaged, "login 1 code")
    with pytest.raises(Unopenable):
        sealing.seal_for(damaged, NUMBER, "login 1 code")


def test_an_altered_session_does_not_open() -> None:
    with pytest.raises(Unopenable):
        sealing.kept("key", altered(sealing.keep("key", SESSION, "account 1")), "account 1")


def test_an_answer_opens_to_its_process() -> None:
    recipient = Recipient()
    sealed = sealing.seal_for(recipient.public, NUMBER, "login 1 number")
    assert recipient.opened(sealed, "login 1 number") == NUMBER
    assert sealed != sealing.seal_for(recipient.public, NUMBER, "login 1 number")


def test_an_answer_opens_to_no_other_process_or_question() -> None:
    recipient = Recipient()
    sealed = sealing.seal_for(recipient.public, NUMBER, "login 1 number")
    for who, about in ((Recipient(), "login 1 number"), (recipient, "login 1 code"), (recipient, "login 2 number")):
        with pytest.raises(Unopenable):
            who.opened(sealed, about)
    with pytest.raises(Unopenable):
        recipient.opened(altered(sealed), "login 1 number")


def test_a_key_that_agrees_with_everybody_is_refused() -> None:
    nothing = "A" * 43  # a point of low order: the same secret with every key
    with pytest.raises(Unopenable):
        sealing.seal_for(nothing, NUMBER, "login 1 number")
    with pytest.raises(Unopenable):
        Recipient().opened(nothing + "AAAA", "login 1 number")


def test_a_mark_tells_sessions_apart_and_says_nothing() -> None:
    assert sealing.mark("key", SESSION) == sealing.mark("key", SESSION) != sealing.mark("key", SESSION + "2")
    assert sealing.mark("key", SESSION) != sealing.mark("another", SESSION)
    assert len(sealing.mark("key", SESSION)) == 24
