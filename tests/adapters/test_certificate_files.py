"""What killed processes leave in a folder of certificates."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from skep.adapters.certificate_folder import CertificateFolder
from skep.adapters.folder_lock import alone_in
from tests.adapters.certified import NOW_S, client, content, with_ca


@pytest.fixture
def folder(tmp_path: Path) -> CertificateFolder:
    return with_ca(tmp_path / "certs")


KILLED_AS_IT_WRITES = """
import resource, signal, sys
from pathlib import Path
from skep.adapters.certificate_folder import CertificateFolder
from tests.adapters.certified import NOW_S, client
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
folder = CertificateFolder(Path(sys.argv[1]))
client(folder, "bob") if sys.argv[3] == "make" else folder.renew(["ann"], NOW_S)
"""
"""The kernel kills it when it writes more than so many bytes to a file."""


@pytest.mark.parametrize("act", ["make", "renew"])
def test_what_a_killed_process_left_is_removed_by_the_next(folder: CertificateFolder, act: str) -> None:
    """There are keys in it, and `ls` does not show it."""
    client(folder)
    before = content(folder.path)
    line = [sys.executable, "-c", KILLED_AS_IT_WRITES, str(folder.path), "100", act]
    assert subprocess.run(line, timeout=60, check=False).returncode == -signal.SIGXFSZ
    assert len(content(folder.path)) == len(before) + 1
    folder.renew([], NOW_S)
    assert content(folder.path).keys() == before.keys()


def test_what_a_killed_process_began_is_removed_by_the_next_that_makes_one(folder: CertificateFolder) -> None:
    for name in ("bob", "bob.example"):
        (folder.path / f".{name}.a1b2_c3d.new").mkdir()
        (folder.path / f".{name}.a1b2_c3d.new" / "key.pem").write_text("secret")
    client(folder, "eve")
    assert {one.name for one in folder.path.iterdir()} == {"ca.pem", "ca-key.pem", "eve"}


def test_other_files_with_such_names_are_left_alone(folder: CertificateFolder) -> None:
    client(folder)
    for name in (".ann.notes_of.new/a.txt", ".ann.previous/cert.pem", ".ann.new/key.pem", "ann/.key.pem.old.new"):
        (folder.path / name).parent.mkdir(exist_ok=True)
        (folder.path / name).write_text("notes")
    before = content(folder.path).keys()
    client(folder, "eve")
    folder.renew([], NOW_S)
    assert before - content(folder.path).keys() == set()


def test_what_another_process_is_writing_is_waited_for(folder: CertificateFolder) -> None:
    """Nobody takes for left over what is about to be finished."""
    made: list[str] = []
    thread = threading.Thread(target=lambda: made.append(client(folder).state))
    with alone_in(folder.path):
        thread.start()
        draft = folder.path / ".bob.abcdefgh.new"
        draft.mkdir()
        thread.join(0.2)
        assert (draft.exists(), made) == (True, [])
        draft.rename(folder.path / "bob")
    thread.join(30)
    assert (made, (folder.path / "bob").exists()) == (["valid"], True)
