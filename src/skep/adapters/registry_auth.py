"""Credentials for registries, as docker's own client keeps them: read when they are used, never kept, never logged."""

import asyncio
import base64
import contextlib
import json
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DOCKER_HUB = "https://index.docker.io/v1/"
"""Under what name docker's client keeps the credentials of images that name no registry."""
HELPER_TIMEOUT_S = 10.0
"""A helper asks a keychain or a cloud; one that waits for a person would wait for ever."""
_NOT_FOUND = "credentials not found"
"""How helpers say that they have none for this registry."""
_TOKEN_USER = "<token>"


@dataclass(frozen=True, slots=True)
class Credentials:
    """`header` is the value of X-Registry-Auth, empty where there are no credentials; a secret.

    `complaint` says why those that docker's settings speak of could not be had, without any of their content.
    """

    header: str = field(default="", repr=False)
    complaint: str = ""


NOBODY = Credentials()


def registry_of(image: str) -> str:
    """The key that docker keeps the credentials of an image's registry under: its host, or Docker Hub's URL."""
    first, slash, _ = image.partition("@")[0].partition("/")
    is_host = bool(slash) and ("." in first or ":" in first or first == "localhost")
    return first if is_host and first not in ("docker.io", "index.docker.io") else DOCKER_HUB


async def credentials(folder: Path | None, image: str) -> Credentials:
    """What docker's settings in `folder` hold for an image's registry. Never raises: pulling may do without."""
    if folder is None:
        return NOBODY
    registry, config = registry_of(image), folder / "config.json"
    try:
        settings = json.loads(config.read_bytes())
        helper = _helper(settings, registry)
        found = await _ask(helper, registry) if helper else _stored(settings, registry)
    except FileNotFoundError:
        return NOBODY
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        # Only the kind of an error: its text may quote what stands in the file.
        return Credentials(complaint=f"docker's settings in {config} could not be read ({type(error).__name__})")
    except _HelperError as error:
        return Credentials(complaint=str(error))
    return Credentials(_header(found)) if found else NOBODY


class _HelperError(Exception):
    """A credential helper that gave nothing, with its reason."""


def _helper(settings: Mapping[str, Any], registry: str) -> str:
    helpers = settings.get("credHelpers") or {}
    name = next((helpers[key] for key in helpers if _host(key) == _host(registry)), settings.get("credsStore") or "")
    if "/" in name:
        raise ValueError("a helper is a name, not a path")
    return str(name)


def _stored(settings: Mapping[str, Any], registry: str) -> dict[str, str]:
    """`auths` holds them in plain: base64 of USER:PASSWORD, or a token."""
    auths = settings.get("auths") or {}
    entry = auths.get(registry) or next((auths[key] for key in auths if _host(key) == _host(registry)), None)
    if not entry:
        return {}
    if entry.get("identitytoken"):
        return {"identitytoken": str(entry["identitytoken"]), "serveraddress": registry}
    user, _, password = base64.b64decode(entry.get("auth", "")).decode().rstrip("\0").partition(":")
    user, password = user or entry.get("username", ""), password or entry.get("password", "")
    return {"username": user, "password": password, "serveraddress": registry} if user else {}


def _host(key: str) -> str:
    """Older clients wrote URLs: `https://registry.example.com/v1/`."""
    return key.partition("://")[2].partition("/")[0] if "://" in key else key.partition("/")[0]


async def _ask(helper: str, registry: str) -> dict[str, str]:
    """Empty where the helper has none. _HelperError with its own words otherwise."""
    program = f"docker-credential-{helper}"
    try:
        process = await asyncio.create_subprocess_exec(
            program, "get", stdin=PIPE, stdout=PIPE, stderr=DEVNULL, start_new_session=True
        )
    except OSError as error:
        raise _HelperError(f"docker's credential helper {program} could not be run: {error.strerror}") from error
    try:
        async with asyncio.timeout(HELPER_TIMEOUT_S):
            out, _ = await process.communicate(registry.encode())
    except TimeoutError as error:
        raise _HelperError(f"docker's credential helper {program} gave no answer in {HELPER_TIMEOUT_S:g} s") from error
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode != 0:
        if _NOT_FOUND in out.decode(errors="replace"):
            return {}
        raise _HelperError(f"docker's credential helper {program} failed with code {process.returncode}")
    answer = json.loads(out)
    user, secret = str(answer["Username"]), str(answer["Secret"])
    if user == _TOKEN_USER:
        return {"identitytoken": secret, "serveraddress": registry}
    return {"username": user, "password": secret, "serveraddress": registry}


def _header(found: Mapping[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(found).encode()).decode()
