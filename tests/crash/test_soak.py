"""The soak, in short; ``make soak`` is the long one, and weighs the programs besides."""

from pathlib import Path

from tests.soak import marathon
from tests.soak.marathon import Course
from tests.soak.town import MIB

SHORT = Course(seed=11, minutes=0, jobs=55, customers=8, largest=2 * MIB, purchases=2, faults=8, warm_up=0, weigh=False)


def test_under_faults_nothing_is_lost_doubled_or_told(tmp_path: Path) -> None:
    result = marathon.run(tmp_path / "place", SHORT, lambda line: None)

    assert result.faults == []
