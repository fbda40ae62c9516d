"""A program `vagrant` whose machines are files: it keeps notes and its lock as Vagrant does, and fails and hangs on
demand."""

from pathlib import Path

_PROGRAM = """#!/bin/sh
printf '%8s\\n' '' || exit 1  # as Vagrant, it ends where it can't print
ulimit -S -f unlimited  # a disk that a test makes full is the plugin's
here=$(dirname "$0")
name=$(basename "$VAGRANT_CWD")
data=${VAGRANT_DOTFILE_PATH:-$VAGRANT_CWD/.vagrant}
notes=$data/machines/default/virtualbox
echo "$name $*" >>"$here/calls"
env >"$here/environ"
refused() { [ ! -e "$here/fail-$1" ] || { cat "$here/fail-$1"; exit 1; }; }
mkdir -p "$data"
if [ -e "$data/lock" ] && kill -0 "$(cat "$data/lock")"; then
  echo "another process is already executing an action on the machine"
  exit 1
fi
echo $$ >"$data/lock"
trap 'rm -f "$data/lock"' EXIT
case $1 in
up)
  ls -A "$VAGRANT_CWD" >"$here/seen"
  [ -e "$here/deaf" ] && trap '' INT || trap 'echo "interrupted $name" >>"$here/course"; exit 1' INT
  echo "up $name" >>"$here/course"
  while [ -e "$here/fetch" ]; do sleep 0.02; done
  mkdir -p "$notes"
  echo "$name" >"$notes/id"
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

    def environ(self) -> dict[str, str]:
        """The environment of the last run."""
        return dict(line.split("=", 1) for line in self._lines("environ") if "=" in line)

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

    def fetch(self) -> None:
        """As `hang`, and Vagrant has noted no machine yet, as while it fetches a box."""
        (self.folder / "fetch").touch()

    def deaf(self) -> None:
        """From now on no interrupt ends it."""
        (self.folder / "deaf").touch()

    def go_on(self) -> None:
        """Machines that hang come up."""
        for file in ("hang", "fetch"):
            (self.folder / file).unlink(missing_ok=True)

    def _lines(self, file: str) -> list[str]:
        path = self.folder / file
        return path.read_text().splitlines() if path.exists() else []
