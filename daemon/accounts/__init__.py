"""The accounts that read posts, as the daemon handles them: who logs in, and which one reads.

``logins`` carries out log-ins that were begun on a page, ``seat`` puts the account that is to read into the client,
``standbys`` looks at the others once a day.
"""
