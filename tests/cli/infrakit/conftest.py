import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.infrakit.plugin_double import PluginDouble, implements, served


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where plugins are looked for; its path is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="ik") as name:
        monkeypatch.setenv("INFRAKIT_PLUGINS_DIR", name)
        yield Path(name)


@pytest.fixture
def group(folder: Path) -> Iterator[PluginDouble]:
    with served(folder / "group", implements("Group")) as plugin:
        yield plugin


@pytest.fixture
def instance(folder: Path) -> Iterator[PluginDouble]:
    with served(folder / "instance-file", implements("Instance")) as plugin:
        yield plugin


@pytest.fixture
def flavor(folder: Path) -> Iterator[PluginDouble]:
    with served(folder / "flavor-vanilla", implements("Flavor")) as plugin:
        yield plugin
