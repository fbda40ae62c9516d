"""`systemd-unit`: what makes skep start with its host."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from skep.cli.output import say
from skep.cli.serve import Flag, given, settings_of
from skep.cli.spoken import spoken

UNIT = """\
# Written by `skep systemd-unit`.
[Unit]
Description=skep keeps Docker Swarms and containers as they are described
Wants=network-online.target
After=network-online.target docker.service
# It waits for what is not there yet, as often as it takes.
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart={command}
Restart=on-failure
RestartSec=5
UMask=0077
TimeoutStopSec=20

[Install]
WantedBy={target}
"""

CHOOSES_ENGINE = ("DOCKER_HOST", "DOCKER_CONTEXT")
"""As docker's client does; --engine goes before both."""

OF_OTHERS = ("DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_TLS", "DOCKER_CERT_PATH", "INFRAKIT_PLUGINS_DIR")
"""Variables of docker and InfraKit that `serve` reads too, and has no flags for."""


def systemd_unit(**flags: Flag) -> None:
    """Print a systemd unit that runs `skep serve` with these flags from boot on.

    The flags are checked as `serve` does it, and those that were given are in the unit. The environment is not: what it
    says now counts for the check alone, and what it sets is told on standard error.

    \b
    Examples:
      skep systemd-unit > /etc/systemd/system/skep.service
      systemctl daemon-reload && systemctl enable --now skep
      skep systemd-unit --cluster edge=ssh://root@edge-1,ssh://root@edge-2
    """
    from skep.settings import SETTINGS  # noqa: PLC0415 - only those who serve need them

    with spoken():
        settings = settings_of(flags)
    words = [str(Path(sys.argv[0]).absolute()), "serve"]
    values = given(flags)
    for setting in SETTINGS:
        value = values.get(setting.name, ())
        for one in value if isinstance(value, tuple) else (value,):
            words += [setting.flag, _from_anywhere(one, setting.unit)]
    own = {row.env: row.flag for row in SETTINGS if row.name not in values}
    instead = own | ({} if settings.engine else dict.fromkeys(CHOOSES_ENGINE, "--engine"))
    instead |= {name: f"a line Environment={name}=… in it" for name in OF_OTHERS}
    for name, would_be in instead.items():
        if os.environ.get(name):
            sys.stderr.write(f"skep: {name} is set here and not in the unit; {would_be} would be\n")
    target = "multi-user.target" if settings.state_dir == Path("/var/lib/skep") else "default.target"
    say(*UNIT.format(command=" ".join(map(quoted, words)), target=target).splitlines())


def _from_anywhere(word: str, unit: str) -> str:
    """With whole paths: systemd runs it in another folder, and expands no ~."""
    before, _, path = ("", "", word) if unit == "path" else word.partition("=")
    if not path or unit not in {"path", "NAME=FOLDER"}:
        return word
    whole = Path(path).expanduser().absolute()
    return f"{before}={whole}" if before else str(whole)


def quoted(word: str) -> str:
    """A word of a systemd command line (systemd.service(5)): specifiers and variables doubled, quoted where needed."""
    plain = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{plain}"' if plain != word or not word or any(one.isspace() or one == "'" for one in word) else plain
