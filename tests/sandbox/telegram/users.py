"""users.* and contacts.*: who somebody is, by id, user name or phone, and blocking."""

import re

from pyrogram import raw
from pyrogram.raw.core import TLObject

from .bots import commands_for, info_for
from .errors import RpcError
from .registry import Call, method
from .view import View
from .world import User, is_user

_USERNAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{3,31}")


@method("users.getUsers")
def get_users(call: Call, query: raw.functions.users.GetUsers) -> list[TLObject]:
    view = call.view()
    return [_user_or_empty(call, view, given) for given in query.id]


def _user_or_empty(call: Call, view: View, given: TLObject) -> TLObject:
    try:
        return view.user(call.world.user(call.user_id(given)))
    except RpcError:
        return raw.types.UserEmpty(id=getattr(given, "user_id", 0))


@method("users.getFullUser")
def get_full_user(call: Call, query: raw.functions.users.GetFullUser) -> TLObject:
    user = call.world.user(call.user_id(query.id))
    view = call.view()
    view.mention(user.id)
    full = raw.types.UserFull(
        id=user.id,
        settings=raw.types.PeerSettings(),
        notify_settings=raw.types.PeerNotifySettings(),
        common_chats_count=0,
        blocked=user.id in call.user.blocked or None,
        about=info_for(user.bot, call.user.language_code)[0] or None if user.bot else None,
        bot_info=_bot_info(user, call.user) if user.bot else None,
    )
    return raw.types.users.UserFull(full_user=full, chats=view.chats(), users=view.users())


def _bot_info(user: User, reader: User) -> TLObject:
    assert user.bot is not None
    for_all = user.bot.menu_buttons.get(0, raw.types.BotMenuButtonDefault())
    return raw.types.BotInfo(
        user_id=user.id,
        description=info_for(user.bot, reader.language_code)[1] or None,
        commands=commands_for(user.bot, reader),
        menu_button=user.bot.menu_buttons.get(reader.id, for_all),
    )


@method("contacts.resolveUsername")
def resolve_username(call: Call, query: raw.functions.contacts.ResolveUsername) -> TLObject:
    name = query.username.removeprefix("@")
    if not _USERNAME.fullmatch(name):
        raise RpcError(400, "USERNAME_INVALID")
    owner = call.world.by_username(name)
    if owner is None:
        raise RpcError(400, "USERNAME_NOT_OCCUPIED")
    return _resolved(call, owner.id if isinstance(owner, User) else owner.peer)


@method("contacts.resolvePhone", bots=False)
def resolve_phone(call: Call, query: raw.functions.contacts.ResolvePhone) -> TLObject:
    user = call.world.user_by_phone(query.phone)
    if user is None:
        raise RpcError(400, "PHONE_NOT_OCCUPIED")
    return _resolved(call, user.id)


def _resolved(call: Call, peer: int) -> TLObject:
    view = call.view()
    return raw.types.contacts.ResolvedPeer(peer=view.mention(peer), users=view.users(), chats=view.chats())


@method("contacts.getContacts", bots=False)
def get_contacts(call: Call, query: raw.functions.contacts.GetContacts) -> TLObject:
    return raw.types.contacts.Contacts(contacts=[], saved_count=0, users=[])


@method("contacts.block", bots=False)
def block(call: Call, query: raw.functions.contacts.Block) -> bool:
    set_blocked(call, call.peer(query.id), True)
    return True


@method("contacts.unblock", bots=False)
def unblock(call: Call, query: raw.functions.contacts.Unblock) -> bool:
    set_blocked(call, call.peer(query.id), False)
    return True


def set_blocked(call: Call, peer: int, blocked: bool) -> None:
    if not is_user(peer) or peer == call.user.id:
        raise RpcError(400, "CONTACT_ID_INVALID")
    call.server.set_blocked(call.user.id, peer, blocked)
