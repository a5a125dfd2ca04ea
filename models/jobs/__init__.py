"""Jobs: links on their way to delivered files. May import ``models.money``, never the reverse.

``queue`` holds the operations on jobs, ``states`` their states and allowed moves, ``scheduling`` whose turn it is,
``batches`` several links of one message, ``usage`` what counts against a plan, ``cache`` what was sent before,
``uploads`` acknowledged parts of files, ``sources`` which chats may be read for whom.
"""
