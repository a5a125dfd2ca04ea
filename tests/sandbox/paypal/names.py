"""Where names lead on this machine: a shop's public address is a port here, as a line of ``/etc/hosts`` would say."""

from collections.abc import Mapping


class Names:
    """Origins of shops, and the ones of this machine that they lead to."""

    def __init__(self) -> None:
        self._led: dict[str, str] = {}

    def lead(self, origins: Mapping[str, str]) -> None:
        """Lead these origins elsewhere from now on."""
        self._led.update(origins)

    def where(self, url: str) -> str:
        """The address to go to for *url*."""
        for name, origin in self._led.items():
            if url.startswith(f"{name}/"):
                return origin + url.removeprefix(name)
        return url
