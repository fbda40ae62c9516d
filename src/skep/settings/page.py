"""docs/settings.md, made from the table."""

from typing import Final

from skep.settings.table import SETTINGS, Setting

_PAGE: Final = """# Settings

`skep serve` takes each setting from, in this order: its flag, its environment variable, the file, the default.
The file is TOML with the names of the first column (`resync_s = 60`); it is `STATE/skep.toml` unless `--config`
says otherwise, where STATE is the state directory. `state_dir` and `config` can't stand in it. An empty variable
counts as not given. What is unknown in the file, has the wrong type or is impossible is refused at start, all of
it at once.

## Clusters of engines

A cluster is one or more Docker Engines, or the managers of one Swarm; which it is, skep finds out. In the file:

    [clusters.prod]
    endpoints = ["tcp://10.0.0.1:2376", "tcp://10.0.0.2:2376"]
    cert_path = "certs"        # a folder with ca.pem, cert.pem and key.pem, or instead of it:
    # tlscacert = "ca.pem"     # who signed the engines' certificates
    # tlscert = "cert.pem"     # what we show them
    # tlskey = "key.pem"

The same as flags: `--cluster prod=tcp://10.0.0.1:2376,tcp://10.0.0.2:2376 --cluster-tls prod=certs`; both may be given
as often as there are clusters, and stand in their variables with spaces between. A cluster of a flag replaces one of
the same name in the environment, that one in the file; so do its TLS files. Paths in the file start at its folder.

| endpoint | reached |
|---|---|
| `unix:///run/docker.sock` | through a socket of this host |
| `tcp://HOST:PORT` | with TLS where the cluster has TLS files, else without; port 2376 or 2375 where none is named |
| `https://HOST:PORT` | with TLS; without files where this host trusts the certificate and none is asked of us |
| `http://HOST:PORT` | without TLS |
| `ssh://USER@HOST:PORT/SOCKET` | by this host's ssh and `docker` over there; SOCKET is its engine's, if not the usual |
| `context://NAME` | as the context of docker's client says, with its TLS files |

TLS is 1.2 or newer, and an engine's certificate has to bear the name or address of its endpoint. ssh never asks: keys,
known hosts and jumps are those of its own settings. TLS files that are renewed count for connections from then on, and
a CA that was taken out of its file is trusted no more.

## Over TLS

`tls_listen`, `tls_cert`, `tls_key` and `tls_client_ca` belong together; [the state manager](state-manager.md#over-tls)
says who gets in. Paths in the file start at its folder. A file that is renewed counts for connections from then on.

## All of them

| name | flag | environment | default (limits) | why |
|---|---|---|---|---|
"""


def documentation() -> str:
    """docs/settings.md: the table as people read it. A test holds the page equal to it."""
    rows = [
        f"| `{row.in_file or row.name}` | `{row.flag}` | `{row.env}` | {_in_words(row)} | {row.reason} |"
        for row in SETTINGS
    ]
    return _PAGE + "\n".join(rows) + "\n"


def _in_words(row: Setting) -> str:
    default = row.shown_default if row.shown else f"`{row.default:g}`" if row.type is not str else f"`{row.default}`"
    bounds = f" ({row.least:g} to {row.most:g})" if row.most else ""
    choices = f" ({', '.join(row.choices)})" if row.choices else ""
    return f"{default}{' ' if row.unit in _SPOKEN else ''}{row.unit if row.unit in _SPOKEN else ''}{bounds}{choices}"


_SPOKEN = frozenset({"s"})
"""Units that are written behind a default; the others only say what kind of thing it is."""
