"""A program `vagrant` whose machines are files: it keeps notes as Vagrant does, and fails and hangs on demand."""

from pathlib import Path

_PROGRAM = """#!/bin/sh
here=$(dirname "$0")
name=$(basename "$VAGRANT_CWD")
notes=$VAGRANT_CWD/.vagrant/machines/default/virtualbox
echo "$name $*" >>"$here/calls"
refused() { [ ! -e "$here/fail-$1" ] || { cat "$here/fail-$1"; exit 1; }; }
case $1 in
up)
  ls -A "$VAGRANT_CWD" >"$here/seen"
  mkdir -p "$notes"
  echo "$name" >"$notes/id"
  echo "up $name" >>"$here/course"
  trap 'echo "interrupted $name" >>"$here/course"; exit 1' INT
  while [ -e "$here/hang" ]; do sleep 0.02; done
  trap - INT
  cp "$VAGRANT_CWD/boot.sh" "$here/machines/$name"
  echo "done $name" >>"$here/course"
  refused up
  ;;
destroy)
  refused destroy
  rm -rf "$here/machines/$name" "$notes"
  ;;
esac
"""


class FakeVagrant:
    """The program at `program`, and what a test sees and decides beside it."""

    def __init__(self, folder: Path) -> None:
        (folder / "machines").mkdir(parents=True)
        self.folder = folder
        self.program = str(folder / "vagrant")
        Path(self.program).write_text(_PROGRAM)
        Path(self.program).chmod(0o755)

    def machines(self) -> dict[str, str]:
        """Those that are up: name to the script that they ran."""
        return {path.name: path.read_text() for path in (self.folder / "machines").iterdir()}

    def calls(self) -> list[str]:
        """`FOLDER ARGUMENTS` of every run."""
        return self._lines("calls")

    def course(self) -> list[str]:
        """When a machine begins to come up (`up NAME`), ends it (`done`), or was `interrupted`, in order."""
        return self._lines("course")

    def seen(self) -> set[str]:
        """What lay in the folder when the last machine began to come up."""
        return set(self._lines("seen"))

    def fail(self, verb: str, output: str) -> None:
        """From now on `vagrant VERB` prints this and fails, having made what it makes."""
        (self.folder / f"fail-{verb}").write_text(output)

    def mend(self, verb: str) -> None:
        """It fails no more."""
        (self.folder / f"fail-{verb}").unlink()

    def hang(self) -> None:
        """From now on machines begin to come up and don't end it."""
        (self.folder / "hang").touch()

    def go_on(self) -> None:
        """Machines that hang come up."""
        (self.folder / "hang").unlink()

    def _lines(self, file: str) -> list[str]:
        path = self.folder / file
        return path.read_text().splitlines() if path.exists() else []
