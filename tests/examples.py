"""How many examples Hypothesis tries: some in every run, all of them under ``--hypothesis-profile thorough``."""

from typing import Any

import hypothesis
from hypothesis import HealthCheck

QUICK, THOROUGH = "quick", "thorough"
SHARE = 4
"""One in so many is tried in every run, where examples take long."""

hypothesis.settings.register_profile(QUICK, deadline=None)  # the machine may be busy with something else
hypothesis.settings.register_profile(THOROUGH, parent=hypothesis.settings.get_profile(QUICK), max_examples=1000)


def is_thorough() -> bool:
    """Is all to be tried?"""
    return hypothesis.settings.get_current_profile_name() == THOROUGH


def slow(most: int, **more: Any) -> hypothesis.settings:
    """Settings of a test whose examples take long: at *most* so many, one in :data:`SHARE` of them in a short run."""
    number = most if is_thorough() else -(-most // SHARE)
    return hypothesis.settings(max_examples=number, deadline=None, suppress_health_check=list(HealthCheck), **more)
