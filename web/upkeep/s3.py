"""Copies of the backups in a bucket of any storage that speaks S3.

Three kinds of requests are enough, so they are made with the HTTP library that is here anyway and signed by
requests-aws4auth: an SDK would take more memory than the rest of upkeep.
"""

import io
import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

import requests
from requests_aws4auth import AWS4Auth

from config.settings import Settings
from config.units import MIB

AWS = "https://s3.amazonaws.com"
DEFAULT_REGION = "us-east-1"
TIMEOUT_S = (10, 120)
PIECE_BYTES = MIB
REDIRECTS, FORBIDDEN = 300, 403

_REGION = re.compile(r"s3[.-](?:dualstack\.)?(?P<region>[a-z]+-[a-z0-9-]+)\.")
_XML = "{http://s3.amazonaws.com/doc/2006-03-01/}"


class S3Error(Exception):
    """The storage could not be reached, or refused; ``status`` is then its HTTP status."""

    def __init__(self, message: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(message)


class _Signature(AWS4Auth):
    """Signs a file without holding it in memory; the library itself would read and send it as a whole."""

    def __call__(self, request: Any) -> Any:
        file = request.body
        if not isinstance(file, io.BufferedReader):
            return super().__call__(request)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as request.body:
            super().__call__(request)
        request.body = file
        return request


@dataclass(frozen=True)
class Bucket:
    """A bucket, addressed by its path below the endpoint."""

    endpoint: str
    name: str
    auth: AWS4Auth

    def put(self, file: Path) -> None:
        """Copy a file into the bucket under its own name.

        :raises S3Error: the copy failed.
        """
        with file.open("rb") as content:
            self._request("PUT", file.name, data=content)

    def fetch(self, name: str, target: Path) -> None:
        """Copy the object *name* into a file.

        :raises S3Error: the fetch failed, or there is no such backup.
        """
        answer = self._request("GET", name, stream=True)
        try:
            with target.open("wb") as file:
                for piece in answer.iter_content(PIECE_BYTES):
                    file.write(piece)
        except requests.RequestException as error:
            raise S3Error(f"{name}: {error}") from error

    def delete(self, name: str) -> None:
        """Delete the object *name*, which may be missing.

        :raises S3Error: the deletion failed.
        """
        self._request("DELETE", name)

    def names(self) -> Iterator[str]:
        """The names of our backups in the bucket.

        :raises S3Error: the bucket cannot be listed.
        """
        query = {"list-type": "2", "prefix": "peaje-"}
        while True:
            page = self._page(query)
            yield from (key.text or "" for key in page.iterfind(f"{_XML}Contents/{_XML}Key"))
            following = page.findtext(f"{_XML}NextContinuationToken")
            if not following:
                return
            query["continuation-token"] = following

    def _page(self, query: dict[str, str]) -> ElementTree.Element:
        answer = self._request("GET", "", params=query)
        try:
            return ElementTree.fromstring(answer.content)
        except ElementTree.ParseError as error:
            raise S3Error(f"{self.endpoint} does not answer as S3 does: {error}") from error

    def _request(self, method: str, key: str, **more: object) -> requests.Response:
        address = f"{self.endpoint}/{self.name}/{quote(key)}".rstrip("/")
        try:
            # A redirect would take a backup, and our signature, wherever it leads.
            answer = requests.request(
                method,
                address,
                auth=self.auth,
                timeout=TIMEOUT_S,
                allow_redirects=False,
                **more,  # type: ignore[arg-type]
            )
        except requests.RequestException as error:
            raise S3Error(f"{self.endpoint} cannot be reached: {type(error).__name__}") from error
        if answer.status_code >= REDIRECTS:
            reason = f"{method} {self.name}/{key}: {answer.status_code} {_reason(answer.text)}"
            raise S3Error(reason, answer.status_code)
        return answer


def build(settings: Settings) -> Bucket | None:
    """The bucket that the settings name; None where they name none."""
    if not settings.backup_s3_bucket:
        return None
    endpoint = settings.backup_s3_endpoint or AWS
    auth = _Signature(settings.backup_s3_access_key, settings.backup_s3_secret_key, region_of(endpoint), "s3")
    return Bucket(endpoint, settings.backup_s3_bucket, auth)


def region_of(endpoint: str) -> str:
    """The region for the signature: providers that check it have it in their address, ``s3.<region>.…``."""
    match = _REGION.match(urlsplit(endpoint).hostname or "")
    return match["region"] if match else DEFAULT_REGION


def _reason(text: str) -> str:
    """The code and message of an S3 error."""
    match = re.search(r"<Code>(?P<code>\w+)</Code>(?:\s*<Message>(?P<words>[^<]*))?", text)
    return f"{match['code']}: {match['words'] or ''}".rstrip(": ") if match else text[:200]
