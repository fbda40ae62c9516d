"""Flags, environment, file and defaults to one frozen `Settings`. Standard library only: the CLI imports it."""

from skep.settings.load import default_state_dir, load
from skep.settings.page import documentation
from skep.settings.table import SETTINGS, SOCKET_PATH_MAX, ClusterTls, Setting, Settings

__all__ = [
    "SETTINGS",
    "SOCKET_PATH_MAX",
    "ClusterTls",
    "Setting",
    "Settings",
    "default_state_dir",
    "documentation",
    "load",
]
