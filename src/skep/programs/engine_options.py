"""The flags with which InfraKit's programs name a Docker Engine and the TLS files for it (infrakit-compat.md 1.1)."""

from collections.abc import Callable
from typing import Any

import click

from skep.model.cluster import TlsFiles

DEFAULT_HOST = "unix:///var/run/docker.sock"


def tls_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--tlscacert`, `--tlscert`, `--tlskey` and `--tlsverify`, as what `tls_files` takes."""
    options = [
        click.option("--tlscacert", default="", help="Trust engines that this CA signed. Any of these asks for TLS."),
        click.option("--tlscert", default="", help="Client's certificate."),
        click.option("--tlskey", default="", help="Its key."),
        click.option(
            "--tlsverify",
            type=bool,
            is_flag=False,
            flag_value=True,
            default=True,
            show_default="true",
            help="True to verify the engine's certificate; --tlsverify=false to take any.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def tls_files(tlscacert: str, tlscert: str, tlskey: str, tlsverify: bool) -> TlsFiles | None:
    """None where no file was named: no TLS, then."""
    if not (tlscacert or tlscert or tlskey):
        return None
    return TlsFiles(tlscacert, tlscert, tlskey, tlsverify)
