"""``python -m daemon.supervision``: the launcher."""

import os
import signal

# Process 1 ignores a signal without a handler, and the imports below take a while.
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))

from daemon.supervision.launcher import main  # noqa: E402 - after the handler

if __name__ == "__main__":
    main()
