"""Our HTML pages: in a reader's language, with the bot's name, the way into its chat, and whom to ask."""

from dataclasses import replace

from flask import Response, current_app, make_response, render_template, request

from config.settings import Settings
from config.texts import Texts, offered, texts_for
from web import messages
from web.messages import Message
from web.paypal import branding


def page(template: str, status: int, texts: Texts, **values: object) -> Response:
    """A page of *template*, filled with *values*."""
    contact = current_settings().support_contact
    html = render_template(
        template,
        t=texts,
        _=texts.gettext,
        ngettext=texts.ngettext,
        bot=branding.noted(),
        contact=contact,
        contact_url=messages.contact_url(contact),
        **values,
    )
    return make_response(html, status)


def outcome(texts: Texts, message: Message, status: int, own: bool = False) -> Response:
    """A page that shows *message*. Only the *own* buyer sees the charge's number."""
    return page("outcome.html", status, texts, outcome=message if own else replace(message, reference=""))


def error_page(status: int) -> Response:
    """Our page for an error such as 404, 410, 429 or 500, in the browser's language."""
    texts = browsers_texts()
    return outcome(texts, messages.error(texts, status), status)


def browsers_texts() -> Texts:
    """The texts in the language that the browser asks for: nobody is known by a chat here."""
    return texts_for(request.accept_languages.best_match([each.code for each in offered()]))


def current_settings() -> Settings:
    """The settings of the application that serves the present request."""
    found: Settings = current_app.extensions["settings"]
    return found
