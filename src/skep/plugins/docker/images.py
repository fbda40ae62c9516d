"""Images of the host's engine that machines hold too."""

import asyncio
from collections.abc import Mapping, Sequence

from skep.model.errors import RejectedError, UnavailableError
from skep.ports import Engine

LOAD_TIMEOUT_S = 600.0
"""Some gigabytes from disk to disk on a busy host."""


def tagged(image: str) -> str:
    """The reference with its tag, as engines list it."""
    return image if ":" in image.rpartition("/")[2] else f"{image}:latest"


def outdated(wanted: Sequence[str], host: Mapping[str, str], machine: Mapping[str, str]) -> list[str]:
    """Those that the host has and the machine lacks, or has in another build."""
    names = {image: tagged(image) for image in wanted}
    return [image for image, name in names.items() if name in host and machine.get(name) != host[name]]


def check_held(images: Sequence[str], host: Mapping[str, str]) -> None:
    """RejectedError names what the host's engine lacks."""
    if missing := [image for image in images if tagged(image) not in host]:
        raise RejectedError(f"this host's engine has no image {', '.join(missing)}: pull or build it there first")


async def copy_images(source: Engine, target: Engine, images: Sequence[str]) -> None:
    """Stream images from one engine to another; UnavailableError when that takes too long."""
    try:
        async with asyncio.timeout(LOAD_TIMEOUT_S):
            await target.load_images(source.save_images([tagged(image) for image in images]))
    except TimeoutError as error:
        names = ", ".join(images)
        raise UnavailableError(f"could not load {names} into {target.endpoint} within {LOAD_TIMEOUT_S:g} s") from error
