"""What is quoted of Vagrant's output: what helps, and nothing of the script that may hold a join token."""

import pytest

from skep.plugins.vagrant_process import TAIL_LINES, without_secrets

TOKEN = "SWMTKN-1-1fcrqnkwz4kaejypxoxb99z5a3it4tmn9x5urym05rocjyflj1-1le8md217z6hl0qnrxi84ry1a"
SCRIPT = f"""#!/bin/sh
set -o xtrace
docker login --password=hunter2isnotsafe
docker swarm join 192.168.2.200:2377 --token {TOKEN}
fi
"""


@pytest.mark.parametrize(
    ("output", "wanted"),
    [
        ("    default: Error response from daemon: no", "    default: Error response from daemon: no"),
        (f"    default: + docker swarm join --token {TOKEN}\nno", "no"),
        ("++ anything at all\nno", "no"),
        (f"sh: 4: docker swarm join 192.168.2.200:2377 --token {TOKEN}: not found\nno", "no"),
        (f"invalid token '{TOKEN}'", "invalid token '…'"),
        ("invalid token SWMTKN-1-another-one", "invalid token SWMTKN-…"),
        ("bad password hunter2isnotsafe", "bad password …"),
        ("first of fi, last at 192.168.2.200:2377", "first of fi, last at 192.168.2.200:2377"),
        ("\x1b[31mred\x1b[0m\r\x1b[KProgress: 10%\n\n", "red\nProgress: 10%"),
    ],
)
def test_output_is_quoted_without_secrets(output: str, wanted: str) -> None:
    assert without_secrets(output, SCRIPT) == wanted


def test_only_the_end_is_quoted() -> None:
    lines = without_secrets("\n".join(map(str, range(100))), "").splitlines()
    assert (len(lines), lines[-1]) == (TAIL_LINES, "99")
