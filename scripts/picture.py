"""Run a command and keep what it printed as a picture: scripts/picture.py FILE.svg COMMAND…"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

COLUMNS = 124


def main() -> None:
    """The output appears on the terminal too; a command that fails leaves no picture."""
    file, command = Path(sys.argv[1]), sys.argv[2:]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    sys.stdout.write(done.stdout)
    if done.returncode:
        sys.exit(f"{shlex.join(command)} ended with {done.returncode}: no picture is kept")
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere)
        console.print(Text(f"# {shlex.join(command)}", style="bold"))
        console.print(Text(done.stdout), soft_wrap=False)
    picture = console.export_svg(title=shlex.join(command))
    file.parent.mkdir(parents=True, exist_ok=True)
    # Fonts are those of whoever looks: nothing is fetched from elsewhere.
    file.write_text(re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL))


main()
