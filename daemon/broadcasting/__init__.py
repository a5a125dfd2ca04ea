"""News for many customers: ``content`` is what an admin wrote, as values, and as the call that sends it; ``worker``
carries out what the rows of ``models.promotion.broadcasts`` ask for, beside everything else that the bot says.
"""
