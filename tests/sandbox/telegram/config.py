"""help.*, langpack.* and what else a client asks about the service rather than about anybody."""

import time

from pyrogram import raw
from pyrogram.raw.core import TLObject

from .posting import MAX_CAPTION, MAX_TEXT
from .registry import Call, method
from .restrictions import Restrictions
from .server import HOME_DC, HOST

_CONFIG_LIFETIME_S = 3600
_LIMITS = {
    "chat_size_max": 200,
    "megagroup_size_max": 200_000,
    "forwarded_count_max": 100,
    "online_update_period_ms": 210_000,
    "offline_blur_timeout_ms": 5_000,
    "offline_idle_timeout_ms": 30_000,
    "online_cloud_timeout_ms": 300_000,
    "notify_cloud_delay_ms": 30_000,
    "notify_default_delay_ms": 1_500,
    "push_chat_period_ms": 60_000,
    "push_chat_limit": 2,
    "edit_time_limit": 172_800,
    "revoke_time_limit": 2**31 - 1,
    "revoke_pm_time_limit": 2**31 - 1,
    "rating_e_decay": 2_419_200,
    "stickers_recent_limit": 200,
    "channels_read_media_period": 604_800,
    "call_receive_timeout_ms": 20_000,
    "call_ring_timeout_ms": 90_000,
    "call_connect_timeout_ms": 30_000,
    "call_packet_timeout_ms": 10_000,
    "caption_length_max": MAX_CAPTION,
    "message_length_max": MAX_TEXT,
    "webfile_dc_id": HOME_DC,
}
# The values of appConfig that programs moving files go by.
_APP_CONFIG = {
    "upload_max_fileparts_default": 4000,
    "upload_max_fileparts_premium": 8000,
    "small_queue_max_active_operations_count": 5,
    "large_queue_max_active_operations_count": 2,
    "upload_premium_speedup_upload": 10,
    "upload_premium_speedup_download": 10,
    "stars_purchase_blocked": False,
    "caption_length_limit_default": 1024,
    "caption_length_limit_premium": 2048,
    "channels_limit_default": 500,
    "channels_limit_premium": 1000,
}


@method("help.getConfig", anyone=True)
def get_config(call: Call, query: raw.functions.help.GetConfig) -> TLObject:
    now = int(time.time())
    return raw.types.Config(
        date=now,
        expires=now + _CONFIG_LIFETIME_S,
        test_mode=False,
        this_dc=call.dc,
        dc_options=[raw.types.DcOption(id=dc, ip_address=HOST, port=port) for dc, port in call.server.ports.items()],
        dc_txt_domain_name="",
        me_url_prefix="https://t.me/",
        **_LIMITS,
    )


@method("help.getAppConfig", anyone=True)
def get_app_config(call: Call, query: raw.functions.help.GetAppConfig) -> TLObject:
    def value(setting: object) -> TLObject:
        if isinstance(setting, bool):
            return raw.types.JsonBool(value=setting)
        if isinstance(setting, str):
            return raw.types.JsonString(value=setting)
        return raw.types.JsonNumber(value=float(setting))

    settings = {**_APP_CONFIG, **_freeze(call)}
    values = [raw.types.JsonObjectValue(key=key, value=value(setting)) for key, setting in settings.items()]
    return raw.types.help.AppConfig(hash=1, config=raw.types.JsonObject(value=values))


def _freeze(call: Call) -> dict[str, object]:
    """How a client learns that its account is frozen."""
    user_id = call.session.user_id
    freeze = call.world.part(Restrictions).frozen.get(user_id) if user_id else None
    if freeze is None:
        return {}
    return {
        "freeze_since_date": freeze.since,
        "freeze_until_date": freeze.until,
        "freeze_appeal_url": "https://t.me/spambot",
    }


@method("help.getNearestDc", anyone=True)
def get_nearest_dc(call: Call, query: raw.functions.help.GetNearestDc) -> TLObject:
    return raw.types.NearestDc(country="ES", this_dc=call.dc, nearest_dc=HOME_DC)


@method("help.getTermsOfServiceUpdate", bots=False)
def get_terms_update(call: Call, query: raw.functions.help.GetTermsOfServiceUpdate) -> TLObject:
    return raw.types.help.TermsOfServiceUpdateEmpty(expires=call.world.now() + 86400)


@method("langpack.getLangPack", anyone=True)
def get_lang_pack(call: Call, query: raw.functions.langpack.GetLangPack) -> TLObject:
    return raw.types.LangPackDifference(lang_code=query.lang_code, from_version=0, version=1, strings=[])


@method("langpack.getDifference", anyone=True)
def get_lang_difference(call: Call, query: raw.functions.langpack.GetDifference) -> TLObject:
    return raw.types.LangPackDifference(
        lang_code=query.lang_code, from_version=query.from_version, version=1, strings=[]
    )


@method("langpack.getStrings", anyone=True)
def get_lang_strings(call: Call, query: raw.functions.langpack.GetStrings) -> TLObject:
    return [raw.types.LangPackStringDeleted(key=key) for key in query.keys]


@method("langpack.getLanguages", anyone=True)
def get_languages(call: Call, query: raw.functions.langpack.GetLanguages) -> list[TLObject]:
    return []


@method("account.updateStatus", bots=False)
def update_status(call: Call, query: raw.functions.account.UpdateStatus) -> bool:
    return True


@method("rpcDropAnswer", anyone=True)
def drop_answer(call: Call, query: raw.functions.RpcDropAnswer) -> TLObject:
    return raw.types.RpcAnswerUnknown()
