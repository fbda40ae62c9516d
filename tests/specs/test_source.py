"""What people write: every fault at once, each with file, line, path and words; and what good documents become."""

from pathlib import Path

import pytest

from skep.model.spec import (
    Allocation,
    Device,
    FileRef,
    Gpus,
    GroupSpec,
    HealthCheck,
    Kind,
    Mount,
    PluginRef,
    Port,
    Resources,
    Restart,
    Rolling,
    Spec,
    Updating,
    WorkloadSpec,
)
from skep.specs.source import SourceFile, parse, read

ROOT_DIR = Path(__file__).parents[2]


def specs(text: str, name: str = "a.yaml") -> list[Spec]:
    return [parsed.spec for parsed in parse([SourceFile(name, text)])]


GROUP = "ID: g\nProperties:\n  Allocation: {%s}\n  Instance: {Plugin: i}\n  Flavor: {Plugin: f}\n"


@pytest.mark.parametrize("text", ["", "---\n---\n", "# nothing\n", "null", "[]"])
def test_nothing_written_is_nothing_wanted(text: str) -> None:
    assert specs(text) == []


def test_infrakits_examples_are_groups() -> None:
    text = (ROOT_DIR / "tests" / "data" / "swarm-vagrant-workers.json").read_text()
    (group,) = specs(text, "w.json")
    assert group == GroupSpec(
        "swarm-workers",
        Allocation(1),
        PluginRef("instance-vagrant", b'{"Box":"williamyeh/ubuntu-trusty64-docker"}'),  # type: ignore[arg-type]
        PluginRef(
            "flavor-swarm",
            b'{"Type":"worker","DockerRestartCommand":"service docker restart"}',  # type: ignore[arg-type]
        ),
    )


def test_what_infrakit_exports_is_read_back() -> None:
    text = (
        '{"ID":"g","Properties":{"Instance":{"Plugin":"i","Properties":{"n":1e6,"big":12345678901234567890,'
        '"html":"\\u003c"}},"Flavor":{"Plugin":"f","Properties":null},"Allocation":{"Size":0,"LogicalIDs":["a"]}}}'
    )
    (group,) = specs(text)
    assert isinstance(group, GroupSpec)
    assert group.instance.properties == b'{"n":1e6,"big":12345678901234567890,"html":"\\u003c"}'
    assert (group.flavor.properties, group.allocation) == (b"null", Allocation(0, ("a",)))
    (group,) = specs(text.replace('"Size":0,"LogicalIDs":["a"]', '"Size":0,"LogicalIDs":null'))
    assert isinstance(group, GroupSpec) and group.allocation == Allocation(0)


@pytest.mark.parametrize(
    ("written", "kept"),
    [("1e6", "1e6"), ("1.50", "1.50"), ("0x10", "16"), ("0o17", "15"), ("+5", "5"), (".5", "0.5"), ("5.", "5"),
     ("-.5e3", "-0.5e3"), ("yes", '"yes"'), ("True", "true"), ("~", "null"), ("1_000", '"1_000"'), ("é", '"é"'),
     ("12:30", '"12:30"'), ("2001-01-01", '"2001-01-01"')],
)  # fmt: skip
def test_yaml_scalars_become_json_with_their_spelling(written: str, kept: str) -> None:
    (group,) = specs((GROUP % "Size: 1").replace("{Plugin: i}", f"{{Plugin: i, Properties: {{a: {written}}}}}"))
    assert isinstance(group, GroupSpec)
    assert group.instance.properties.decode() == f'{{"a":{kept}}}'


@pytest.mark.parametrize(
    ("size", "surge", "unavailable", "expected"),
    [
        (5, "25%", "25%", Updating(2, 1)),  # W41's own example
        (1, "25%", "25%", Updating(1, 0)),
        (2, "0", "25%", Updating(0, 1)),
        (4, "3", "null", Updating(3, None)),
        (4, "0", "null", Updating(0, 1)),
        (4, "null", "0", Updating(None, 0)),
        (3, "100%", "100%", Updating(3, 3)),
    ],
)
def test_percentages_are_of_the_size(size: int, surge: str, unavailable: str, expected: Updating) -> None:
    text = GROUP % f"Size: {size}" + f"  Updating: {{MaxSurge: {surge}, MaxUnavailable: {unavailable}}}\n"
    (group,) = specs(text)
    assert isinstance(group, GroupSpec) and group.updating == expected


def test_every_field_of_a_workload() -> None:
    text = """
kind: workload
name: web
image: registry.example.com:5000/team/web:1@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
count: 3
cluster: managers
command: httpd -f "-h" '/a b'
args: [x, y]
env: [A=1, B=, C=x=y]
labels: {a.b: "1"}
ports: [80, "8080:80/udp", {Target: 443, Published: 443, Mode: host}]
mounts: [/cache, data:/data:ro, /etc/x:/x, {Type: tmpfs, Target: /t}]
networks: [front]
constraints: [node.role == worker, node.labels.zone!=a]
resources: {Limits: {Cpus: 0.5, Memory: 1.5g, Pids: 9}, Reservations: {Cpus: 0.1, Memory: 512MiB}}
healthcheck: {test: wget -q x, interval: 2s, timeout: 1m30s, retries: 2, startperiod: 500ms}
stopgrace: 10
user: "1000:1000"
secrets: [key, {Source: k2, Target: /x, UID: "5", GID: "6", Mode: 0o400}]
configs: [{Source: c, Mode: "0440"}]
restart: {maxattempts: 3, window: 2m}
updating: {maxsurge: 50%, maxunavailable: 0, minready: 15s, progressdeadline: 5m, failureaction: rollback,
  maxfailureratio: 0.25}
privileged: true
devices: [/dev/fuse, "/dev/a:/dev/b:wr", {source: /dev/disk/by-path/pci-0000:00, target: /dev/c, permissions: r}]
gpus: {count: 2, driver: nvidia, capabilities: [utility]}
"""
    (web,) = specs(text)
    assert web == WorkloadSpec(
        name="web",
        image="registry.example.com:5000/team/web:1@sha256:" + "a" * 64,
        count=3,
        cluster="managers",
        command=("httpd", "-f", "-h", "/a b"),
        args=("x", "y"),
        env=(("A", "1"), ("B", ""), ("C", "x=y")),
        labels=(("a.b", "1"),),
        ports=(Port(80), Port(80, 8080, "udp"), Port(443, 443, mode="host")),
        mounts=(
            Mount("volume", "/cache"),
            Mount("volume", "/data", "data", True),
            Mount("bind", "/x", "/etc/x"),
            Mount("tmpfs", "/t"),
        ),
        networks=("front",),
        constraints=("node.role == worker", "node.labels.zone!=a"),
        resources=Resources(500_000_000, 1536 * 1024**2, 9, 100_000_000, 512 * 1024**2),
        health_check=HealthCheck(("CMD-SHELL", "wget -q x"), 2.0, 90.0, 2, 0.5),
        stop_grace_s=10.0,
        user="1000:1000",
        secrets=(FileRef("key"), FileRef("k2", "/x", "5", "6", 0o400)),
        configs=(FileRef("c", mode=0o440),),
        restart=Restart(3, 120.0),
        updating=Rolling("50%", 0, 15.0, 300.0, "rollback", 0.25),
        privileged=True,
        devices=(
            Device("/dev/fuse", "/dev/fuse"),
            Device("/dev/a", "/dev/b", "rw"),
            Device("/dev/disk/by-path/pci-0000:00", "/dev/c", "r"),
        ),
        gpus=Gpus(2, (), "nvidia", ("utility",)),
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("all", Gpus(-1)),
        ("2", Gpus(2)),
        ("device=0", Gpus(0, ("0",))),
        ("device=0,GPU-3a23c669", Gpus(0, ("0", "GPU-3a23c669"))),
        ("'\"device=0,1\"'", Gpus(0, ("0", "1"))),
        ("{Count: all, Capabilities: [compute]}", Gpus(-1, (), "", ("compute",))),
        ("{DeviceIDs: ['0:1']}", Gpus(0, ("0:1",))),
        ("null", None),
    ],
)
def test_gpus_are_written_as_for_docker_run(written: str, meant: Gpus | None) -> None:
    (web,) = specs(f"Name: a\nImage: i\nCount: 1\nGPUs: {written}\n")
    assert isinstance(web, WorkloadSpec) and web.gpus == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("/dev/snd", Device("/dev/snd", "/dev/snd")),
        ("/dev/a:r", Device("/dev/a", "/dev/a", "r")),
        ("/dev/a:/dev/b", Device("/dev/a", "/dev/b")),
        ("/dev/a:/dev/b:rwm", Device("/dev/a", "/dev/b", "rwm")),
    ],
)
def test_devices_are_written_as_for_docker_run(written: str, meant: Device) -> None:
    (web,) = specs(f"Name: a\nImage: i\nCount: 1\nDevices: ['{written}']\n")
    assert isinstance(web, WorkloadSpec) and web.devices == (meant,)


def test_aliases_are_written_out() -> None:
    one, two = specs(
        "Name: a\nImage: i\nCount: 1\nNetworks: &n [x]\nSecrets: *n\n---\nName: b\nImage: i\nMode: global\n"
    )
    assert isinstance(one, WorkloadSpec) and one.networks == ("x",) and one.secrets == (FileRef("x"),)
    assert isinstance(two, WorkloadSpec) and (two.mode, two.count) == ("global", 0)


def test_a_locator_finds_lines_of_opaque_properties_and_of_what_is_missing() -> None:
    text = (
        GROUP % "Size: 1"
        + "---\n"
        + (GROUP % "Size: 1")
        .replace("ID: g", "ID: h")
        .replace("{Plugin: i}", "\n    Plugin: i\n    Properties:\n      a.b:\n        - x: 1\n        - c: 2")
    )
    _, parsed = parse([SourceFile("a.yaml", text)])
    lines = {path: parsed.line_of(path) for path in (
        "", "ID", "Properties.Instance.Properties.a.b[1].C", "Properties.Instance.Properties.a.b[1].Nope",
        "Properties.Instance.Properties.Nope", "Nope",
    )}  # fmt: skip
    assert list(lines.values()) == [7, 7, 15, 15, 12, 7]


def test_the_quickstart_is_what_it_says() -> None:
    managers, workers, web = specs((ROOT_DIR / "examples" / "quickstart.yaml").read_text())
    assert isinstance(managers, GroupSpec) and managers.allocation == Allocation(0, ("10.20.0.10",))
    assert isinstance(workers, GroupSpec) and workers.allocation.count == 2
    assert isinstance(web, WorkloadSpec) and web.count == 5 and web.ports == (Port(8080, mode="host"),)
    assert managers.images == workers.images == (web.image,)


@pytest.mark.parametrize("text", ['{"Name": "web", "Image": "web:1"}', "Name: web\nImage: web:1\nCount: 3\n"])
def test_what_is_of_another_kind_is_told_so_whatever_else_is_wrong_with_it(text: str) -> None:
    _, faults = read([SourceFile("web", text)], Kind.GROUP)
    assert str(faults[0]) == "web:1: is a workload, and only a group is taken here"
