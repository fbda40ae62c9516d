"""A folder of certificates: what is there stays, what is made is whole, and every fault is told with its file."""

import os
import re
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep.adapters.certificate_folder import CertificateFolder
from skep.adapters.certificates import DAY_S, Use, wanted
from skep.model.errors import InvalidError, NotFoundError, RefusedError, SkepError
from tests.adapters.certified import (
    BOTH,
    CLIENT,
    KEYS,
    NOW_S,
    by_openssl,
    client,
    content,
    handshake,
    openssl,
    server,
    verdict,
    with_ca,
)
from tests.adapters.test_docker_tls import as_somebody_else


@pytest.fixture
def folder(tmp_path: Path) -> CertificateFolder:
    return with_ca(tmp_path / "certs")


# --- files ------------------------------------------------------------------------------------------------------------


def test_keys_are_for_their_user_alone_whatever_the_umask(tmp_path: Path) -> None:
    for umask in (0o000, 0o077):
        before = os.umask(umask)
        try:
            folder = CertificateFolder(tmp_path / f"{umask}" / "deep" / "certs")
            folder.make_ca(NOW_S, 3650)
            client(folder)
            folder.renew([], NOW_S)
        finally:
            os.umask(before)
        top = folder.path.parent.parent
        modes = {str(path.relative_to(top)): path.stat().st_mode & 0o7777 for path in [top, *top.rglob("*")]}
        assert modes == {
            ".": 0o700,
            "deep": 0o700,
            "deep/certs": 0o700,
            "deep/certs/ca.pem": 0o644,
            "deep/certs/ca-key.pem": 0o600,
            "deep/certs/ann": 0o700,
            "deep/certs/ann/ca.pem": 0o644,
            "deep/certs/ann/cert.pem": 0o644,
            "deep/certs/ann/key.pem": 0o600,
        }


def test_nothing_that_is_there_is_overwritten_unless_told(folder: CertificateFolder) -> None:
    client(folder)
    (folder.path / "taken").mkdir()
    (folder.path / "file").write_text("notes")
    before = content(folder.path)
    for act, told in (
        (lambda: folder.make_ca(NOW_S, 3650), "ca-key.pem; --force makes a new CA in its place"),
        (lambda: client(folder), "is there already: `skep certs renew ann` renews it, --force replaces it"),
        (lambda: client(folder, "taken"), "is there already"),
        (lambda: client(folder, "file"), "is there already"),
    ):
        with pytest.raises(RefusedError, match=told):
            act()
    with pytest.raises(InvalidError, match="file: is there already, and no folder"):
        folder.make("file", wanted("file", CLIENT), NOW_S, 365, force=True)
    assert content(folder.path) == before
    assert folder.make("ann", wanted("ann", CLIENT, "viewer"), NOW_S, 365, force=True).role == "viewer"
    serial = folder.listed(NOW_S)[0].serial
    assert folder.make_ca(NOW_S, 3650, force=True).serial != serial


def test_half_a_ca_is_not_overwritten_either(tmp_path: Path) -> None:
    (tmp_path / "ca-key.pem").write_text("precious")
    with pytest.raises(RefusedError, match=r"ca-key\.pem"):
        CertificateFolder(tmp_path).make_ca(NOW_S, 3650)
    assert content(tmp_path) == {"ca-key.pem": b"precious"}


@given(name=st.text(max_size=70))
def test_a_name_never_leads_out_of_the_folder(name: str) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = CertificateFolder(Path(place) / "certs")
        folder.path.mkdir()
        with pytest.raises(SkepError):  # there is no CA: nothing is ever made
            folder.make(name, wanted("ann", CLIENT), NOW_S, 365)
        assert [one.name for one in Path(place).iterdir()] == ["certs"]


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "../a", "-a", ".a", "a b", "ca", "ca.pem", "key.pem", "é", "a" * 65]
)
def test_a_name_that_no_folder_can_have_is_refused(folder: CertificateFolder, name: str) -> None:
    """And of the CA, which has one, what is done instead is told."""
    before = content(folder.path)
    client(folder, "x")
    with pytest.raises(SkepError, match="a CA is not renewed" if name == "ca" else "can't be a name"):
        folder.renew([name], NOW_S)
    with pytest.raises(InvalidError, match="can't be a name"):
        folder.make(name, wanted("ann", CLIENT), NOW_S, 365)
    assert content(folder.path).keys() - before.keys() == {"x/ca.pem", "x/cert.pem", "x/key.pem"}


def test_of_two_that_make_the_same_at_once_one_is_refused(folder: CertificateFolder) -> None:
    ends: list[str] = []

    def make() -> None:
        try:
            ends.append(client(folder).serial)
        except RefusedError as error:
            ends.append("refused" if "is there already" in str(error) else str(error))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert ends.count("refused") == 7
    assert sorted(one.name for one in folder.path.iterdir()) == ["ann", "ca-key.pem", "ca.pem"]
    assert folder.listed(NOW_S)[1].serial in ends


# --- again ------------------------------------------------------------------------------------------------------------


def test_a_renewal_keeps_all_but_the_key_and_the_time(folder: CertificateFolder) -> None:
    before = [
        client(folder, "ann", "viewer"),
        folder.make("both", wanted("both", BOTH, addresses=("::1", "b.example")), NOW_S, 90),
        server(folder, "node", "10.0.0.1"),
    ]
    keys = {name: data for name, data in content(folder.path).items() if name.endswith("key.pem")}
    inodes = {one.name: Path(one.path).stat().st_ino for one in before}
    later_s = NOW_S + 40 * DAY_S
    after = folder.renew([], later_s)
    for old, new in zip(before, after, strict=True):
        assert new.serial != old.serial
        assert (new.begins_s - old.begins_s, new.ends_s - old.ends_s) == (40 * DAY_S, 40 * DAY_S)
        assert replace(new, serial=old.serial, begins_s=old.begins_s, ends_s=old.ends_s) == old
    renewed = content(folder.path)
    assert [name for name, data in keys.items() if renewed[name] == data] == ["ca-key.pem"]
    assert inodes == {one.name: Path(one.path).stat().st_ino for one in after}
    assert folder.listed(later_s)[1:] == after
    assert handshake(after[2], after[0], "node")[0] == "certificate is not yet valid"


def test_only_those_named_are_renewed_and_for_as_long_as_told(folder: CertificateFolder) -> None:
    ann, eve = client(folder, "ann"), client(folder, "eve")
    (renewed,) = folder.renew(["ann", "ann"], NOW_S, 7)
    assert renewed.ends_s == NOW_S + 7 * DAY_S
    assert folder.listed(NOW_S)[1:] == [renewed, eve]
    assert renewed.serial != ann.serial


def test_if_one_can_not_be_renewed_none_is(folder: CertificateFolder) -> None:
    client(folder, "ann")
    (Path(client(folder, "eve").path) / "cert.pem").write_text("-----BEGIN CERTIFICATE-----\nx\n")
    before = content(folder.path)
    with pytest.raises(InvalidError) as caught:
        folder.renew(["ann", "eve", "nobody", "../x"], NOW_S)
    told = [str(fault) for fault in caught.value.faults]
    assert [text.split(": ")[-1][:30] for text in told[:2]] == [
        "holds no certificate in PEM, o",
        "ann, eve",
    ]
    assert "can't be a name" in told[2]
    assert content(folder.path) == before


def test_a_renewal_after_one_that_was_cut_short_mends_it(folder: CertificateFolder) -> None:
    ann, eve = client(folder, "ann", "viewer"), client(folder, "eve")
    (Path(ann.path) / "key.pem").write_bytes((Path(eve.path) / "key.pem").read_bytes())
    found = folder.listed(NOW_S)[1]
    assert (found.state, found.fault) == ("broken", f"{ann.path}/key.pem is not its key: renew it")
    assert (folder.renew(["ann"], NOW_S)[0].state, folder.listed(NOW_S)[1].role) == ("valid", "viewer")


def test_with_a_new_ca_all_others_have_to_be_renewed(folder: CertificateFolder) -> None:
    client(folder)
    folder.make_ca(NOW_S, 3650, force=True)
    found = folder.listed(NOW_S)[1]
    assert (found.state, found.fault) == ("broken", f"not signed by {folder.path}/ca.pem: renew it")
    folder.renew([], NOW_S)
    assert [one.state for one in folder.listed(NOW_S)] == ["valid", "valid"]
    assert verdict(folder.listed(NOW_S)[1], "sslclient").endswith("OK")


# --- time -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "state"), [(-1, "early"), (0, "valid"), (364, "valid"), (365, "expired")])
def test_states_over_time(folder: CertificateFolder, days: int, state: str) -> None:
    client(folder)
    assert folder.listed(NOW_S + days * DAY_S)[1].state == state


@pytest.mark.parametrize(
    ("days", "after", "told"), [(365, 334, ""), (365, 336, "ends soon"), (9, 5, ""), (9, 7, "ends soon")]
)
def test_what_ends_soon_is_told_but_not_of_what_was_made_for_a_few_days(
    folder: CertificateFolder, days: int, after: int, told: str
) -> None:
    folder.make("ann", wanted("ann", (Use.CLIENT,)), NOW_S, days)
    found = folder.listed(NOW_S + after * DAY_S)[1]
    assert (found.state, found.fault) == ("valid", told)


def test_a_ca_that_expired_or_ends_too_soon_signs_nothing(tmp_path: Path) -> None:
    folder = CertificateFolder(tmp_path)
    folder.make_ca(NOW_S, 100)
    client_days = lambda now_s, days: folder.make("ann", wanted("ann", CLIENT), now_s, days)  # noqa: E731
    for now_s, days, told in (
        (NOW_S + 100 * DAY_S, 1, "the CA expired on"),
        (NOW_S + 60 * DAY_S, 41, "sooner than a certificate of 41 days: take --days 40, or make a new CA"),
        (NOW_S + 99.5 * DAY_S, 1, "sooner than a certificate of 1 days: make a new CA"),
        (NOW_S - 2 * DAY_S, 1, "is the clock of this host right?"),
    ):
        with pytest.raises(RefusedError, match=told):
            client_days(now_s, days)
    assert folder.listed(NOW_S + 100 * DAY_S)[0].state == "expired"
    assert client_days(NOW_S + 60 * DAY_S, 40).state == "valid"


# --- faults -----------------------------------------------------------------------------------------------------------


def test_without_a_ca_it_is_told_how_to_make_one(tmp_path: Path) -> None:
    folder = CertificateFolder(tmp_path / "nowhere")
    for act in (lambda: client(folder), lambda: folder.renew([], NOW_S)):
        with pytest.raises(NotFoundError, match=r"there is no CA in .*nowhere: make one with `skep certs ca`"):
            act()
    assert folder.listed(NOW_S) == []
    assert not folder.path.exists()


def _encrypted(folder: CertificateFolder) -> None:
    key = folder.path / "ca-key.pem"
    openssl("pkey", "-in", key, "-out", f"{key}.new", "-aes128", "-passout", "pass:secret")
    Path(f"{key}.new").replace(key)


def _of_another(folder: CertificateFolder) -> None:
    (folder.path / "ca-key.pem").write_bytes((Path(client(folder).path) / "key.pem").read_bytes())


def _no_ca(folder: CertificateFolder) -> None:
    ann = Path(client(folder).path)
    for there, here in (("cert.pem", "ca.pem"), ("key.pem", "ca-key.pem")):
        (folder.path / here).write_bytes((ann / there).read_bytes())


def _of_diffie_hellman(folder: CertificateFolder) -> None:
    openssl("genpkey", "-algorithm", "X25519", "-out", folder.path / "ca-key.pem")


FAULTS = {
    "ca-key.pem: has a passphrase, which nobody is there to type: take it off with `openssl pkey`": _encrypted,
    "ca-key.pem: is not the key of .*/ca.pem": _of_another,
    "ca.pem: is no CA": _no_ca,
    "ca-key.pem: is of a kind that is not used for TLS": _of_diffie_hellman,
    "ca-key.pem: holds no key in PEM, or a broken one": lambda folder: (folder.path / "ca-key.pem").write_text("x"),
    "ca.pem: holds no certificate in PEM, or a broken one": lambda folder: (folder.path / "ca.pem").write_text(
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    ),
    "ca-key.pem: can't be read: No such file or directory": lambda folder: (folder.path / "ca-key.pem").unlink(),
    "ca.pem: can't be read: Is a directory": lambda folder: (
        (folder.path / "ca.pem").unlink(),
        (folder.path / "ca.pem").mkdir(),
    ),
}


@pytest.mark.parametrize("told", FAULTS)
def test_a_ca_that_can_not_sign_is_told_with_its_file_and_nothing_changes(folder: CertificateFolder, told: str) -> None:
    FAULTS[told](folder)
    before = content(folder.path)
    for act in (lambda: client(folder, "new"), lambda: folder.renew([], NOW_S)):
        with pytest.raises(InvalidError, match=told):
            act()
    assert content(folder.path) == before
    found = folder.listed(NOW_S)[0]
    assert found.state == "broken"
    assert re.search(told.split(": ")[1], found.fault)


def test_a_ca_that_may_not_sign_certificates(tmp_path: Path) -> None:
    folder = by_openssl(tmp_path / "ca", *KEYS["RSA"], "-addext", "keyUsage=critical,digitalSignature")
    with pytest.raises(InvalidError, match=r"ca\.pem: may not sign certificates: its key usage lacks it"):
        client(folder)


@pytest.fixture
def visible() -> Iterator[CertificateFolder]:
    """In a folder that every user may look into."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        folder = CertificateFolder(Path(name))
        folder.make_ca(NOW_S, 3650)
        yield folder


def test_a_key_that_we_may_not_read_is_told_with_its_mode_its_owner_and_who_we_are(visible: CertificateFolder) -> None:
    key = visible.path / "ca-key.pem"
    key.chmod(0o600 if os.geteuid() == 0 else 0o000)
    found = key.stat()
    with pytest.raises(InvalidError) as caught, as_somebody_else() as us:
        client(visible)
    assert str(caught.value) == (
        f"{key}: can't be read: Permission denied "
        f"(mode {found.st_mode & 0o777:04o}, uid {found.st_uid}; this process is uid {us})"
    )


def test_a_folder_that_we_may_not_write_is_told_with_its_mode_and_owner(visible: CertificateFolder) -> None:
    place = visible.path / "below"
    visible.path.chmod(0o755 if os.geteuid() == 0 else 0o555)
    found = visible.path.stat()
    with pytest.raises(InvalidError) as caught, as_somebody_else() as us:
        CertificateFolder(place).make_ca(NOW_S, 3650)
    visible.path.chmod(0o755)
    assert str(caught.value) == (
        f"{place}: can't be written: Permission denied "
        f"(mode {found.st_mode & 0o777:04o}, uid {found.st_uid}; this process is uid {us})"
    )


def test_what_lies_beside_certificates_is_no_certificate(folder: CertificateFolder) -> None:
    (folder.path / ".ann.x1").mkdir()
    (folder.path / ".ann.x1" / "cert.pem").write_text("what a crash left")
    (folder.path / "notes").mkdir()
    assert [one.name for one in folder.listed(NOW_S)] == ["ca"]
