"""What the operator sets: the environment, the plans, the texts, the log.

Lives here: reading and refusing settings (``settings``, ``session_string``, and ``kept/`` for what is kept of them
under ``DB_PATH``), the plans file (``plans``), currencies (``money``), the words for plans (``plan_texts``), languages
and the customers' texts (``texts``, ``locales/``), the log (``logging``), the start of every program (``program``), its
version (``version``), its memory (``memory``), and what an examination found (``findings``). It imports nothing of
``models``, ``daemon`` or ``web``.
"""
