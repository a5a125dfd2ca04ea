"""Telegram as the daemon meets it, without a word of what the bot is for.

``clients`` builds the two clients and keeps each connected (``login``, ``session_file``, ``endpoint``), ``update_gaps``
notices updates that were missed, ``rpc`` makes one call, ``sender`` says everything that is said in chat, ``screen`` is
what it shows, ``links`` is the grammar of Telegram links, ``errors`` how all of this fails.
"""
