"""A Telegram server over real TCP that unmodified MTProto clients log in to.

From the wire upwards:

    transport.py   framing: abridged, intermediate, padded, full
    handshake.py   key exchange with the server's RSA key (rsa_key.py)
    connection.py  one TCP connection: encryption, acknowledgements, the emulated network (network.py)
    session.py     authorisation keys and sessions, which outlive connections
    server.py      listeners of the data centres, keys and sessions, state on disk
    dispatch.py    calls: carried out, delayed, refused or lost, and answered
    delivery.py    updates: to which sessions, in which wrapping
    registry.py    ``@method``, and ``Call``: everything that a handler gets
    world.py       what exists: users, chats, messages, in Telegram's sense (timeline.py: a numbered history with pts)
    membership.py  who is in a channel, and who hears when that changes (qts.py: what bots are told besides messages)
    view.py        the world as one account sees it, in TL objects
    posting.py     sending, editing and deleting messages, with the updates that follow
    writing.py     what all writing calls check and answer
    files.py       photos and documents, and the signed references by which one account reaches them
                   (content.py: their bytes; picture.py: JPEG; uploads.py: parts on their way in)
    ledger.py      Stars: balances, charges, refunds, subscriptions
    faults.py      what goes wrong on request
    objects.py     TL objects of any kind, described in JSON or filled by type

**A method module** registers one function per call by its TL name and is listed in ``METHOD_MODULES`` of server.py:

    @method("messages.getHistory", bots=False)
    def get_history(call: Call, query: raw.functions.messages.GetHistory) -> TLObject:
        peer = call.peer(query.peer)            # marked id: user +id, basic group -id, channel -(10**12 + id)
        ...
        raise RpcError(400, "PEER_ID_INVALID")  # code and name must exist in the clients' own lists

- ``bots=False`` answers bots BOT_METHOD_INVALID, ``users=False`` answers people USER_BOT_REQUIRED, ``anyone=True``
needs
  no login.
- The function may be plain or ``async``; plain ones run in the order of arrival. It returns a TL object, a bool, a list
  of TL objects (a vector) or ready TL bytes (``bytes``: large answers skip one round of copying).
- ``call.user`` is who calls, ``call.view()`` renders for him and collects the users and chats mentioned, with the
access
  hashes that are his. Calls that write share the checks of writing.py.
- ``posting.send(call.server, sender_id, peer, Draft(...))`` posts a message and pushes the updates of everybody
  concerned; ``call.server.push(user_id, build)`` pushes updates without a message, ``build(view)`` returning a list.
- State belongs in ``call.world`` (pickled into the state directory); what a module keeps there besides is a dataclass
  under its own name: ``call.world.part(Stars)`` makes or returns it.
- Media of a message is any picklable object with ``view(view: View, message: Message) -> raw.base.MessageMedia``.
- Control calls: ``@route("POST", "/payments")`` of tests/sandbox/control.py.
"""
