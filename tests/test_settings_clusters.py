"""The clusters that settings name: who wins, which files they are spoken to with, and all that is refused."""

from pathlib import Path

import pytest

from skep.model.cluster import StaticCluster, TlsFiles
from skep.model.errors import InvalidError
from skep.settings import ClusterTls, Settings, load


def settings(file: Path, *clusters: str, tls: tuple[str, ...] = (), **env: str) -> Settings:
    flags = {"config": str(file), "clusters": clusters, "cluster_tls": tls}
    return load(flags, env, uid=0, cores=2)


def faults(file: Path, *clusters: str, tls: tuple[str, ...] = (), **env: str) -> list[str]:
    with pytest.raises(InvalidError) as caught:
        settings(file, *clusters, tls=tls, **env)
    return [str(fault).replace(f"{file.parent}", "…") for fault in caught.value.faults]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "skep.toml"
    path.write_text("")
    return path


def folder(path: Path, *names: str) -> Path:
    path.mkdir()
    for name in names:
        (path / name).write_text("")
    return path


def test_a_flag_wins_over_the_environment_over_the_file_for_each_name(file: Path) -> None:
    file.write_text('[clusters.a]\nendpoints = ["tcp://a:1"]\n[clusters.b]\nendpoints = ["tcp://b:1", "ssh://b"]\n')
    env = {"SKEP_CLUSTER": "a=tcp://a:2 c=unix:///c.sock"}
    assert settings(file, "c=tcp://c:3", "d=context://box", **env).clusters == (
        StaticCluster("a", ("tcp://a:2",)),
        StaticCluster("b", ("tcp://b:1", "ssh://b")),
        StaticCluster("c", ("tcp://c:3",)),
        StaticCluster("d", ("context://box",)),
    )


def test_without_any_there_are_none(file: Path) -> None:
    none = settings(file)
    assert (none.clusters, none.cluster_tls, none.tls(), none.insecure_http) == ((), (), {}, "")


def test_tls_files_are_those_of_the_folder_for_the_endpoints_that_speak_tls(file: Path, tmp_path: Path) -> None:
    both = folder(tmp_path / "both", "ca.pem", "cert.pem", "key.pem")
    only_ca = folder(tmp_path / "ca", "ca.pem")
    given = settings(file, "a=tcp://a,unix:///s,https://b", "b=tcp://c", tls=(f"a={both}", f"b={only_ca}"))
    files = TlsFiles(f"{both}/ca.pem", f"{both}/cert.pem", f"{both}/key.pem")
    assert given.cluster_tls == (
        ClusterTls("a", files, ("tcp://a", "https://b")),
        ClusterTls("b", TlsFiles(f"{only_ca}/ca.pem"), ("tcp://c",)),
    )
    assert given.tls() == {"tcp://a": files, "https://b": files, "tcp://c": TlsFiles(f"{only_ca}/ca.pem")}


def test_tls_files_of_the_file_start_at_its_folder_and_yield_to_a_flag(file: Path, tmp_path: Path) -> None:
    folder(tmp_path / "certs", "ca.pem", "cert.pem", "key.pem")
    other = folder(tmp_path / "other", "ca.pem")
    file.write_text(
        '[clusters.a]\nendpoints = ["tcp://a"]\ncert_path = "certs"\n'
        '[clusters.b]\nendpoints = ["tcp://b"]\ntlscacert = "certs/ca.pem"\ntlscert = "certs/cert.pem"\n'
        'tlskey = "certs/key.pem"\n'
        '[clusters.c]\nendpoints = ["tcp://c"]\ncert_path = "certs"\n'
    )
    files = TlsFiles(*(f"{tmp_path}/certs/{name}.pem" for name in ("ca", "cert", "key")))
    given = settings(file, tls=(f"c={other}",)).tls()
    assert given == {"tcp://a": files, "tcp://b": files, "tcp://c": TlsFiles(f"{other}/ca.pem")}


def test_a_home_is_found(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    folder(tmp_path / "certs", "ca.pem")
    assert settings(file, "a=tcp://a", tls=("a=~/certs",)).tls() == {"tcp://a": TlsFiles(f"{tmp_path}/certs/ca.pem")}


def test_every_fault_of_flags_and_environment_is_told_at_once(file: Path, tmp_path: Path) -> None:
    half = folder(tmp_path / "half", "cert.pem")
    words = (
        "a",
        "=tcp://a",
        "b=pigeon://loft",
        "c=tcp://c",
        "c=tcp://d",
        "-x=tcp://x",
        "d=tcp://a,tcp://a",
        "e=unix:///e",
    )
    tls = (f"c={tmp_path}/none", f"e={half}", "f=x", "nonsense")
    told = faults(file, *words, tls=tls, SKEP_CLUSTER="g=ssh://u:secret@h h=tcp://h:99999 i=ssh://-oProxyCommand=x")
    assert [line.replace("want unix:///PATH, tcp", "want…") for line in told if "want unix" not in line] == [
        '--cluster: must be NAME=URL[,URL…], not "a"',
        '--cluster: must be NAME=URL[,URL…], not "=tcp://a"',
        "--cluster: names c twice",
        "SKEP_CLUSTER: g: 'ssh://u:…@h': a password can't stand in it: use a key",
        "SKEP_CLUSTER: h: 'tcp://h:99999': Port out of range 0-65535",
        "SKEP_CLUSTER: i: 'ssh://-oProxyCommand=x': ssh would take its host or user for an option",
        "--cluster: the name '-x' must have only letters, digits and, inside, - _ .",
        "--cluster: d: tcp://a is there twice",
        '--cluster-tls: must be NAME=FOLDER, not "nonsense"',
        "--cluster-tls: …/none holds no ca.pem, cert.pem and key.pem that can be seen",
        "--cluster-tls: …/half holds one of cert.pem and key.pem; they belong together",
        f"--cluster-tls: {Path.cwd()}/x holds no ca.pem, cert.pem and key.pem that can be seen",
        "--cluster-tls: no endpoint of e is tcp:// or https://: TLS files are of no use",
        "--cluster-tls: there is no cluster f",
    ]
    assert [line for line in told if "want unix" in line] == [
        "--cluster: b: 'pigeon://loft': want unix:///PATH, tcp://HOST:PORT, http://HOST:PORT, https://HOST:PORT, "
        "ssh://[USER@]HOST[:PORT][/SOCKET] or context://NAME"
    ]


def test_every_fault_of_the_file_is_told_at_once_with_its_place(file: Path) -> None:
    file.write_text(
        'cluster_tls = "x"\n'
        "[clusters]\nflat = 1\n"
        '[clusters.a]\nendpoint = ["tcp://a"]\n'
        '[clusters.b]\nendpoints = "tcp://b"\nnonsense = 1\n'
        '[clusters.c]\nendpoints = ["tcp://c", 3]\n'
        '[clusters.d]\nendpoints = ["tcp://d/path"]\n'
        '[clusters.e]\nendpoints = ["tcp://e"]\ntlscert = "e.pem"\ntlskey = 3\n'
        '[clusters.f]\nendpoints = ["tcp://f"]\ncert_path = "certs"\ntlscacert = "ca.pem"\n'
    )
    at = f"…/{file.name}"
    assert sorted(faults(file)) == sorted(
        [
            f"{at}: cluster_tls: stands in the tables [clusters.NAME], as cert_path",
            f"{at}: clusters.flat: must be a table with endpoints",
            f"{at}: clusters.a.endpoint: is no setting of a cluster; did you mean endpoints?",
            f'{at}: clusters.a.endpoints: must be a list of URLs, as ["tcp://10.0.0.1:2376"]',
            f'{at}: clusters.b.endpoints: must be a list of URLs, as ["tcp://10.0.0.1:2376"]',
            f"{at}: clusters.b.nonsense: is no setting of a cluster: it takes endpoints, cert_path, "
            "tlscacert, tlscert, tlskey",
            f'{at}: clusters.c.endpoints: must be a list of URLs, as ["tcp://10.0.0.1:2376"]',
            f"{at}: clusters.d.endpoints: d: 'tcp://d/path': only a host and a port can stand in it",
            f"{at}: clusters.e.tlscert: there is no file …/e.pem",
            f"{at}: clusters.e.tlskey: must be a path in quotes",
            f"{at}: clusters.e: tlscert and tlskey belong together: one of them is missing",
            f"{at}: clusters.f.tlscacert: can't stand beside cert_path",
            f"{at}: clusters.f.cert_path: …/certs holds no ca.pem, cert.pem and key.pem that can be seen",
        ]
    )


def test_clusters_that_are_no_tables_are_refused(file: Path) -> None:
    file.write_text('clusters = ["a"]\n')
    assert faults(file) == [f"…/{file.name}: clusters: must be tables: [clusters.NAME]"]


def test_an_endpoint_of_two_clusters_has_one_set_of_files(file: Path, tmp_path: Path) -> None:
    one, two = folder(tmp_path / "one", "ca.pem"), folder(tmp_path / "two", "ca.pem")
    clusters = ("a=tcp://a", "b=tcp://a")
    assert len(settings(file, *clusters, tls=(f"a={one}", f"b={one}")).tls()) == 1
    assert faults(file, *clusters, tls=(f"a={one}", f"b={two}")) == [
        "--cluster-tls: tcp://a has other TLS files in the cluster a"
    ]


@pytest.mark.parametrize(
    "endpoint",
    [
        "unix:///run/docker.sock",
        "tcp://10.0.0.1:2376",
        "tcp://host",
        "tcp://[::1]:2375",
        "http://h:2375/",
        "https://h",
        "ssh://h",
        "ssh://ann@h:2222/run/user/1000/docker.sock",
        "context://my box",
    ],
)
def test_endpoints_that_are_spoken(file: Path, endpoint: str) -> None:
    assert settings(file, f"a={endpoint}").clusters[0].endpoints == (endpoint,)


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "unix://",
        "unix:///",
        "unix://x",
        "npipe:////./x",
        "tcp://",
        "tcp://:2375",
        "tcp://h:0",
        "https://u@h:1",
        "tcp://h:1/x",
        "context://",
        "ssh://",
        "ssh:///x",
        "ssh://h?x",
        "ssh://h:0",
        "ssh://-x@h",
        "10.0.0.1:2375",
    ],
)
def test_other_endpoints_are_refused(file: Path, endpoint: str) -> None:
    assert len(faults(file, f"a=tcp://fine,{endpoint}")) == 1


@pytest.mark.parametrize(
    "word", ["a=ssh://ann:hunter2@h", "ssh://ann:hunter2@h", "a=tcp://b:1,https://:hunter2@h,https://:hunter2@h"]
)
def test_a_password_in_an_endpoint_is_refused_and_never_shown(file: Path, word: str) -> None:
    told = "\n".join(faults(file, word))
    assert ":…@h" in told
    assert "hunter2" not in told


@pytest.mark.parametrize("address", ["127.0.0.1:8080", "127.1.2.3:1", "[::1]:8080", "localhost:65535"])
def test_the_api_listens_in_the_clear_on_loopback_addresses(file: Path, address: str) -> None:
    assert load({"config": str(file), "insecure_http": address}, {}, uid=0, cores=1).insecure_http == address


@pytest.mark.parametrize(
    ("address", "told"),
    [
        (
            "0.0.0.0:8080",
            "must be a loopback address, as 127.0.0.1, not 0.0.0.0: whoever reaches it may start containers",
        ),
        ("example.com:80", "not example.com"),
        ("[::]:80", "must be a loopback address"),
        ("127.0.0.1", 'must be HOST:PORT, as 127.0.0.1:8080, not "127.0.0.1"'),
        (":8080", "must be HOST:PORT"),
        ("127.0.0.1:0", "must be HOST:PORT"),
        ("127.0.0.1:65536", "must be HOST:PORT"),
        ("u@127.0.0.1:80", "must be HOST:PORT"),
        ("127.0.0.1:80/x", "must be HOST:PORT"),
        ("[::1:80", "must be HOST:PORT"),
    ],
)
def test_and_nowhere_else(file: Path, address: str, told: str) -> None:
    file.write_text(f'insecure_http = "{address}"')
    (fault,) = faults(file)
    assert fault.startswith(f"…/{file.name}: insecure_http: ")
    assert told in fault


TLS = {"tls_cert": "/c.pem", "tls_key": "/k.pem", "tls_client_ca": "/ca.pem"}


@pytest.mark.parametrize("address", ["10.0.0.1:2476", "0.0.0.0:2476", "[::]:2476", ":2476", "host.example:1"])
def test_over_tls_the_api_listens_anywhere(file: Path, address: str) -> None:
    made = load({"config": str(file), "tls_listen": address, **TLS}, {}, uid=0, cores=1)
    assert (made.tls_listen, made.tls_cert, made.tls_key, made.tls_client_ca) == (address, *TLS.values())


def test_tls_files_in_the_file_start_at_its_folder(file: Path) -> None:
    rows = [f'{name} = "sub/x.pem"' for name in TLS]
    file.write_text("\n".join(['tls_listen = ":2476"', *rows]))
    made = load({"config": str(file)}, {}, uid=0, cores=1)
    assert made.tls_key == str(file.parent / "sub" / "x.pem")


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ({"tls_listen": "here", **TLS}, ["--tls-listen: must be HOST:PORT"]),
        ({"tls_listen": ":0", **TLS}, ["--tls-listen: must be HOST:PORT with a port from 1 on"]),
        ({"tls_listen": ":1", "tls_cert": "c"}, ["--tls-listen: needs tls_key, tls_client_ca: skep certs"]),
        ({"tls_key": "k", "tls_cert": "c"}, ["--tls-cert: is of no use without", "--tls-key: is of no use without"]),
    ],
)
def test_tls_is_asked_for_as_a_whole(file: Path, flags: dict[str, str], told: list[str]) -> None:
    with pytest.raises(InvalidError) as caught:
        load({"config": str(file), **flags}, {}, uid=0, cores=1)
    found = [str(fault) for fault in caught.value.faults]
    assert [fault.startswith(start) for fault, start in zip(found, told, strict=True)] == [True] * len(told)
