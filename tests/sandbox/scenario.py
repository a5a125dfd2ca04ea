"""The world that every sandbox starts with: who is there, which chats, which posts to ask for."""

import secrets
import string
from dataclasses import dataclass, field
from typing import Any

from pyrogram import raw

from . import extras
from .telegram import posting, posts
from .telegram.authorization import SERVICE_ACCOUNT
from .telegram.content import MIB
from .telegram.files import VIEW_ONCE
from .telegram.posting import Draft
from .telegram.posts import Order
from .telegram.server import SECOND_DC, Server
from .telegram.timeline import Message
from .telegram.world import Bot, Channel, Group, Invitation, Member, Role, User

BOT_ID = 7_100_000_001
FOREIGN_BOT_ID = 7_100_000_002
OPERATOR_ID = 6_200_000_001
ADMIN_ID = 5_300_000_001
SECOND_ADMIN_ID = 5_300_000_002
PERSON_ID = 4_400_000_001
PUBLISHER_ID = 4_400_000_002
_FIRST_CUSTOMER_ID = 8_000_000_001
# As many ids made in recent years, above 2**31, as older ones below it.
_OLD_CUSTOMER_ID = 912_345_001
_GALLERY_ID = 2_200_000_001
_NAMES = (
    "Lucía Mateo Noah Emma Hugo Sofía Liam Olivia Martín Julia Lucas Amelia "
    "Daniela Leo Carla Ethan Valeria Mia Pablo Ava Elena James Marco Grace"
).split()
_TOKEN_ALPHABET = string.ascii_letters + string.digits + "-_"


@dataclass
class Scene:
    """What the scenario gave to the programs and tests; kept with the world."""

    api_id: int = 0
    api_hash: str = ""
    admin_session: str = ""
    second_admin_session: str = ""
    operator_session: str = ""
    customer_sessions: dict[int, str] = field(default_factory=dict)
    links: dict[str, dict[str, Any]] = field(default_factory=dict)
    # Name -> channel id, for control calls.
    chats: dict[str, int] = field(default_factory=dict)


def build(server: Server) -> Scene:
    """Fill an empty world."""
    scene = server.world.part(Scene)
    scene.api_id, scene.api_hash = server.api_id, server.api_hash
    _populate(server)
    scene.admin_session = server.new_session_string(ADMIN_ID)
    scene.second_admin_session = server.new_session_string(SECOND_ADMIN_ID)
    scene.operator_session = server.new_session_string(OPERATOR_ID)
    for customer in customers(server):
        scene.customer_sessions[customer.id] = server.new_session_string(customer.id)
    _open_chats(server, scene)
    _write_gallery(server, scene)
    _write_elsewhere(server, scene)
    _write_private_mail(server, scene)
    extras.write(lambda chat: _Writer(server, scene, chat), scene.links)
    return scene


def customers(server: Server) -> list[User]:
    """The customers, in the order of scenario.json."""
    ids = [_customer_id(number) for number in range(len(_NAMES))]
    return [server.world.users[id_] for id_ in ids]


def _customer_id(number: int) -> int:
    return (_FIRST_CUSTOMER_ID if number % 2 == 0 else _OLD_CUSTOMER_ID) + number


def _token(bot_id: int) -> str:
    return f"{bot_id}:AA" + "".join(secrets.choice(_TOKEN_ALPHABET) for _ in range(33))


def _populate(server: Server) -> None:
    add = server.world.add_user
    add(User(SERVICE_ACCOUNT, "Telegram", phone="42777", verified=True, support=True))
    add(User(BOT_ID, "Peaje", username="peaje_sandbox_bot", bot=Bot(_token(BOT_ID))))
    add(User(FOREIGN_BOT_ID, "Bank", username="sandbox_bank_bot", bot=Bot(_token(FOREIGN_BOT_ID))))
    add(User(OPERATOR_ID, "Operator", username="peaje_operator", phone="34600000001", premium=True))
    add(User(ADMIN_ID, "Alba", username="peaje_admin", phone="34600000002", language_code="es"))
    add(User(SECOND_ADMIN_ID, "Bruno", username="peaje_admin_2", phone="34600000005", language_code="en"))
    add(User(PERSON_ID, "Marta", username="marta_private", phone="34600000003", language_code="es"))
    add(User(PUBLISHER_ID, "Publisher", username="sandbox_publisher", phone="34600000004"))
    for number, name in enumerate(_NAMES):
        id_ = _customer_id(number)
        language = "es" if number % 2 == 0 else "en"
        add(User(id_, name, username=f"customer_{number + 1}", phone=f"346001{number:05}", language_code=language))


# Chats


def open_channel(
    server: Server, title: str, *, members: tuple[int, ...] = (), invitation: Invitation | None = None, **settings: Any
) -> Channel:
    """Make a channel that the publisher owns."""
    world = server.world
    id_ = max(world.channels, default=_GALLERY_ID - 1) + 1
    channel = world.add_channel(Channel(id_, title, PUBLISHER_ID, world.now(), **settings))
    for user_id in members:
        channel.members[user_id] = Member(Role.MEMBER, world.now())
    if invitation is not None:
        channel.invitations[invitation.hash] = invitation
    return channel


def invitation(server: Server, **settings: Any) -> Invitation:
    """Make an invitation link of the publisher's."""
    return Invitation(secrets.token_urlsafe(12), PUBLISHER_ID, server.world.now(), **settings)


def _open_chats(server: Server, scene: Scene) -> None:
    def invite(**settings: Any) -> Invitation:
        return invitation(server, **settings)

    inside = (OPERATOR_ID,)
    channels = {
        "gallery": open_channel(server, "Gallery", username="sandbox_gallery"),
        "library": open_channel(server, "Library", username="sandbox_library"),
        "protected": open_channel(server, "No saving here", username="sandbox_protected", noforwards=True),
        "forum": open_channel(server, "Forum", username="sandbox_forum", megagroup=True, forum=True),
        "chat": open_channel(server, "Talk", username="sandbox_talk", megagroup=True, members=inside),
        "private": open_channel(server, "Private club", members=inside, invitation=invite()),
        "invited": open_channel(server, "By invitation", invitation=invite()),
        "requested": open_channel(server, "On request", invitation=invite(request_needed=True)),
        "expired": open_channel(server, "Too late", invitation=invite(expires_at=server.world.now() - 60)),
        "discussion": open_channel(server, "Comments", username="sandbox_comments", megagroup=True),
        "secret": open_channel(server, "Operator's own", members=inside),
    }
    channels["discussed"] = open_channel(server, "Discussed", username="sandbox_discussed")
    channels["extras"] = open_channel(server, "Extras", username="sandbox_extras")
    channels["discussed"].discussion = channels["discussion"].id
    scene.chats = {name: channel.id for name, channel in channels.items()}
    for name in ("invited", "requested", "expired", "private"):
        hash_ = next(iter(channels[name].invitations))
        link = {"invited": "invite1", "private": "invite_already1"}.get(name, f"invite_{name}1")
        scene.links[link] = _bare(f"https://t.me/+{hash_}", "invite")
    scene.links["invite_invalid1"] = _bare("https://t.me/+AAAAAAAAAAAAAAAA", "invite")


def _bare(url: str, kind: str) -> dict[str, Any]:
    return {"url": url, "kind": kind, "size": 0, "sha256": None, "file_name": None, "caption": ""}


# Posts


class _Writer:
    """Posts to a channel and notes the links."""

    def __init__(self, server: Server, scene: Scene, chat: str) -> None:
        self._server = server
        self._scene = scene
        self.channel = server.world.channels[scene.chats[chat]]

    def post(self, name: str, **order: Any) -> list[Message]:
        wanted = Order(**order)
        messages = posts.publish(self._server, self.channel, PUBLISHER_ID, wanted)
        self._scene.links[name] = posts.describe(self.channel, wanted, messages)
        return messages


def _write_gallery(server: Server, scene: Scene) -> None:
    gallery = _Writer(server, scene, "gallery")
    for number in range(1, 13):
        gallery.post(
            f"photo{number}",
            kind="photo",
            caption=f"Photo {number}",
            width=(800, 600, 1280)[number % 3],
            height=(450, 800, 720)[number % 3],
            dc=SECOND_DC if number % 4 == 3 else 2,
        )
    for number in range(1, 6):
        caption = f"Vídeo {number}: #verano"
        gallery.post(
            f"video{number}",
            kind="video",
            caption=caption,
            entities=[raw.types.MessageEntityBold(offset=0, length=5)],
            size=(2 + number) * MIB + 12_345 * number,
            file_name=f"vídeo {number}.mp4",
            duration=20 * number,
            dc=SECOND_DC if number == 3 else 2,
        )
    gallery.post("album1", kind="album", items="photo", count=5, caption="Five photos", width=640, height=426)
    gallery.post("album_mixed1", kind="album", items="video", count=3, caption="Three videos")
    gallery.post("animation1", kind="animation", file_name="loop.mp4")
    gallery.post("video_note1", kind="video_note")
    gallery.post("voice1", kind="voice")
    gallery.post("sticker1", kind="sticker", file_name="sticker.webp")
    gallery.post("view_once1", kind="photo", ttl_seconds=VIEW_ONCE)
    scene.links["missing1"] = _bare("https://t.me/sandbox_gallery/99999", "missing")


def _write_elsewhere(server: Server, scene: Scene) -> None:
    library = _Writer(server, scene, "library")
    library.post(
        "music1", kind="music", title="Paso a nivel", performer="Los Peajes", file_name="paso.mp3", duration=187
    )
    library.post("apk1", kind="apk", file_name="toll-2.1.apk", size=6 * MIB + 77)
    library.post("document1", kind="document", size=20 * MIB, file_name="informe anual.pdf", caption="Informe anual")
    # Seeds whose digests content.py knows: working them out would hold up every start for two seconds.
    library.post("document_big", kind="document", size=300 * MIB, seed=300, file_name="archive.pdf")
    library.post("document_2g", kind="document", size=2000 * MIB, seed=2000, file_name="disk.pdf")
    library.post("document_small1", kind="document", size=1000, file_name="small.pdf")
    library.post("text1", kind="text", caption="Only words: nothing to download here.")
    _write_nested(library, scene)
    private = _Writer(server, scene, "private")
    private.post("private1", kind="photo", caption="For members")
    private.post("private_document1", kind="document", size=3 * MIB, file_name="members.pdf")
    _Writer(server, scene, "secret").post("secret1", kind="document", file_name="payroll.pdf", caption="Payroll")
    _Writer(server, scene, "protected").post("protected1", kind="photo", caption="Not to be saved")
    for name in ("invited", "requested", "expired"):
        _Writer(server, scene, name).post(f"{name}_post1", kind="photo", caption=f"Inside: {name}")
    scene.links["invite_post1"] = {**scene.links["invited_post1"], "url": scene.links["invite1"]["url"] + "/1"}
    _write_forum(server, scene)
    _write_discussion(server, scene)


def _write_nested(library: _Writer, scene: Scene) -> None:
    """A text that only points to a post with media: by a link behind words, and by a bare link."""
    words = "Watch it here"
    target = scene.links["photo1"]["url"]
    link = raw.types.MessageEntityTextUrl(offset=9, length=4, url=target)
    library.post("nested1", kind="text", caption=words, entities=[link])
    scene.links["nested1"] = {**scene.links["photo1"], "url": scene.links["nested1"]["url"], "target": target}
    bare = f"More: {target}"
    library.post(
        "nested2",
        kind="text",
        caption=bare,
        entities=[raw.types.MessageEntityUrl(offset=6, length=len(target))],
    )
    scene.links["nested2"] = {**scene.links["photo1"], "url": scene.links["nested2"]["url"], "target": target}


def open_topic(server: Server, forum: Channel, title: str) -> int:
    """Open a topic; its id is that of the message that opened it."""
    action = raw.types.MessageActionTopicCreate(title=title, icon_color=0x6FB9F0)
    topic = posting.send(server, PUBLISHER_ID, forum.peer, Draft(action=action)).message.id
    forum.topics[topic] = title
    return topic


def _write_discussion(server: Server, scene: Scene) -> None:
    """A post with a comment that has media of its own."""
    discussed = _Writer(server, scene, "discussed")
    post = discussed.post("discussed1", kind="text", caption="What do you think?")[0]
    comments = _Writer(server, scene, "discussion")
    comment = comments.post(
        "comment1", kind="photo", caption="A comment", reply_to=discussed.channel.discussed[post.id]
    )[0]
    scene.links["comment1"]["url"] = f"{scene.links['discussed1']['url']}?comment={comment.id}"


def _write_forum(server: Server, scene: Scene) -> None:
    forum = _Writer(server, scene, "forum")
    general = forum.channel
    topic = open_topic(server, general, "Films")
    forum.post("topic1", kind="photo", caption="In a topic", topic=topic)
    talk = _Writer(server, scene, "chat")
    talk.post("group_post1", kind="photo", caption="From a public group")


# The mail that nobody but the operator may see


def _write_private_mail(server: Server, scene: Scene) -> None:
    def write(sender: int, peer: int, text: str) -> None:
        posting.send(server, sender, peer, Draft(text))

    def link_to_last(name: str, chat: str) -> None:
        last_id = server.world.users[OPERATOR_ID].timeline.last_id
        scene.links[name] = {**_bare(f"https://t.me/{chat}/{last_id}", "person"), "secret": _last_text(server)}

    write(SERVICE_ACCOUNT, OPERATOR_ID, "Login code: 48213. Do not give this code to anyone!")
    link_to_last("login_code1", "telegram")
    write(PERSON_ID, OPERATOR_ID, "SECRET: the safe opens with 7-19-42.")
    link_to_last("person1", "marta_private")
    write(OPERATOR_ID, FOREIGN_BOT_ID, "/balance")
    write(FOREIGN_BOT_ID, OPERATOR_ID, "SECRET: your balance is 12,345.67 EUR.")
    link_to_last("bot_dialog1", "sandbox_bank_bot")
    members = {ADMIN_ID: 0, PERSON_ID: 0, OPERATOR_ID: 0}
    group = server.world.add_group(Group(4_100_001, "Family", PERSON_ID, server.world.now(), members))
    write(PERSON_ID, group.peer, "SECRET: surprise party on Friday.")
    link_to_last("basic_group1", f"c/{group.id}")


def _last_text(server: Server) -> str:
    timeline = server.world.users[OPERATOR_ID].timeline
    return timeline.messages[timeline.last_id].text
