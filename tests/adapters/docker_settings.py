"""The settings of docker's own client as files below a folder."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from skep.model.cluster import TlsFiles


def write_context(folder: Path, name: str, host: str, tls: TlsFiles | None = None, **more: Any) -> None:
    """A context as `docker context create` leaves it below docker's folder."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts" / "meta" / digest / "meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host, **more}}}))
    if tls:
        files = folder / "contexts" / "tls" / digest / "docker"
        files.mkdir(parents=True)
        for path, part in ((tls.ca, "ca.pem"), (tls.cert, "cert.pem"), (tls.key, "key.pem")):
            if path:
                shutil.copy(path, files / part)
