"""The pages of the first start.

Lives here: the application while set-up runs (``app``, ``__main__``), who may use it (``guard``), which step comes next
(``steps``), the way in (``entrance``), the steps of a new shop (``pages``, ``account``, ``paypal``), a backup instead
(``backup``), and what the shop's own application shows of it afterwards (``afterwards``).
"""
