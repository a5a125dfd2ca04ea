"""An operator in front of the console who fills in the forms of its pages, and reads what they say."""

import html
import re
from dataclasses import dataclass

from tests.console_visitor import ConsoleVisitor

_FORM = re.compile(
    r'<form (?:class="\w+" )?(?:id="\w+" )?method="(?P<method>\w+)"(?: action="(?P<action>[^"]+)")?[^>]*>'
    r"(?P<inside>.*?)</form>",
    re.DOTALL,
)
_FIELD = re.compile(
    r'<input[^>]* name="(?P<name>[^"]+)"(?: type="\w+")? value="(?P<value>[^"]*)"'
    r'|<select[^>]* name="(?P<choice>[^"]+)"[^>]*>(?P<options>.*?)</select>'
    r'|<textarea[^>]* name="(?P<area>[^"]+)"[^>]*>\n?(?P<text>.*?)</textarea>',
    re.DOTALL,
)
_OPTION = re.compile(r'<option(?: value="(?P<value>[^"]*)")?(?P<chosen> selected)?>(?P<said>[^<]*)')


@dataclass
class Form:
    """A form of a page, as a browser would send it."""

    action: str
    values: dict[str, str]


class Operator(ConsoleVisitor):
    """A browser that is logged in."""

    def page(self, path: str, status: int = 200) -> str:
        """A page, which must answer with *status*."""
        answer = self.get(path)
        assert answer.status_code == status, (path, answer.status_code, answer.text)
        return answer.text

    def send(self, form: Form, status: int = 303, **changes: str) -> str:
        """Send a form with changed values; the page that it leads to, or (not 303) the one that answers it.

        A dot in a field's name is two underscores here.
        """
        changed = {key.replace("__", "."): value for key, value in changes.items()}
        answer = self.post(form.action, form.values | changed)
        assert answer.status_code == status, (form.action, answer.status_code, answer.text)
        if status == 303:
            answer = self.follow(answer)
            assert answer.status_code == 200, (answer.url, answer.status_code, answer.text)
        return answer.text


def forms(page: str) -> list[Form]:
    """The forms of a page."""
    return [Form(html.unescape(form["action"] or ""), _values(form["inside"])) for form in _FORM.finditer(page)]


def form_to(page: str, action: str) -> Form:
    """The one form of a page that leads there."""
    (found,) = [form for form in forms(page) if form.action == action]
    return found


def said(page: str, id: str) -> str:
    """The text of the element with this id."""
    found = re.search(rf'<(\w+)[^>]* id="{id}"[^>]*>(.*?)</\1>', page, re.DOTALL)
    assert found, (id, page)
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", found[2]).split()))


def _values(inside: str) -> dict[str, str]:
    values = {}
    for each in _FIELD.finditer(inside):
        name = each["name"] or each["choice"] or each["area"]
        values[name] = html.unescape(each["value"] or each["text"] or _chosen(each["options"] or ""))
    return values


def _chosen(options: str) -> str:
    all_of_them = list(_OPTION.finditer(options))
    chosen = next((each for each in all_of_them if each["chosen"]), all_of_them[0] if all_of_them else None)
    if chosen is None:
        return ""
    return chosen["said"] if chosen["value"] is None else chosen["value"]
