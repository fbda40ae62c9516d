"""`workload submit`: a workload of a file, or of what the command line says."""

from __future__ import annotations

from skep.cli.failures import Failure, Refusal
from skep.cli.files import read_files
from skep.cli.json_text import write_json
from skep.cli.specs import store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skep.cli.client import Client


TYPED = "the command line"
"""What the file is called that nobody wrote."""

_OPTIONS = (
    ("Name: ", "NAME: "),
    ("Image: ", "--image: "),
    ("Count: ", "--count: "),
    ("Cluster: ", "--cluster: "),
    ("Env", "--env: Env"),
    ("Ports", "--publish: Ports"),
    ("", f"{TYPED}: "),
)
"""How a part of the spec is named to who typed it as an option."""


def submit(
    client: Client,
    source: str,
    image: str | None,
    count: int | None,
    cluster: str | None,
    environment: tuple[str, ...],
    ports: tuple[str, ...],
    pretend: bool,
    adopt: bool,
    resolve: bool,
    why: str,
    wait: bool,
    timeout_s: float,
    form: str,
) -> None:
    """Run containers: N of an image.

    As a file or - for stdin says, which holds nothing but workloads; or, with --image, under this NAME.

    \b
    Examples:
      skep workload submit web.json --wait
      skep workload submit web --image nginx --count 5
      skep workload submit web --image nginx --publish 80 --env GREETING=hello
      skep workload submit web.json --resolve --why "nginx:latest was pushed anew"
    """
    options = {"--count": count, "--cluster": cluster, "--env": environment, "--publish": ports}
    if image is None:
        alone = [flag for flag, value in options.items() if value not in {None, ()}]
        if alone:
            raise Failure(f"{', '.join(alone)} need --image: a file says for itself how it is run")
        files = _files(source)
    else:
        files = [{"name": TYPED, "text": _spec(source, image, count, cluster, environment, ports)}]
    try:
        asked = {"resolve": True} if resolve and not pretend else {}
        body = {"files": files, "kind": "workload", **asked}
        store(client, body, pretend, adopt, why, wait, timeout_s, form)
    except Refusal as error:
        raise Failure(typed(str(error))) from error


def typed(faults: str) -> str:
    """Faults of what was typed, by the options and without a line, for there is but one."""
    for part, option in _OPTIONS:
        faults = faults.replace(f"{TYPED}:1: {part}", option)
    return faults


def _files(source: str) -> list[dict[str, str]]:
    try:
        return read_files([source])
    except Failure as error:
        raise Failure(f"{error}; without a file: skep workload submit NAME --image IMAGE") from error


def _spec(
    name: str, image: str, count: int | None, cluster: str | None, environment: tuple[str, ...], ports: tuple[str, ...]
) -> str:
    """The workload as people write it; faults in its parts are the server's to find."""
    parts = {
        "Name": name,
        "Image": image,
        "Count": 1 if count is None else count,
        "Cluster": cluster,
        "Env": list(environment),
        "Ports": list(ports),
    }
    return write_json({part: value for part, value in parts.items() if value not in (None, [])})
