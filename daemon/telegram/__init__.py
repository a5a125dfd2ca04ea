"""Telegram, without anything of what the bot is for.

``clients`` builds the two clients and keeps each connected (``login``, ``session_file``, ``endpoint``). ``bot`` takes
updates and fetches those that were missed; ``update_gaps`` notices that some were. ``rpc`` makes one call, ``sender``
sends and edits the bot's messages, ``screen`` is what a message shows, ``links`` is the grammar of Telegram links,
``standing`` tells whether the account is frozen or limited, ``errors`` is how all of this fails.
"""
