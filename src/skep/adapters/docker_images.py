"""The image half of DockerEngine: listing, pulling, and moving them as tar streams."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from urllib.parse import quote

import msgspec

from skep.adapters import docker_read as read
from skep.adapters.docker_errors import engine_error, pull_kind
from skep.adapters.docker_wire import Request, Wire, lines
from skep.model.engine import Image
from skep.model.errors import NotFoundError, RejectedError, UnavailableError


def split_reference(image: str) -> tuple[str, str]:
    """Name and tag (or digest) of a reference; `latest` where none is written, so that never all tags are meant.

    A colon before the last slash is a registry's port.
    """
    name, at, digest = image.partition("@")
    if at:
        return name, digest
    head, slash, last = image.rpartition("/")
    base, _, tag = last.partition(":")
    return head + slash + base, tag or "latest"


class ImageCalls:
    """Calls about images; streams of tar are bounded in time and outside the limit of calls."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def image_ids(self) -> Mapping[str, str]:
        return read.read_images(await self._wire.read("list images", "images/json", list[read.ImageAnswer]))

    async def image(self, image: str) -> Image | None:
        try:
            answer = await self._wire.read(f"inspect image {image}", f"images/{quote(image)}/json", read.ImageDetails)
        except NotFoundError:
            return None
        return read.read_image(answer)

    async def fetch_image(self, image: str) -> None:
        found = await self._wire.credentials(image)
        try:
            await self._pull(image, found.header)
        except (RejectedError, UnavailableError) as error:
            if not found.complaint:
                raise
            raise type(error)(f"{error} ({found.complaint})") from error

    async def _pull(self, image: str, registry_auth: str) -> None:
        name, tag = split_reference(image)
        query = [("fromImage", name), ("tag", tag)]
        what = f"pull image {image}"
        await self._progress(Request(what, "POST", "images/create", query, None, registry_auth, pull_kind))

    async def import_image(self, image: str, tar: AsyncIterator[bytes], changes: Sequence[str]) -> str:
        name, tag = split_reference(image)
        query = [("fromSrc", "-"), ("repo", name), ("tag", tag), *(("changes", change) for change in changes)]
        statuses = await self._progress(Request(f"import image {image}", "POST", "images/create", query, tar))
        if not statuses:
            raise UnavailableError(f"could not import image {image} on {self._wire.endpoint}: no ID came back")
        return statuses[-1]

    async def pull_image(self, image: str, *, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                await self._pull(image, (await self._wire.credentials(image)).header)
        except TimeoutError:
            return False
        except (RejectedError, UnavailableError):
            # The engine passes on whatever its registry said; an engine that is itself away shows in this:
            await self._wire.raw("ping", "_ping")
            return False
        return True

    async def save_images(self, images: Sequence[str]) -> AsyncIterator[bytes]:
        what = f"save images {', '.join(images)}"
        query = [("names", image) for image in images]
        async with self._wire.stream(Request(what, "GET", "images/get", query)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def load_images(self, tar: AsyncIterator[bytes]) -> None:
        await self._progress(Request("load images", "POST", "images/load", [("quiet", "1")], tar))

    async def _progress(self, request: Request) -> list[str]:
        """The statuses of a progress stream, which answers 200 even when it fails later (semantics.md 5.3)."""
        statuses = []
        async with self._wire.stream(request) as chunks:
            async for line in lines(chunks):
                progress = msgspec.json.decode(line, type=read.StreamLine)
                if progress.error:
                    raise engine_error(0, progress.error, request.what, self._wire.endpoint, request.meaning)
                statuses.append(progress.status)
        return [status for status in statuses if status]
