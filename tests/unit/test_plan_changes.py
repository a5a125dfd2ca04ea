"""What an edit of the plans changes, in words; and edits from a form that leave the rest of the text alone."""

import difflib
import tomllib
from pathlib import Path

import pytest

from config import plan_changes, plans
from config.texts import translator
from web.console import plans_text

TEXT = (Path(__file__).parents[2] / "plans.toml").read_text()
BEFORE = plans.parse(TEXT)


def edited(section: tuple[str, ...], **values: str) -> str:
    return plans_text.edited(TEXT, section, {key.replace("__", "."): value for key, value in values.items()})


def changed_lines(after: str) -> list[str]:
    difference = difflib.unified_diff(TEXT.splitlines(), after.splitlines(), lineterm="", n=0)
    return [line for line in difference if line[:1] in "+-" and line[:3] not in ("+++", "---")]


def said(after: str, waiting: dict[str, int] | None = None, language: str = "en") -> list[str]:
    return plan_changes.changes(BEFORE, plans.parse(after), waiting or {}, translator(language))


def test_a_price_changes_in_its_line_alone() -> None:
    after = edited(("plans", "premium"), prices__XTR="600")
    assert changed_lines(after) == [
        '-prices = { XTR = 500, USD = "5.00" }',
        '+prices = { XTR = 600, USD = "5.00" }',
    ]
    assert said(after, {"premium": 3}) == [
        "Premium: 500 ⭐ → 600 ⭐",
        "Premium: 3 open invoices keep the old price",
    ]
    assert len(said(after, {"premium": 3}, "es")) == 2


def test_a_form_sent_back_as_it_was_changes_nothing() -> None:
    for kind in ("plans", "packs"):
        for code in plans_text.codes(TEXT, kind):
            values = plans_text.values(TEXT, (kind, code))
            assert values and plans_text.edited(TEXT, (kind, code), values) == TEXT


def test_what_is_not_shown_stays() -> None:
    odd = TEXT.replace("[plans.vip]", "# mine\n[plans.vip]").replace("\n", "\r\n")
    after = plans_text.edited(odd, ("plans", "vip"), {"days": "31"})
    assert "# mine" in after and after.count("\n") == odd.count("\n")
    assert plans.parse(after).article("vip") is not None


@pytest.mark.parametrize(
    ("section", "values", "words"),
    [
        (("plans", "premium"), {"prices.USD": ""}, ["Premium: $5.00 → not sold for USD"]),
        (("plans", "premium"), {"days": "31"}, ["Premium, time: 30 days → 31 days"]),
        (("plans", "premium"), {"limits.video": "no"}, ["Premium, Videos: 50 a day → not in this plan"]),
        (("plans", "premium"), {"on_sale": "false"}, ["Premium, on sale: yes → no"]),
        (("plans", "vip"), {"title.es": "Vip"}, ["VIP, title (Español): VIP → Vip"]),
        (("packs", "video_10"), {"count": "12"}, ["10 videos, holds: 10 videos → 12 videos"]),
        (("packs", "video_10"), {"days": "60"}, ["10 videos, time: without an end → 60 days"]),
        (
            ("packs", "photo_5"),
            {"kind": "photo", "count": "5", "prices.XTR": "30", "title.en": "5 photos", "description.en": "Five."},
            ["new: 5 photos, 30 ⭐"],
        ),
    ],
)
def test_each_change_is_a_sentence(section: tuple[str, ...], values: dict[str, str], words: list[str]) -> None:
    assert said(plans_text.edited(TEXT, section, values)) == words


def test_a_plan_that_goes_is_said() -> None:
    before, _, behind = TEXT.partition("[packs.video_10]")
    after = before + behind[behind.find("\n[") :]
    assert said(after) == ["10 videos leaves the shop; who has it keeps it"]


@pytest.mark.parametrize("value", ["abc", "-1", "1.5", "", "9" * 400, "9" * 5000, "³"])
def test_a_wrong_number_is_refused_in_the_words_of_the_file(value: str) -> None:
    after = plans_text.edited(TEXT, ("plans", "premium"), {"days": value})
    with pytest.raises(plans.PlansError, match="days"):
        plans.parse(after)


@pytest.mark.parametrize("key", ["days.x", "title.en.x", "on_sale.on_sale.x", "prices.XTR.XTR"])
def test_a_key_inside_of_a_value_is_refused(key: str) -> None:
    after = plans_text.edited(TEXT, ("plans", "premium"), {key: "5"})
    with pytest.raises(plans.PlansError, match=key.partition(".")[0]):
        plans.parse(after)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (
            "[a]\nx = 1\n\n# of b\n[b]\ny = 2 # of y\n\n# of c\n[c]\nz = 3\n",
            "[a]\nx = 1\n\n# of b\n\n# of c\n[c]\nz = 3\n",
        ),
        ("[b]\ny = 2\n[b.d]\n# of v\nv = 1\n# of c\n[c]\nz = 3\n", "# of c\n[c]\nz = 3\n"),
        ("b.y = 2\nb.v.w = 1\nx = 1\n[c]\nz = 3\n", "x = 1\n[c]\nz = 3\n"),
        ("[b.d]\nv = 1\n[c]\nz = 3\n[b]\ny = 2", "[c]\nz = 3\n"),
        ('["b"]\r\ny = 2\r\n# end\r\n', "# end\r\n"),
        ("b = { y = 2 } # of b\nx = 1\n", "x = 1\n"),
        ("[b]\n# alone\n", "# alone\n"),
        ("[a]\nb = 1\n", "[a]\nb = 1\n"),
        ("", ""),
    ],
)
def test_what_is_taken_out_leaves_the_comments_behind_it(text: str, left: str) -> None:
    assert plans_text.without(text, "b") == left
    assert tomllib.loads(left) == {name: value for name, value in tomllib.loads(text).items() if name != "b"}


def test_a_trial_and_rewards_are_taken_out_of_the_text() -> None:
    begun = edited(("trial",), plan="premium", days="3")
    assert plans.parse(begun).trial is not None
    ended = plans_text.without(begun, "trial")
    assert plans.parse(ended).trial is None and "# Take away the # to have a trial:" in ended
    assert said(plans_text.without(TEXT, "referral"))[0].endswith("→ none")
    assert "# Take away the # to have a trial:" in plans_text.without(TEXT, "referral")


def test_a_text_on_few_lines_takes_one_more_plan() -> None:
    after = plans_text.edited(
        "plans = { free = { level = 0 } }\n", ("plans", "gold"), {"level": "3", "limits.photo": "no"}
    )
    assert tomllib.loads(after) == {"plans": {"free": {"level": 0}, "gold": {"level": 3, "limits": {"photo": "no"}}}}


@pytest.mark.parametrize("title", ['a"}\n[plans.m]#', "a' }", "\\u0041\\", "<b>{x}</b>", "\u202ea"])
def test_hostile_values_stay_values(title: str) -> None:
    after = plans.parse(plans_text.edited(TEXT, ("plans", "premium"), {"title.en": title}))
    assert [plan.code for plan in after.plans] == ["free", "premium", "vip"]
    assert after.plans[1].title["en"] == title


@pytest.mark.parametrize(("price", "is_cut"), [("249", True), ("250", False), ("501", False), ("1", True)])
def test_a_cut_by_more_than_half_is_noticed(price: str, is_cut: bool) -> None:
    after = plans.parse(plans_text.edited(TEXT, ("plans", "premium"), {"prices.XTR": price}))
    assert [each.code for each in plan_changes.cuts(BEFORE, after)] == (["premium"] if is_cut else [])


def test_what_is_taken_off_the_shelf_is_no_cut() -> None:
    after = plans.parse(plans_text.edited(TEXT, ("plans", "premium"), {"prices.XTR": "1", "on_sale": "false"}))
    assert plan_changes.cuts(BEFORE, after) == []


UNLIMITED = {f"limits.{kind}": "unlimited" for kind in plans.KINDS}
NEW = {"max_mib": "2000", "days": "30", "title.en": "New", "description.en": "New.", **UNLIMITED}
PACK = {"count": "100", "prices.XTR": "1", "title.en": "100 files", "description.en": "Many."}


@pytest.mark.parametrize(
    ("section", "values", "is_cut"),
    [
        (("plans", "all"), {**NEW, "level": "9", "prices.XTR": "499"}, True),
        (("plans", "all"), {**NEW, "level": "9", "prices.XTR": "500"}, False),
        (("plans", "all"), {**NEW, "level": "9", "prices.XTR": "1", "on_sale": "false"}, False),
        (("plans", "all"), {**NEW, "level": "9", "prices.EUR": "10.00"}, True),
        (("plans", "premium"), {"level": "9"}, False),
        (("plans", "premium"), {"level": "9", "prices.XTR": "499"}, True),
        (("packs", "more"), {**PACK, "kind": "video"}, True),
        (("packs", "more"), {**PACK, "kind": "music"}, False),
    ],
)
def test_what_is_new_is_compared_with_what_gave_no_more(
    section: tuple[str, ...], values: dict[str, str], is_cut: bool
) -> None:
    without_referral, *_ = plans_text.edited(TEXT, section, values).partition("\n[referral]")
    cheap = plan_changes.cuts(BEFORE, plans.parse(without_referral))
    assert [each.code for each in cheap] == ([section[1]] if is_cut else [])


@pytest.mark.parametrize(
    ("section", "values", "cheaper"),
    [
        (("plans", "premium"), {"days": "60"}, []),
        (("plans", "premium"), {"days": "61"}, ["premium"]),
        (("packs", "video_10"), {"count": "20"}, []),
        (("packs", "video_10"), {"count": "21"}, ["video_10"]),
        (("plans", "premium"), {"prices.USD": "", "prices.EUR": "5.00"}, ["premium"]),
    ],
)
def test_more_for_the_money_and_a_new_currency_are_cuts(
    section: tuple[str, ...], values: dict[str, str], cheaper: list[str]
) -> None:
    without_referral, *_ = plans_text.edited(TEXT, section, values).partition("\n[referral]")
    assert [each.code for each in plan_changes.cuts(BEFORE, plans.parse(without_referral))] == cheaper


@pytest.mark.parametrize(("price", "is_cut"), [("0.01", True), ("2.49", True), ("2.50", False)])
def test_a_new_currency_is_compared_as_the_others_are_priced(price: str, is_cut: bool) -> None:
    starred = plans_text.edited(TEXT, ("plans", "premium"), {"prices.USD": ""})
    after = plans.parse(plans_text.edited(starred, ("plans", "premium"), {"prices.USD": price}))
    assert [each.code for each in plan_changes.cuts(plans.parse(starred), after)] == (["premium"] if is_cut else [])
