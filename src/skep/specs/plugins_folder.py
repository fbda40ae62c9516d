"""Where plugins put their sockets."""

from collections.abc import Mapping
from pathlib import Path


def plugins_folder(environ: Mapping[str, str], home: Path) -> Path:
    """`$INFRAKIT_PLUGINS_DIR`, else `~/.infrakit/plugins` (infrakit-compat.md 1.4)."""
    given = environ.get("INFRAKIT_PLUGINS_DIR", "")
    return Path(given) if given else home / ".infrakit" / "plugins"
