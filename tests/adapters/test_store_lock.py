"""Who holds a state directory, and who may not share it."""

from pathlib import Path

import pytest

from skep.adapters.secrets import FileSecrets
from skep.adapters.store_lock import StateLock, check_alone, holder_of
from skep.model.errors import RefusedError, UnavailableError
from tests.adapters.somebody_else import as_somebody_else


def test_one_that_lives_is_named_and_one_that_is_gone_is_not(tmp_path: Path) -> None:
    lock = StateLock(tmp_path)
    with pytest.raises(RefusedError, match=f"of controller lab on this engine are kept from {tmp_path} by process"):
        check_alone("lab", ["/nowhere", str(tmp_path)])
    lock.release()
    check_alone("lab", ["/nowhere", str(tmp_path)])


def test_a_folder_that_is_none_has_no_holder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert holder_of(tmp_path / "file") == holder_of(tmp_path / "nothing") == ""


def test_what_another_user_keeps_to_himself_may_be_held(tmp_path: Path) -> None:
    private = tmp_path / "private"
    (private / "skep").mkdir(parents=True)
    private.chmod(0)
    with (
        as_somebody_else(),
        pytest.raises(RefusedError, match=r"by another user, .*: stop that first, or .* --controller"),
    ):
        check_alone("lab", [str(private / "skep")])
    private.chmod(0o700)


def test_a_key_that_can_not_be_read_or_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "secret.key").mkdir()
    for path in (tmp_path / "secret.key", tmp_path / "nowhere" / "secret.key"):
        with pytest.raises(UnavailableError, match=f"the key {path} can't be used: .*directory"):
            FileSecrets(path)
