"""What chat and console call the same things: why a link was refused, what is wrong, how a payment stands.

Pure functions of texts and values: no module here reads or writes a row. What only one of the two says stands in its
own room.
"""
