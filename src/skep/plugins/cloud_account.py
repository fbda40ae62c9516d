"""One account on a cloud, through libcloud: its calls in threads, a few at a time, their errors in our words.

libcloud is imported when an account is opened: it is an extra, and takes a tenth of a second.
"""

import asyncio
import json
import re
import stat
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import structlog

from skep.model.errors import NotFoundError, RefusedError, RejectedError, SkepError, UnavailableError
from skep.plugins.cloud_dialects import DIALECTS, Dialect, Driver, Node
from skep.plugins.cloud_redaction import redacted
from skep.ports import Clock

log = structlog.get_logger()
T = TypeVar("T")

CALLS_MAX = 8
"""At once and account: clouds throttle an account as a whole, and more only brings that about."""
CALL_TIMEOUT_S = 300.0
"""libcloud gives up a request after 60 s; creating a machine is several of them on some clouds."""
TRIES_MAX = 5
PAUSE_S = 2.0
PAUSE_MAX_S = 60.0
"""Between tries that were throttled, doubled each time, or as long as the cloud says."""
CHOICES_S = 3600.0
"""Sizes and places change rarely."""
TOLD_MAX = 20
TEXT_CHARS_MAX = 1000

_PREFIX = "SKEP_CLOUD_"
_DEFAULTS: Mapping[str, Mapping[str, str]] = {"openstack": {"api_version": "2.2"}}
"""libcloud takes OpenStack's API of 2011 unless it is told otherwise."""

_SECRET = re.compile("key|secret|password|token")
SECRET_CHARS_MIN = 6
"""What is shorter is no secret, and part of ordinary words."""
_THROTTLED = ("RequestLimitExceeded", "Throttling", "TooManyRequests", "rate limit")
_TRY_LATER = frozenset({408, 500, 502, 503, 504})


def credentials(environ: Mapping[str, str], file: Path | None) -> dict[str, dict[str, str]]:
    """Arguments of drivers by provider, from `SKEP_CLOUD_PROVIDER_ARGUMENT` and from a JSON file of the same shape.

    RefusedError for a file that others can read; NotFoundError for one that can't be read, or for no account at all.
    """
    found = _of_file(file) if file else {}
    for name, value in environ.items():
        for provider in DIALECTS:
            prefix = f"{_PREFIX}{provider.upper()}_"
            if name.startswith(prefix):
                found.setdefault(provider, {})[name.removeprefix(prefix).lower()] = value
    if not found:
        raise NotFoundError(
            f"found no credentials of a cloud: set {_PREFIX}PROVIDER_KEY and {_PREFIX}PROVIDER_SECRET, with one of "
            f"{', '.join(sorted(DIALECTS)).upper()}, or name a file with --credentials"
        )
    return found


def _of_file(file: Path) -> dict[str, dict[str, str]]:
    try:
        if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise RefusedError(f"others can read the credentials in {file}: chmod 600 it")
        found = json.loads(file.read_text())
        return {provider: {name: str(text) for name, text in given.items()} for provider, given in found.items()}
    except OSError as error:
        raise NotFoundError(f"could not read the credentials in {file}: {error.strerror}") from error
    except (ValueError, AttributeError) as error:
        raise NotFoundError(f'{file} is not {{"provider": {{"key": "…", "secret": "…"}}}}') from error


def open_accounts(given: Mapping[str, Mapping[str, str]], clock: Clock) -> "dict[str, Account]":
    """An account for each; NotFoundError where libcloud is not installed or does not know the provider."""
    libcloud = _libcloud()
    accounts = {}
    for provider, arguments in given.items():
        if provider not in DIALECTS:
            raise NotFoundError(f"no provider {provider}; there are {', '.join(sorted(DIALECTS))}")
        make = _maker(libcloud, provider, arguments)
        accounts[provider] = Account(provider, make, DIALECTS[provider], clock, _secrets(arguments))
    return accounts


def _secrets(arguments: Mapping[str, str]) -> set[str]:
    """Those of the arguments that errors must not tell."""
    return {text for name, text in arguments.items() if len(text) >= SECRET_CHARS_MIN and _SECRET.search(name)}


def _libcloud() -> ModuleType:
    try:
        import libcloud.compute.providers  # noqa: PLC0415 (an extra)
    except ImportError as error:
        raise NotFoundError("apache-libcloud is not installed: pip install 'skep[clouds]'") from error
    return libcloud.compute.providers


def _maker(libcloud: ModuleType, provider: str, arguments: Mapping[str, str]) -> Callable[[], Driver]:
    def make() -> Driver:
        driver: Driver = libcloud.get_driver(provider)(**{**_DEFAULTS.get(provider, {}), **arguments})
        return driver

    return make


class Account:
    """Drivers are used by one thread at a time: libcloud's keep the state of a request in themselves."""

    def __init__(
        self,
        provider: str,
        make: Callable[[], Driver],
        dialect: Dialect,
        clock: Clock,
        secrets: Collection[str] = (),
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> None:
        """make: opens a driver. secrets: what errors never tell. timeout_s: of a call and its wait."""
        self._timeout_s = timeout_s
        self.provider, self.dialect = provider, dialect
        self._make, self._clock, self._secrets = make, clock, secrets
        self._threads = ThreadPoolExecutor(CALLS_MAX, thread_name_prefix=provider)
        self._idle: list[Driver] = []
        self._listing = asyncio.Lock()
        self._next: asyncio.Task[Sequence[Node]] | None = None
        self._choices: dict[str, tuple[float, Sequence[Any]]] = {}

    async def nodes(self) -> Sequence[Node]:
        """All that are there, from a listing that began after the call; who asks meanwhile shares it."""
        if self._next is None:
            self._next = asyncio.create_task(self._list(), name=f"list {self.provider}")
        return await asyncio.shield(self._next)

    async def _list(self) -> Sequence[Node]:
        async with self._listing:
            self._next = None
            return await self.call("list the machines", lambda driver: list(driver.list_nodes()))

    async def choice(self, kind: str, wanted: str, listed: Callable[[Driver], Sequence[Any]]) -> Any:
        """The size or place of that ID or name; RejectedError names some that there are."""
        until_s, choices = self._choices.get(kind, (0.0, ()))
        if self._clock.monotonic_s() >= until_s:
            choices = await self.call(f"list each {kind}", lambda driver: list(listed(driver)))
            self._choices[kind] = self._clock.monotonic_s() + CHOICES_S, choices
        for choice in choices:
            if wanted in (str(choice.id), choice.name):
                return choice
        known = ", ".join(sorted(str(choice.id) for choice in choices)[:TOLD_MAX])
        more = f" and {len(choices) - TOLD_MAX} more" if len(choices) > TOLD_MAX else ""
        raise RejectedError(f"{self.provider} has no {kind} {wanted}; it has {known}{more}")

    async def call(self, what: str, act: Callable[[Driver], T], init: str = "") -> T:
        """What the act gives, tried again while the cloud throttles. `what` says in an error what was tried."""
        pause_s = PAUSE_S
        for left in reversed(range(TRIES_MAX)):
            try:
                return await self._in_thread(act)
            except SkepError:
                raise
            except TimeoutError as error:
                text = f"could not {what} on {self.provider}: no answer within {self._timeout_s:g} s"
                raise UnavailableError(text) from error
            except Exception as error:  # libcloud's drivers raise what they like
                if not (left and _is_throttled(error)):
                    raise self._told(what, error, init) from None  # its own text may hold what ours hides
                wait_s = min(getattr(error, "retry_after", 0) or pause_s, PAUSE_MAX_S)
            log.info("a cloud throttles", provider=self.provider, wait_s=wait_s)
            await self._clock.sleep(wait_s)
            pause_s *= 2
        raise AssertionError("the last try returns or raises")

    async def _in_thread(self, act: Callable[[Driver], T]) -> T:
        async with asyncio.timeout(self._timeout_s):
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._used, act)

    def _used(self, act: Callable[[Driver], T]) -> T:
        try:
            driver = self._idle.pop()
        except IndexError:
            driver = self._opened()
        try:
            return act(driver)
        finally:
            self._idle.append(driver)

    def _opened(self) -> Driver:
        """RejectedError for arguments that the driver does not take: their values are not told."""
        try:
            return self._make()
        except TypeError as error:
            text = f"libcloud's driver for {self.provider} takes other arguments than the credentials give: {error}"
            raise RejectedError(redacted(text, (), self._secrets)) from None

    def _told(self, what: str, error: Exception, init: str) -> SkepError:
        words = str(getattr(error, "value", None) or getattr(error, "message", None) or error) or type(error).__name__
        text = redacted(words, [init], self._secrets)[-TEXT_CHARS_MAX:]
        told = f"could not {what} on {self.provider}: {text}"
        code = _code(error)
        away = isinstance(error, OSError) or code in _TRY_LATER or _is_throttled(error)
        return UnavailableError(told) if away else RejectedError(told)

    def close(self) -> None:
        """Begin no more calls; those under way end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _code(error: Exception) -> int:
    """Of HTTP; 0 where there was none."""
    code = getattr(error, "http_code", None) or getattr(error, "code", None)
    return int(str(code)) if str(code).isdigit() else 0


def _is_throttled(error: Exception) -> bool:
    """The cloud did nothing because it was asked too much."""
    return _code(error) == 429 or any(word in str(error) for word in _THROTTLED)
