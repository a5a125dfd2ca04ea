"""``python -m web.upkeep``."""

from web.upkeep.runner import main

if __name__ == "__main__":
    raise SystemExit(main())
