"""`completion`: what makes a shell complete skep's commands, options and names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skep.cli.client import Client
from skep.cli.failures import Failure
from skep.cli.output import say
from skep.cli.place import socket_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

ASK_S = 0.5
"""Whoever pressed Tab waits: a server that is slower than this has no names to offer."""


def completion(shell: str) -> None:
    """Print what makes a shell complete skep.

    Its commands, its options, and the names of what there is.

    \b
    Examples:
      skep completion bash > /etc/bash_completion.d/skep
      skep completion zsh > "${fpath[1]}/_skep"
      skep completion fish > ~/.config/fish/completions/skep.fish
    """
    from click.shell_completion import get_completion_class  # noqa: PLC0415 - Click is for this alone

    from skep.cli.clicked import cli  # noqa: PLC0415
    from skep.cli.main import COMPLETES  # noqa: PLC0415

    script = get_completion_class(shell)
    assert script is not None, "the table names shells that Click knows"
    say(script(cli, {}, "skep", COMPLETES).source())


def offered(kind: str, begun: str, values: Mapping[str, Any]) -> list[str]:
    """The names of this kind (group, workload, key, cluster) that begin so; none when no server tells in time."""
    try:
        client = Client(socket_path(values.get("socket"), values.get("state_dir")))
        return sorted(name for name in _names(client, kind) if name.startswith(begun))
    except Failure:
        return []


def _names(client: Client, kind: str) -> list[str]:
    if kind == "key":
        status = client.get("/v1/status", ASK_S)
        return [view["key"] for view in (*status["groups"], *status["workloads"])]
    return [view["name"] for view in client.get(f"/v1/{kind}s", ASK_S)]
