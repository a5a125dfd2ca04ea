"""auth.* and account.getPassword: logging in and out: by bot token, phone or QR code, and in a second data centre."""

import os
import secrets
from dataclasses import dataclass, field

from pyrogram import raw
from pyrogram.raw.core import TLObject

from . import posting, srp
from .errors import RpcError
from .registry import Call, method
from .world import User

SERVICE_ACCOUNT = 777000
_CODE_LENGTH = 5
_TOKEN_S = 30


@dataclass
class PhoneLogin:
    """A code that was sent and not used yet."""

    phone: str
    code: str
    by_sms: bool = False


@dataclass
class LoginToken:
    """What a QR code holds: which key it logs in, until when, and as whom once it was scanned."""

    key_id: bytes
    expires: float
    user_id: int | None = None


@dataclass
class Logins:
    """Logins in progress: phone codes by hash, exported authorisations, challenges of two-step verification."""

    codes: dict[str, PhoneLogin] = field(default_factory=dict)
    exported: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    half_way: dict[bytes, int] = field(default_factory=dict)
    challenges: dict[int, srp.Challenge] = field(default_factory=dict)
    tokens: dict[bytes, LoginToken] = field(default_factory=dict)

    def code_for(self, phone: str) -> str | None:
        """The newest code sent to a phone."""
        return next((login.code for login in reversed(self.codes.values()) if login.phone == phone), None)


def _digits(phone: str) -> str:
    return "".join(filter(str.isdigit, phone))


def _check_application(call: Call, api_id: int, api_hash: str) -> None:
    if api_id != call.server.api_id or api_hash != call.server.api_hash:
        raise RpcError(400, "API_ID_INVALID")


def _new_code() -> str:
    return "".join(secrets.choice("0123456789") for _ in range(_CODE_LENGTH))


def _signed_in(call: Call, user: User) -> TLObject:
    """The login of somebody whose code was right, or who has scanned one, if there is no password to ask for."""
    if user.password is not None:
        call.world.part(Logins).half_way[call.session.key.id] = user.id
        raise RpcError(401, "SESSION_PASSWORD_NEEDED")
    return _authorization(call, user)


def _authorization(call: Call, user: User) -> TLObject:
    if user.banned:
        raise RpcError(401, "USER_DEACTIVATED_BAN")
    call.server.log_in(call.session.key, user.id)
    return raw.types.auth.Authorization(user=call.view().user(user))


@method("auth.importBotAuthorization", anyone=True)
def import_bot_authorization(call: Call, query: raw.functions.auth.ImportBotAuthorization) -> TLObject:
    _check_application(call, query.api_id, query.api_hash)
    bot = call.world.bot_by_token(query.bot_auth_token)
    if bot is None:
        raise RpcError(400, "ACCESS_TOKEN_INVALID")
    return _authorization(call, bot)


@method("auth.sendCode", anyone=True)
def send_code(call: Call, query: raw.functions.auth.SendCode) -> TLObject:
    _check_application(call, query.api_id, query.api_hash)
    phone = _digits(query.phone_number)
    user = call.world.user_by_phone(phone)
    if user is None:
        raise RpcError(400, "PHONE_NUMBER_INVALID")
    if user.banned:
        raise RpcError(400, "PHONE_NUMBER_BANNED")
    login = PhoneLogin(phone, _new_code())
    hash_ = secrets.token_hex(9)
    call.world.part(Logins).codes[hash_] = login
    text = f"Login code: {login.code}. Do not give this code to anyone, even if they say they are from Telegram!"
    posting.send(call.server, SERVICE_ACCOUNT, user.id, posting.Draft(text))
    return raw.types.auth.SentCode(
        type=raw.types.auth.SentCodeTypeApp(length=_CODE_LENGTH),
        phone_code_hash=hash_,
        next_type=raw.types.auth.CodeTypeSms(),
    )


@method("auth.resendCode", anyone=True)
def resend_code(call: Call, query: raw.functions.auth.ResendCode) -> TLObject:
    """The next way after the application is an SMS, and there is none after that."""
    logins = call.world.part(Logins)
    login = logins.codes.get(query.phone_code_hash)
    if login is None or login.phone != _digits(query.phone_number):
        raise RpcError(400, "PHONE_CODE_EXPIRED")
    if login.by_sms:
        raise RpcError(406, "SEND_CODE_UNAVAILABLE")
    del logins.codes[query.phone_code_hash]
    hash_ = secrets.token_hex(9)
    logins.codes[hash_] = PhoneLogin(login.phone, _new_code(), by_sms=True)
    return raw.types.auth.SentCode(type=raw.types.auth.SentCodeTypeSms(length=_CODE_LENGTH), phone_code_hash=hash_)


@method("auth.exportLoginToken", anyone=True)
def export_login_token(call: Call, query: raw.functions.auth.ExportLoginToken) -> TLObject:
    """A new token for this key, or the login itself once its last one was scanned."""
    _check_application(call, query.api_id, query.api_hash)
    tokens, now = call.world.part(Logins).tokens, call.world.now()
    of_key = [token for token, each in tokens.items() if each.key_id == call.session.key.id]
    accepted = next((tokens[token].user_id for token in of_key if tokens[token].user_id is not None), None)
    for token in of_key:
        if accepted is not None or tokens[token].expires <= now:
            del tokens[token]
    if accepted is not None:
        return raw.types.auth.LoginTokenSuccess(authorization=_signed_in(call, call.world.users[accepted]))
    token = os.urandom(32)
    tokens[token] = LoginToken(call.session.key.id, now + _TOKEN_S)
    return raw.types.auth.LoginToken(expires=int(now + _TOKEN_S), token=token)


@method("auth.acceptLoginToken", bots=False)
def accept_login_token(call: Call, query: raw.functions.auth.AcceptLoginToken) -> TLObject:
    """Somebody who is logged in has scanned a QR code."""
    known = call.world.part(Logins).tokens.get(query.token)
    if known is None:
        raise RpcError(400, "AUTH_TOKEN_INVALID")
    if known.expires <= call.world.now():
        raise RpcError(400, "AUTH_TOKEN_EXPIRED")
    if known.user_id is not None:
        raise RpcError(400, "AUTH_TOKEN_ALREADY_ACCEPTED")
    known.user_id = call.user.id
    call.server.tell_key(known.key_id, raw.types.UpdateLoginToken())
    now = call.world.now()
    return raw.types.Authorization(
        hash=secrets.randbits(62), device_model="", platform="", system_version="", api_id=call.server.api_id,
        app_name="", app_version="", date_created=now, date_active=now, ip="", country="", region="",
    )  # fmt: skip


@method("auth.signIn", anyone=True)
def sign_in(call: Call, query: raw.functions.auth.SignIn) -> TLObject:
    logins = call.world.part(Logins)
    login = logins.codes.get(query.phone_code_hash)
    if login is None or login.phone != _digits(query.phone_number):
        raise RpcError(400, "PHONE_CODE_EXPIRED")
    if not query.phone_code:
        raise RpcError(400, "PHONE_CODE_EMPTY")
    if query.phone_code != login.code:
        raise RpcError(400, "PHONE_CODE_INVALID")
    del logins.codes[query.phone_code_hash]
    user = call.world.user_by_phone(login.phone)
    assert user is not None
    return _signed_in(call, user)


@method("account.getPassword", anyone=True, bots=False)
def get_password(call: Call, query: raw.functions.account.GetPassword) -> TLObject:
    logins = call.world.part(Logins)
    user_id = logins.half_way.get(call.session.key.id)
    user = call.world.users[user_id] if user_id is not None else call.user
    known = {
        "new_algo": raw.types.PasswordKdfAlgoUnknown(),
        "new_secure_algo": raw.types.SecurePasswordKdfAlgoUnknown(),
        "secure_random": os.urandom(256),
    }
    if user.password is None:
        return raw.types.account.Password(**known)
    challenge = srp.Challenge(user.password)
    srp_id = secrets.randbits(62)
    logins.challenges[srp_id] = challenge
    return raw.types.account.Password(
        has_password=True, current_algo=user.password.algorithm(), srp_B=challenge.public, srp_id=srp_id, **known
    )


@method("auth.checkPassword", anyone=True)
def check_password(call: Call, query: raw.functions.auth.CheckPassword) -> TLObject:
    logins = call.world.part(Logins)
    user_id = logins.half_way.get(call.session.key.id)
    if user_id is None:
        raise RpcError(401, "AUTH_KEY_UNREGISTERED")
    proof = query.password
    challenge = logins.challenges.pop(getattr(proof, "srp_id", 0), None)
    if challenge is None:
        raise RpcError(400, "SRP_ID_INVALID")
    if not challenge.accepts(proof.A, proof.M1):
        raise RpcError(400, "PASSWORD_HASH_INVALID")
    del logins.half_way[call.session.key.id]
    return _authorization(call, call.world.users[user_id])


@method("auth.exportAuthorization")
def export_authorization(call: Call, query: raw.functions.auth.ExportAuthorization) -> TLObject:
    if query.dc_id not in call.server.ports or query.dc_id == call.dc:
        raise RpcError(400, "DC_ID_INVALID")
    ticket = os.urandom(128)
    call.world.part(Logins).exported[ticket] = (call.user.id, query.dc_id)
    return raw.types.auth.ExportedAuthorization(id=call.user.id, bytes=ticket)


@method("auth.importAuthorization", anyone=True)
def import_authorization(call: Call, query: raw.functions.auth.ImportAuthorization) -> TLObject:
    if call.world.part(Logins).exported.pop(query.bytes, None) != (query.id, call.dc):
        raise RpcError(400, "AUTH_BYTES_INVALID")
    return _authorization(call, call.world.users[query.id])


@method("auth.logOut")
def log_out(call: Call, query: raw.functions.auth.LogOut) -> TLObject:
    call.server.log_out(call.session.key)
    return raw.types.auth.LoggedOut()
