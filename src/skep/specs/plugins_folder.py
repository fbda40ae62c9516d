"""Where plugins put their sockets."""

from collections.abc import Mapping
from pathlib import Path

from skep.specs.home_folder import home_folder


def plugins_folder(environ: Mapping[str, str]) -> Path:
    """`$INFRAKIT_PLUGINS_DIR`, else `~/.infrakit/plugins` (infrakit-compat.md 1.4). RefusedError: there is neither."""
    given = environ.get("INFRAKIT_PLUGINS_DIR", "")
    return Path(given) if given else home_folder("INFRAKIT_PLUGINS_DIR") / ".infrakit" / "plugins"
