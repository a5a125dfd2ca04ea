"""What the programs and tests are told of the scenario: the content of `env` and `scenario.json`."""

from typing import Any

from .scenario import ADMIN_ID, BOT_ID, FOREIGN_BOT_ID, OPERATOR_ID, SECOND_ADMIN_ID, Scene, customers
from .telegram.server import Server
from .telegram.world import User


def environment(server: Server) -> dict[str, str]:
    """The settings that make the programs use this server."""
    scene = server.world.part(Scene)
    bot = server.world.users[BOT_ID].bot
    assert bot is not None
    return {
        "TELEGRAM_BOT_TOKEN": bot.token,
        "TELEGRAM_API_ID": str(scene.api_id),
        "TELEGRAM_API_HASH": scene.api_hash,
        "TELEGRAM_SESSION_STRING": scene.operator_session,
        "TELEGRAM_ENDPOINT": server.endpoint,
        "TELEGRAM_PUBLIC_KEY": str(server.public_key_file),
        "ADMIN_IDS": str(ADMIN_ID),
        "SUPPORT_CONTACT": "@peaje_admin",
    }


def description(server: Server, control_url: str) -> dict[str, Any]:
    """The content of scenario.json."""
    world = server.world
    scene = world.part(Scene)
    foreign = world.users[FOREIGN_BOT_ID]
    assert foreign.bot is not None
    return {
        "control_url": control_url,
        "api_id": scene.api_id,
        "api_hash": scene.api_hash,
        "telegram": {"endpoint": server.endpoint, "public_key": str(server.public_key_file)},
        "bot": {"id": BOT_ID, "username": world.users[BOT_ID].username},
        "foreign_bot": {"id": FOREIGN_BOT_ID, "username": foreign.username, "token": foreign.bot.token},
        "admin": {"id": ADMIN_ID, "session_string": scene.admin_session, "language_code": "es"},
        "second_admin": {
            "id": SECOND_ADMIN_ID,
            "session_string": scene.second_admin_session,
            "language_code": "en",
        },
        "operator": {"id": OPERATOR_ID, "username": "peaje_operator", "phone": "+34600000001"},
        "customers": [_customer(scene, user) for user in customers(server)],
        "chats": {name: world.channels[id_].peer for name, id_ in scene.chats.items()},
        "links": scene.links,
    }


def _customer(scene: Scene, user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "session_string": scene.customer_sessions[user.id],
        "first_name": user.first_name,
        "username": user.username,
        "language_code": user.language_code,
    }
