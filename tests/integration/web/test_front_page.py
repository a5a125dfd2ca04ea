"""The page about the bot at ``/``: for who comes by its domain, in the browser's language."""

import time

import pytest
import requests

from models import notes
from tests.integration.web.test_web_process import PAYPAL_AWAY, Web, web

__all__ = ["web"]


def read(web: Web, language: str = "en", path: str = "/") -> requests.Response:
    return requests.get(web.url + path, headers={"Accept-Language": language}, timeout=10)


def test_it_says_what_the_bot_does_and_leads_into_its_chat(web: Web) -> None:
    notes.put("bot", {"id": 1, "username": "tollbot", "name": "The Toll"}, int(time.time()))

    page = read(web)

    assert page.status_code == 200 and page.headers["Content-Type"].startswith("text/html")
    assert "<h1>The Toll</h1>" in page.text
    assert 'id="chat" href="https://t.me/tollbot">Open the chat</a>' in page.text
    assert 'href="https://t.me/tollbot?start=terms">Terms of use</a>' in page.text
    assert "500 ⭐" in page.text and "for 30 days, one payment, does not renew" in page.text
    assert "$" not in page.text, "PayPal is not set up here"
    assert requests.head(f"{web.url}/", timeout=10).status_code == 200


@pytest.mark.parametrize(
    ("asked", "language", "said"),
    [
        ("es-MX,es;q=0.9,en;q=0.5", "es", "le envías el enlace a una publicación"),
        ("fr,es;q=0.5", "es", "le envías el enlace a una publicación"),
        ("de", "en", "you send it the link to a post"),
        ("", "en", "you send it the link to a post"),
        ("*;q=x,,;", "en", "you send it the link to a post"),
    ],
)
def test_it_speaks_the_browsers_language(web: Web, asked: str, language: str, said: str) -> None:
    page = read(web, asked)

    assert f'<html lang="{language}">' in page.text and said in page.text


def test_it_works_before_the_bots_name_is_known(web: Web) -> None:
    page = read(web)

    assert page.status_code == 200
    assert "<h1>Peaje</h1>" in page.text and 'id="waiting"' in page.text
    assert "t.me/" not in page.text and "None" not in page.text


def test_other_addresses_lead_to_a_page_too(web: Web) -> None:
    page = read(web, "es", "/no/such/page")

    assert (page.status_code, "Aquí no hay nada" in page.text) == (404, True)


@pytest.mark.parametrize("web", [PAYPAL_AWAY | {"BACKEND_URL": "http://127.0.0.1"}], indirect=True)
def test_it_shows_the_prices_that_can_be_paid(web: Web) -> None:
    assert "500 ⭐ · $5.00" in read(web).text
    assert "25 ⭐" in read(web).text and "1 video of up to 2000 MB, without an end" in read(web).text
    assert "500 ⭐ · 5,00" in read(web, "es").text
