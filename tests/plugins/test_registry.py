"""Plugins by name: those that are built in, and those that run elsewhere."""

from pathlib import Path

from structlog.testing import capture_logs

from skep.plugins.file import FileInstances
from skep.plugins.registry import PluginRegistry


def test_a_program_that_runs_under_the_name_of_a_plugin_that_is_built_in_is_told_of_once(tmp_path: Path) -> None:
    built_in = FileInstances(tmp_path)
    shadowed = {"instance-file": "/run/plugins/instance-file"}
    plugins = PluginRegistry({"instance-file": built_in}, {}, None, lambda name: shadowed.get(name, ""))
    with capture_logs() as logs:
        assert {plugins.instance(name) for name in ("file", "instance-file", "instance-file")} == {built_in}
    assert [(line["log_level"], line["plugin"], line["other"]) for line in logs] == [
        ("warning", "instance-file", "/run/plugins/instance-file")
    ]
