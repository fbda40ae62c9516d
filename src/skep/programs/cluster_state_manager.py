"""`swarm-cluster-state-manager`: the executable of the reference document, in front of the daemon that `skep serve` is.

Its flags name one Swarm manager, or a single engine, and the certificates that are shown to it and to clients alike.
What they don't say comes from where `skep serve` takes it: variables and STATE/skep.toml (docs/settings.md).
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import click
import structlog

from skep import __version__
from skep.app import serve
from skep.logs import configure
from skep.model.cluster import TlsFiles
from skep.model.errors import Fault, InvalidError, SkepError
from skep.server.reference_log import STARTING, reference_words
from skep.settings import ClusterTls, Settings, load
from skep.settings.listening import address_fault
from skep.specs.endpoints import endpoint_fault, listen_address, without_password

log = structlog.get_logger()

CLUSTER = "swarm"
"""The name of the cluster that --swarm-manager is."""

_FILES = ("--tlscacert", "--tlscert", "--tlskey")


@dataclass(frozen=True, slots=True)
class Flags:
    """The document's flags."""

    addr: str
    swarm_manager: str
    tls: TlsFiles


def settings_of(flags: Flags, env: Mapping[str, str]) -> Settings:
    """The settings of the daemon. InvalidError names every fault with its flag."""
    if faults := _faults(flags):
        raise InvalidError(faults)
    given = {"clusters": f"{CLUSTER}={flags.swarm_manager}", "tls_listen": flags.addr}
    served = {"tls_cert": flags.tls.cert, "tls_key": flags.tls.key, "tls_client_ca": flags.tls.ca}
    settings = load(given | served, env)
    if not flags.swarm_manager.startswith(("tcp://", "https://")):
        return settings
    files = TlsFiles(settings.tls_client_ca, settings.tls_cert, settings.tls_key, flags.tls.verify)
    others = tuple(one for one in settings.cluster_tls if one.cluster != CLUSTER)
    return replace(settings, cluster_tls=(*others, ClusterTls(CLUSTER, files, (flags.swarm_manager,))))


def _faults(flags: Flags) -> list[Fault]:
    missing = [
        name for name, path in zip(_FILES, (flags.tls.ca, flags.tls.cert, flags.tls.key), strict=True) if not path
    ]
    faults = [
        Fault("is missing: clients are let in by their certificates alone; skep certs makes them", flag)
        for flag in missing
    ]
    if "," in flags.swarm_manager:
        faults.append(Fault("names one endpoint; several stand in SKEP_CLUSTER of skep serve", "--swarm-manager"))
    elif message := endpoint_fault(flags.swarm_manager):
        faults.append(Fault(f'"{without_password(flags.swarm_manager)}": {message}', "--swarm-manager"))
    if message := address_fault(flags.addr, listen_address):
        faults.append(Fault(message, "--addr"))
    return faults


def _option(name: str, **rest: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """With one dash or two, as Go's flags are."""
    return click.option(f"--{name}", f"-{name}", **rest)


class _GoCommand(click.Command):
    """A word behind one dash is one flag, as Go reads it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Click takes an unknown word for letters with a dash, and names the first of them."""
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            words = (word.partition("=")[0] for word in given if word[:2] == error.option_name[:2])
            known = [flag for one in self.get_params(ctx) for flag in one.opts]
            word = next((word for word in words if word not in known), error.option_name)
            alike = [flag for flag in known if flag.startswith("--") == word.startswith("--")]
            raise click.NoSuchOption(word, possibilities=alike, ctx=ctx) from error


@click.command(
    cls=_GoCommand,
    name="swarm-cluster-state-manager",
    help="Keeps containers on a Docker Swarm, or on an engine, as they were submitted. Flags take one dash or two.",
    context_settings={"max_content_width": 100, "help_option_names": ["-h", "-help", "--help"]},
)
@_option("addr", default="127.0.0.1:2476", show_default=True, metavar="HOST:PORT", help="HTTPS listen address.")
@_option(
    "swarm-manager",
    default="tcp://127.0.0.1:2376",
    show_default=True,
    metavar="URL",
    help="Docker Swarm manager or engine: tcp:// with TLS, unix:// and http:// without.",
)
@_option("tlscacert", default="", metavar="PATH", help="Who signed the manager's and the clients' certificates.")
@_option("tlscert", default="", metavar="PATH", help="The certificate shown to the manager and to clients.")
@_option("tlskey", default="", metavar="PATH", help="Its key.")
@_option(
    "insecure-skip-verify",
    type=bool,
    is_flag=False,
    flag_value=True,
    default=False,
    show_default="false",
    help="Skip verification of the manager's certificate.",
)
@click.version_option(__version__, "-version", "--version", message="%(version)s")
def main(addr: str, swarm_manager: str, tlscacert: str, tlscert: str, tlskey: str, insecure_skip_verify: bool) -> None:
    """Serve until stopped."""
    files = TlsFiles(tlscacert, tlscert, tlskey, verify=not insecure_skip_verify)
    try:
        settings = settings_of(Flags(addr, swarm_manager, files), os.environ)
        configure(settings.log_level, settings.log_format, (reference_words,))
        log.info(STARTING, version=__version__)
        serve(settings, (reference_words,), "SKEP_STATE_DIR")
    except* SkepError as group:
        for text in _texts(group):
            click.echo(f"swarm-cluster-state-manager: {text}", err=True)
        raise SystemExit(1) from None


def _texts(error: BaseException) -> list[str]:
    if isinstance(error, BaseExceptionGroup):
        return [text for one in error.exceptions for text in _texts(one)]
    return str(error).splitlines()


if __name__ == "__main__":
    main()
