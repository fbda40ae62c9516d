"""The table of settings, and what a server gets of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from skep.model.cluster import StaticCluster, TlsFiles

Value = str | int | float


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table. `type` is str, int or float; `choices` and `least`/`most` bound what is possible.

    `shown` is the default in words where it depends on the machine; `default` is empty then. `repeated`: the flag may
    be given several times, and the variable holds several words. `in_file`: what stands for it in the file, where that
    is not its name.
    """

    name: str
    flag: str
    env: str
    type: type[str] | type[int] | type[float]
    default: Value
    unit: str
    reason: str
    choices: tuple[str, ...] = ()
    least: float = 0
    most: float = 0
    shown: str = ""
    repeated: bool = False
    in_file: str = ""

    @property
    def shown_default(self) -> str:
        """The default in words, for help and documentation."""
        return self.shown or str(self.default)


def _setting(name: str, default: Value, unit: str, reason: str, **bounds: Any) -> Setting:
    """A row whose flag and variable follow from its name."""
    return Setting(
        name, f"--{name.replace('_', '-')}", f"SKEP_{name.upper()}", type(default), default, unit, reason, **bounds
    )


DAY_S: Final = 86_400

SETTINGS: Final[tuple[Setting, ...]] = (
    _setting(
        "state_dir",
        "",
        "path",
        "Everything that is kept, 0700. Short, since sockets of machines below it have at most 107 bytes of path.",
        shown="/var/lib/skep for root, else $XDG_STATE_HOME/skep (~/.local/state/skep)",
    ),
    _setting(
        "config", "", "path", "The file of settings; it may be missing unless it is named.", shown="STATE/skep.toml"
    ),
    _setting("socket", "", "path", "Where the API listens, 0600; at most 107 bytes.", shown="STATE/skep.sock"),
    _setting(
        "controller",
        "skep",
        "name",
        "What this controller makes carries the label skep.controller=NAME; it touches nothing else.",
    ),
    _setting(
        "engine",
        "",
        "URL",
        "This host's Docker Engine, unix:///path.",
        shown="DOCKER_HOST, the docker context, or the default socket",
    ),
    Setting(
        "clusters",
        "--cluster",
        "SKEP_CLUSTER",
        str,
        "",
        "NAME=URL[,URL…]",
        "Engines that are there already, as a cluster for workloads.",
        shown="none",
        repeated=True,
        in_file="[clusters.NAME]",
    ),
    Setting(
        "cluster_tls",
        "--cluster-tls",
        "SKEP_CLUSTER_TLS",
        str,
        "",
        "NAME=FOLDER",
        "The ca.pem, cert.pem and key.pem of that cluster's engines; with them, tcp:// speaks TLS.",
        shown="none",
        repeated=True,
        in_file="[clusters.NAME]",
    ),
    _setting(
        "insecure_http",
        "",
        "HOST:PORT",
        "Where the API listens besides, for programs that can't speak to a socket: anybody on this host may use it. "
        "A loopback address only.",
        shown="nowhere",
    ),
    _setting(
        "tls_listen",
        "",
        "HOST:PORT",
        "Where the API listens besides, over TLS: for those of any host who show a certificate that tls_client_ca "
        "signed. Without a host, on every address.",
        shown="nowhere",
    ),
    _setting("tls_cert", "", "path", "The certificate that is shown there, in PEM with its chain.", shown="none"),
    _setting("tls_key", "", "path", "Its key, in PEM without a passphrase.", shown="none"),
    _setting("tls_client_ca", "", "path", "Who may have signed the certificates of clients, in PEM.", shown="none"),
    _setting(
        "node_image",
        "",
        "image",
        "What machines of the docker plugin run.",
        shown="pulled if a registry answers, else built from this host's engine",
    ),
    _setting(
        "pull_timeout_s",
        5.0,
        "s",
        "How long a registry has to give the node image before one is built: nobody waits for what may not be there.",
        least=0.1,
        most=3600,
    ),
    _setting(
        "resync_s",
        30.0,
        "s",
        "A full look at each key even when no event came, ±10 %: events are lossy (semantics.md W6).",
        least=1,
        most=DAY_S,
    ),
    _setting(
        "poll_s",
        10.0,
        "s",
        "How often plugins without a stream of changes are listed: InfraKit's interval.",
        least=0.1,
        most=DAY_S,
    ),
    _setting(
        "parallel",
        10,
        "actions",
        "Actions at once for one group: SwarmKit takes about ten joins at a time (semantics.md N39). Machines that "
        "join no Swarm and run no engine of ours, such as files, are made up to 500 at once (W8).",
        least=1,
        most=500,
    ),
    _setting(
        "drain_wait_s",
        600.0,
        "s",
        "How long the tasks of a node that is removed may take to end, or else it serves on (semantics.md N13), "
        "and to run elsewhere, or else it goes all the same.",
        least=0,
        most=DAY_S,
    ),
    _setting(
        "engine_timeout_s",
        30.0,
        "s",
        "One call of an engine; a busy one takes seconds. Silence beyond this means unknown, not failed.",
        least=1,
        most=3600,
    ),
    _setting(
        "call_limit",
        0,
        "calls",
        "Calls at once to one engine. An engine on 2 cores is saturated at 4; more only adds waiting.",
        least=0,
        most=1000,
        shown="2 × cores",
    ),
    _setting(
        "log_level",
        "info",
        "",
        "One line per decision that changed something; debug adds every look.",
        choices=("debug", "info", "warning", "error"),
    ),
    _setting(
        "log_format",
        "console",
        "",
        "console for people, json for machines.",
        choices=("console", "json"),
    ),
    _setting(
        "history",
        10,
        "revisions",
        "Revisions kept of each key, to go back to (semantics.md W48), and as many that only changed the count.",
        least=1,
        most=1000,
    ),
    _setting(
        "events_kept",
        1000,
        "events",
        "Events in memory for `skep events`; bounded, so that a noisy cluster can't fill it.",
        least=0,
        most=100_000,
    ),
)

SOCKET_PATH_MAX: Final = 107
"""Bytes of a unix socket's path: sun_path has 108, the last a zero."""


@dataclass(frozen=True, slots=True)
class ClusterTls:
    """The TLS files of a cluster, and those of its endpoints that are spoken to with them."""

    cluster: str
    files: TlsFiles
    endpoints: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.cluster}={','.join(path for path in (self.files.ca, self.files.cert, self.files.key) if path)}"


@dataclass(frozen=True, slots=True)
class Settings:
    """What `skep serve` runs with; docs/settings.md explains each. `engine` and `node_image` are empty to be found,
    `insecure_http` and `tls_listen` are empty for nowhere, the paths of `tls_` for none."""

    state_dir: Path
    config: Path
    socket: Path
    controller: str
    engine: str
    clusters: tuple[StaticCluster, ...]
    cluster_tls: tuple[ClusterTls, ...]
    insecure_http: str
    tls_listen: str
    tls_cert: str
    tls_key: str
    tls_client_ca: str
    node_image: str
    pull_timeout_s: float
    resync_s: float
    poll_s: float
    parallel: int
    drain_wait_s: float
    engine_timeout_s: float
    call_limit: int
    log_level: str
    log_format: str
    history: int
    events_kept: int

    def tls(self) -> Mapping[str, TlsFiles]:
        """The TLS files of each endpoint of the clusters that has some."""
        return {endpoint: one.files for one in self.cluster_tls for endpoint in one.endpoints}
