"""The version of all programs, in one place. ``CHANGELOG.md`` and the tag of a release say the same."""

VERSION = "1.0.0"
"""Semantic: the first number changes when an operator has to do something, the second with what is new to them."""
