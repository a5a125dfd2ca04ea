"""Jobs: links to deliver, and all that decides how they are served. May import ``models.money``, never the reverse.

``queue`` holds the operations on jobs, ``states`` their states and moves, ``reasons`` why a job was not delivered,
``scheduling`` whose turn it is, ``batches`` several links of one message, ``usage`` what counts against a plan,
``budgets`` how much one customer may ask for, ``cache`` posts that the bot has sent, ``uploads`` acknowledged parts of
files, ``sources`` who may read which chat, ``lookups`` what became of names and invitations.
"""
