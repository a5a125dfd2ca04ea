"""``python -m tests.sandbox.paypal --state DIR [--port N]``: runs until it is stopped."""

import argparse
import signal
import sys
import threading
from pathlib import Path

from . import SpecificationsMissing, start


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sandbox.paypal", description="A local PayPal.")
    parser.add_argument("--state", type=Path, required=True, help="directory of keys, orders and money; kept")
    parser.add_argument("--port", type=int, help="default: the one of the last time, else a free one")
    arguments = parser.parse_args()
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    try:
        server = start(arguments.state, arguments.port)
    except SpecificationsMissing as missing:
        sys.stderr.write(f"{missing}\n")
        return 1
    for name, value in server.env().items():
        sys.stdout.write(f"{name}={value}\n")
    sys.stdout.flush()
    stopping.wait()
    server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
