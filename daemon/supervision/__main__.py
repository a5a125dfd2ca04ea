"""``python -m daemon.supervision``: the launcher."""

import os
import signal

# Process 1 ignores a signal that it has no handler for, and what follows takes a while to import.
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))

from daemon.supervision.launcher import main  # noqa: E402 - after the handler

if __name__ == "__main__":
    main()
