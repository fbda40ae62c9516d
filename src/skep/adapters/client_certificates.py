"""Whether the certificates that engines are shown are for clients: no engine takes another, and it does not say why."""

from pathlib import Path

from skep.adapters.certificates import Use, is_for, read_certs
from skep.model.errors import RefusedError


def check_for_clients(cluster: str, path: str) -> None:
    """RefusedError for a certificate that is for servers alone. What else may be wrong with the file is told of the
    engine, and may be mended while skep runs."""
    try:
        shown = read_certs(Path(path).read_bytes())[0]
    except (OSError, ValueError):
        return
    if not is_for(shown, Use.CLIENT):
        raise RefusedError(
            f"cluster {cluster}: the certificate {path} is for servers alone (its extended key usage lacks "
            "clientAuth), and engines take none but those for clients: `skep certs client NAME` makes one, and "
            "`skep certs server NAME --also-client`, with --force over an older one, makes one for both"
        )
