"""What is wrong with what people wrote: every fault at once, each with file, line, path and words."""

from pathlib import Path

import pytest

from skep.model.errors import InvalidError
from skep.specs.binding import Properties
from skep.specs.devices import DevicePart, GpusPart
from skep.specs.group import AllocationPart, GroupDocument, GroupPart, PluginPart, UpdatingPart
from skep.specs.node import NODES_MAX, TEXT_MAX
from skep.specs.source import DOCUMENTS_MAX, SourceFile, parse
from skep.specs.updating import RollingPart
from skep.specs.workload import (
    FilePart,
    HealthCheckPart,
    LimitsPart,
    MountPart,
    PortPart,
    RestartPart,
    WorkloadDocument,
)
from skep.specs.yaml_text import TEXT_MAX as YAML_TEXT_MAX
from skep.specs.yaml_text import VALUES_MAX

PAGE = Path(__file__).parents[2] / "docs" / "specs.md"


def faults(*files: str, name: str = "{}.yaml") -> list[str]:
    sources = [SourceFile(name.format("abc"[index]), text) for index, text in enumerate(files)]
    with pytest.raises(InvalidError) as caught:
        parse(sources)
    return [str(fault) for fault in caught.value.faults]


GROUP = "ID: g\nProperties:\n  Allocation: {%s}\n  Instance: {Plugin: i}\n  Flavor: {Plugin: f}\n"
WORKLOAD = "Name: w\nImage: i\nCount: 1\n%s\n"

BAD_GROUPS = [
    (GROUP % "Size: -1", ["a.yaml:3: Properties.Allocation.Size: must not be negative"]),
    (GROUP % "Size: 10001", ["a.yaml:3: Properties.Allocation.Size: must be at most 10000"]),
    (GROUP % 'Size: "5"', ["a.yaml:3: Properties.Allocation.Size: must be a whole number, not a string"]),
    (GROUP % "", ["a.yaml:3: Properties.Allocation: needs Size or LogicalIDs"]),
    (GROUP % "LogicalIDs: []", ["a.yaml:3: Properties.Allocation: needs Size or LogicalIDs"]),
    (GROUP % "Size: 1, LogicalIDs: [a]", ["a.yaml:3: Properties.Allocation: takes only one of Size and LogicalIDs"]),
    (
        GROUP % "LogicalIDs: [a, b, a]",
        ["a.yaml:3: Properties.Allocation.LogicalIDs[2]: is the same as LogicalIDs[0]"],
    ),
    (
        GROUP % 'logicalids: ["a b"]',
        [
            "a.yaml:3: Properties.Allocation.LogicalIDs[0]: must be an address or a host name: up to 253 letters,"
            " digits and - . _ :"
        ],
    ),
    (
        GROUP % "Size: 4" + "  Updating: {MaxSurge: 0, MaxUnavailable: 0%}\n",
        ["a.yaml:6: Properties.Updating: MaxSurge and MaxUnavailable can't both be 0: nothing could ever be replaced"],
    ),
    (
        GROUP % "LogicalIDs: [a]" + "  Updating: {MaxSurge: 1, MaxUnavailable: 0}\n",
        [
            "a.yaml:6: Properties.Updating.MaxSurge: must be 0 with LogicalIDs: a logical ID can't exist twice",
            "a.yaml:6: Properties.Updating.MaxUnavailable: must be at least 1 with LogicalIDs: a logical ID can't"
            " exist twice",
        ],
    ),
    (
        GROUP % "Size: 4" + "  Updating: {MaxSurge: 150%, MaxUnavailable: true}\n",
        [
            'a.yaml:6: Properties.Updating.MaxSurge: must be a number of machines or a percentage from "0%" to "100%"',
            'a.yaml:6: Properties.Updating.MaxUnavailable: must be a number of machines or a percentage such as "25%"',
        ],
    ),
    (GROUP % "Size: 1" + "  Images: [a, a]\n", ["a.yaml:6: Properties.Images[1]: is the same as Images[0]"]),
    (
        "ID: -g\nProperties:\n  Allocation:\n    Size: 1\n    size: 2\n  Instance: {}\n  Flavour: {Plugin: f}\n",
        [
            "a.yaml:1: ID: must have only letters, digits and, inside, - _ .",
            "a.yaml:2: Properties.Flavor: is required",
            "a.yaml:5: Properties.Allocation.Size: is written twice (first on line 4, as Size)",
            "a.yaml:6: Properties.Instance.Plugin: is required",
            "a.yaml:7: Properties.Flavour: is not a field here; did you mean Flavor?",
        ],
    ),
    (
        "ID: g\nProperties:\n  Allocation: {Size: 1}\n  Flavor: {Plugin: f}\n  Instance:\n    Plugin: i\n"
        "    Properties:\n      Tags: {a: 1, A: 2}\n      Box: x\n      Box: y\n",
        ["a.yaml:10: Properties.Instance.Properties.Box: is written twice (first on line 9)"],
    ),
]

DEVICE = "must look like /dev/fuse, /dev/fuse:rw or /dev/sda:/dev/xvda:r; others are written as objects"
GPUS = "must look like all, 2 or device=0,1; drivers and capabilities are written as an object"
BAD_WORKLOADS = [
    ("Name: w\nImage: i\n", ["a.yaml:1: Count: is required"]),
    (
        "Name: w\nImage: i\nMode: global\nCount: 2\n",
        ["a.yaml:4: Count: is not used with Mode global, which runs one on each node; leave it out"],
    ),
    (
        "Name: a/b\nImage: 'a b'\nCount: 1.5\nCluster: ''\n",
        [
            "a.yaml:1: Name: must have only letters, digits and, inside, - _ .",
            "a.yaml:2: Image: is no image reference such as nginx, nginx:1.27 or registry.example.com:5000/team/web:1",
            "a.yaml:3: Count: must be a whole number, not a number with a fraction or exponent",
            "a.yaml:4: Cluster: must not be empty",
        ],
    ),
    (
        WORKLOAD % "Restart: {MaxAttempts: -1, Window: 0s, Delay: 5s}",
        [
            "a.yaml:4: Restart.Delay: is not a field here; there are Policy, MaxAttempts and Window",
            "a.yaml:4: Restart.MaxAttempts: must not be negative",
            "a.yaml:4: Restart.Window: must be at least 1s",
        ],
    ),
    (
        WORKLOAD % "Updating: {MaxSurge: -1, MaxUnavailable: 101%, MinReady: soon, Pace: 3}",
        [
            "a.yaml:4: Updating.Pace: is not a field here; there are MaxSurge, MaxUnavailable, MinReady,"
            " ProgressDeadline, FailureAction and MaxFailureRatio",
            "a.yaml:4: Updating.MaxSurge: must not be negative",
            'a.yaml:4: Updating.MaxUnavailable: must be a number of containers or a percentage from "0%" to "100%"',
            "a.yaml:4: Updating.MinReady: must be a number of seconds or a duration such as 10s or 1m30s",
        ],
    ),
    (
        WORKLOAD % "Updating: {FailureAction: Rollback, MaxFailureRatio: 25%}",
        [
            "a.yaml:4: Updating.FailureAction: must be pause, rollback or continue",
            "a.yaml:4: Updating.MaxFailureRatio: must be a number from 0 to 1",
        ],
    ),
    (
        WORKLOAD % "Restart: never\nUpdating: {FailureAction: rollback, MaxFailureRatio: 1.5}",
        [
            "a.yaml:5: Updating.MaxFailureRatio: must be a number from 0 to 1",
            "a.yaml:5: Updating.FailureAction: must be continue for a job (Restart never)",
        ],
    ),
    (
        WORKLOAD % "Updating: {MaxSurge: 0%, MaxUnavailable: 0, MinReady: 1m, ProgressDeadline: 60s}",
        [
            "a.yaml:4: Updating: MaxSurge and MaxUnavailable can't both be 0: nothing could ever be replaced",
            "a.yaml:4: Updating.MinReady: must be shorter than ProgressDeadline, which is 10m where it is not written",
        ],
    ),
    (
        WORKLOAD % "Updating: {MinReady: 10m}",
        ["a.yaml:4: Updating.MinReady: must be shorter than ProgressDeadline, which is 10m where it is not written"],
    ),
    (
        "Name: w\nImage: i\nMode: global\nUpdating: {MaxSurge: 1, MaxUnavailable: 0%}\n",
        [
            "a.yaml:4: Updating.MaxSurge: must be 0 with Mode global: each node runs one",
            "a.yaml:4: Updating.MaxUnavailable: must be at least 1 with Mode global: each node runs one",
        ],
    ),
    (WORKLOAD % "Image: x", ["a.yaml:4: Image: is written twice (first on line 2)"]),
    (WORKLOAD % "Kind: group2", ["a.yaml:4: Kind: must be group or workload"]),
    (WORKLOAD % 'Command: "a \'b"', ["a.yaml:4: Command: can't be split into words: No closing quotation"]),
    (WORKLOAD % "Env: {A: 1}", ["a.yaml:4: Env.A: must be a string, not a number: put it in quotes"]),
    (
        WORKLOAD % "Env:\n- A=1\n- B\n- 5\n- A=2",
        [
            "a.yaml:6: Env[1]: must look like NAME=value",
            "a.yaml:7: Env[2]: must look like NAME=value",
            "a.yaml:8: Env[3]: names what is named above",
        ],
    ),
    (
        WORKLOAD % "Labels:\n  skep.x: a\n  com.docker.y: b\n  swarm.cluster.state: c",
        [
            "a.yaml:5: Labels.skep.x: is a label of skep's own",
            "a.yaml:6: Labels.com.docker.y: is in the namespace of Docker itself",
            "a.yaml:7: Labels.swarm.cluster.state: is a label of skep's own",
        ],
    ),
    (
        WORKLOAD % "Ports:\n- 8080:80\n- 127.0.0.1:80:80\n- {Target: 0}\n- {target: 81, published: 8080, mode: mesh}",
        [
            'a.yaml:6: Ports[1]: must look like 80, "8080:80" or "8080:80/udp"; Swarm has no addresses and skep no'
            " ranges here",
            "a.yaml:7: Ports[2].Target: must be at least 1",
            'a.yaml:8: Ports[3].Mode: must be ingress or host, not "mesh"',
            "a.yaml:8: Ports[3]: is the same as Ports[0]",
        ],
    ),
    (
        WORKLOAD % "Mounts:\n- data:/d:x\n- ./x:/y\n- {Type: tmpfs, Source: a, Target: /t}\n- {Type: bind, Target: t}"
        "\n- data:/t",
        [
            "a.yaml:5: Mounts[0]: must look like /data, volume:/data or /folder:/data:ro",
            "a.yaml:6: Mounts[1].Source: must be the name of a volume: letters, digits and - _ .",
            "a.yaml:7: Mounts[2].Source: is not used with Type tmpfs; leave it out",
            "a.yaml:8: Mounts[3].Target: must be an absolute path other than /",
            "a.yaml:8: Mounts[3].Source: must be an absolute path of the node for Type bind",
            "a.yaml:9: Mounts[4]: is the same as Mounts[2]",
        ],
    ),
    (
        WORKLOAD % "Constraints: [node.role=worker, node.role==boss, zone==a, node.labels.a!=b]\nNetworks: [a, '', a]",
        [
            "a.yaml:4: Constraints[0]: must look like node.role==worker or node.labels.zone!=a",
            "a.yaml:4: Constraints[1]: node.role is manager or worker",
            "a.yaml:4: Constraints[2]: must start with node.id, node.ip, node.hostname, node.role, node.platform.os,"
            " node.platform.arch, node.labels.NAME or engine.labels.NAME",
            "a.yaml:5: Networks[1]: must be the name of a network: letters, digits and - _ .",
            "a.yaml:5: Networks[2]: is the same as Networks[0]",
        ],
    ),
    (
        WORKLOAD % "Resources:\n  Limits: {Cpus: 0.0001, Memory: 1k, Pids: -1}\n"
        "  Reservations: {Cpus: 1, Memory: lots, Pids: 1}",
        [
            "a.yaml:5: Resources.Limits.Cpus: must be at least 0.001",
            "a.yaml:5: Resources.Limits.Memory: must be at least 4MiB",
            "a.yaml:5: Resources.Limits.Pids: must not be negative",
            "a.yaml:6: Resources.Reservations.Pids: is not a field here; there are Cpus and Memory",
            "a.yaml:6: Resources.Reservations.Memory: must be a number of bytes or a size such as 512MiB or 1g",
            "a.yaml:6: Resources.Reservations.Cpus: must not be more than the limit",
        ],
    ),
    (
        WORKLOAD % "HealthCheck: {Test: [wget], Interval: 1us, Timeout: soon, Retries: -1}\nStopGrace: 10",
        [
            "a.yaml:4: HealthCheck.Interval: must be at least 1ms",
            "a.yaml:4: HealthCheck.Timeout: must be a number of seconds or a duration such as 10s or 1m30s",
            "a.yaml:4: HealthCheck.Retries: must not be negative",
            "a.yaml:4: HealthCheck.Test: must be a line for the shell, or a list from CMD, CMD-SHELL or NONE on",
        ],
    ),
    (
        WORKLOAD % "Secrets: [a, {Source: b, Target: a, UID: x, Mode: '999'}]",
        [
            'a.yaml:4: Secrets[1].UID: must be a number in quotes such as "1000"',
            'a.yaml:4: Secrets[1].Mode: must be an octal number such as 0o440 or "0440"',
            "a.yaml:4: Secrets[1]: is the same as Secrets[0]",
        ],
    ),
    (
        WORKLOAD % "Privileged: 'yes'\nDevices:\n- fuse\n- /dev/a:/dev/b:rx\n- /dev/a:rr\n- /dev/a:/:r\n- /dev/fuse\n"
        "- {Source: a, Target: /dev/fuse, Permissions: wrr, Host: x}\n- {Source: /dev/b, Target: /dev/fuse}\n- 5",
        [
            "a.yaml:4: Privileged: must be true or false, not a string",
            f"a.yaml:6: Devices[0]: {DEVICE}",
            f"a.yaml:7: Devices[1]: {DEVICE}",
            f"a.yaml:8: Devices[2]: {DEVICE}",
            f"a.yaml:9: Devices[3]: {DEVICE}",
            "a.yaml:11: Devices[5].Host: is not a field here; there are Source, Target and Permissions",
            "a.yaml:11: Devices[5].Source: must be an absolute path such as /dev/fuse",
            "a.yaml:11: Devices[5].Permissions: must be some of r, w and m, each once",
            "a.yaml:11: Devices[5]: is the same as Devices[4]",
            "a.yaml:12: Devices[6]: is the same as Devices[4]",
            "a.yaml:13: Devices[7]: must be an object, not a number",
        ],
    ),
    (WORKLOAD % "GPUs: some", [f"a.yaml:4: GPUs: {GPUS}"]),
    (WORKLOAD % "GPUs: 'count=1,device=0'", [f"a.yaml:4: GPUs: {GPUS}"]),
    (WORKLOAD % "GPUs: 0", ["a.yaml:4: GPUs.Count: must be at least 1, or all"]),
    (WORKLOAD % "GPUs: 1000000000000000000000", ["a.yaml:4: GPUs.Count: must be at most 1024, or all"]),
    (WORKLOAD % "GPUs: true", ["a.yaml:4: GPUs: must be an object, not true or false"]),
    (WORKLOAD % "GPUs: device=0,0", ["a.yaml:4: GPUs.DeviceIDs[1]: is the same as DeviceIDs[0]"]),
    (WORKLOAD % "GPUs: {Driver: nvidia}", ["a.yaml:4: GPUs: needs Count or DeviceIDs"]),
    (WORKLOAD % "GPUs: {Count: 1, DeviceIDs: ['0']}", ["a.yaml:4: GPUs: takes only one of Count and DeviceIDs"]),
    (
        WORKLOAD % "GPUs: {Count: many, Driver: a b, Capabilities: [gpu, 'c,d']}",
        [
            "a.yaml:4: GPUs.Count: must be a number of GPUs or all",
            "a.yaml:4: GPUs.Driver: must be one word of letters, digits and - _ .",
            "a.yaml:4: GPUs.Capabilities[1]: must be one word of letters, digits and - _ .",
        ],
    ),
    (
        WORKLOAD % "GPUs: {DeviceIDs: [0, 'a b']}",
        [
            "a.yaml:4: GPUs.DeviceIDs[0]: must be a string, not a number: put it in quotes",
            "a.yaml:4: GPUs.DeviceIDs[1]: must be the number or UUID of a GPU, in quotes",
        ],
    ),
]

UNREADABLE = [
    (
        "a: [",
        ["a.yaml:1: this is not YAML: while parsing a flow node expected the node content, but found '<stream end>'"],
    ),
    (
        "- 5\n- {Foo: 1}",
        [
            "a.yaml:1: a document must be an object, not a number",
            "a.yaml:2: is neither a group (ID, Properties) nor a workload (Name, Image, Count)",
        ],
    ),
    (
        "Name: w\nImage: !!str i\nCount: 012\n",
        [
            "a.yaml:2: tags are not supported; for a string, put the value in quotes",
            "a.yaml:3: 012 is octal to some and decimal to others; write it as 0o… or in quotes",
        ],
    ),
    (
        "Name: w\nImage: i\nCount: .inf\n",
        ["a.yaml:3: .inf is not a number that JSON has; for a string, put it in quotes"],
    ),
    (
        "Name: w\nImage: i\nCount: 1\n<<: {a: b}",
        ["a.yaml:4: merge keys (<<) are not part of YAML 1.2; write the fields out"],
    ),
    ("a: *x", ["a.yaml:1: the anchor x is not defined above, or holds itself"]),
    ("a: &x [*x]", ["a.yaml:1: the anchor x is not defined above, or holds itself"]),
    ("[" * 65, ["a.yaml:1: a document has at most 64 levels"]),
    (
        "a: &a [x, x, x]\n" + "".join(f"b{i}: &a [*a, *a, *a, *a]\n" for i in range(20)),
        [f"a.yaml:7: a YAML file has at most {VALUES_MAX} values, aliases written out"],
    ),
    ('{"Name": "w" "Image": "i"}', ["a.yaml:1: this is not JSON: expected a comma or }, found '\"'"]),
    ('{"Name": "w\\ud800", "Image": "i", "Count": 1}', ["a.yaml:1: half a surrogate pair is not a character"]),
    ("{Name: w, Image: i}", ["a.yaml:1: Count: is required"]),
    ("Name: w\nImage: \udcff", ["a.yaml: the file is not UTF-8 text"]),
    ("#" * 300_000, ["a.yaml: a YAML file has at most 262144 characters, not 300000"]),
    (" " * 1_100_000, ["a.yaml: a file has at most 1048576 characters, not 1100000"]),
]


@pytest.mark.parametrize(("text", "expected"), BAD_GROUPS + BAD_WORKLOADS + UNREADABLE)
def test_what_is_wrong_is_told_with_line_path_and_words(text: str, expected: list[str]) -> None:
    assert faults(text) == expected


def test_faults_of_every_document_in_every_file_come_at_once() -> None:
    one, two = WORKLOAD % "Imgae: 1" + "---\n" + GROUP % "Size: -1", '{"Name": "x",\n "Image": ""}'
    assert faults(one, two) == [
        "a.yaml:4: Imgae: is not a field here; did you mean Image?",
        "a.yaml:8: Properties.Allocation.Size: must not be negative",
        "b.yaml:1: Count: is required",
        "b.yaml:2: Image: must not be empty",
    ]


def test_one_key_in_two_documents_is_refused_and_the_first_is_named() -> None:
    assert faults(WORKLOAD % "", "\n" + WORKLOAD % "", GROUP % "Size: 1") == [
        "b.yaml:2: Name: workload/w is written twice: first in a.yaml:1"
    ]


def test_a_group_and_a_workload_may_share_a_name() -> None:
    assert len(parse([SourceFile("a.yaml", GROUP % "Size: 1" + "---\nName: g\nImage: i\nCount: 1\n")])) == 2


def test_the_number_of_documents_is_bounded() -> None:
    text = "".join(f'{{"Name":"w{index}","Image":"i","Count":1}}\n' for index in range(DOCUMENTS_MAX + 1))
    assert faults(text) == ["at most 1000 documents may be given at once, not 1001"]


def test_values_of_env_never_appear_in_a_fault() -> None:
    assert "hunter2" not in "".join(faults(WORKLOAD % "Env: [hunter2, {a: hunter2}]"))


MODELS = [
    GroupDocument, GroupPart, AllocationPart, PluginPart, UpdatingPart,
    WorkloadDocument, PortPart, MountPart, LimitsPart, HealthCheckPart, FilePart, RestartPart, DevicePart, GpusPart,
    RollingPart,
]  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
def test_every_field_is_documented(model: type[Properties]) -> None:
    page = PAGE.read_text()
    assert [info.alias for info in model.model_fields.values() if f"{info.alias}" not in page] == []


def test_the_documented_limits_are_those_that_hold() -> None:
    page = PAGE.read_text()
    assert [
        most for most in (DOCUMENTS_MAX, TEXT_MAX, NODES_MAX, VALUES_MAX, YAML_TEXT_MAX) if f"{most:,}" not in page
    ] == []


MISTAKES = [
    ('Count: "5"', "Count: must be a whole number, not a string"),
    ("Count: 1\nMode: 0440", "0440 is octal to some and decimal to others; write it as 0o… or in quotes"),
    ("Count: 1\nEnv: {PORT: 80}", "Env.PORT: must be a string, not a number: put it in quotes"),
    ("Count: 1\n<<: {a: b}", "merge keys (<<) are not part of YAML 1.2; write the fields out"),
    (
        "Count: 1\nConstraints: [node.role=worker]",
        "Constraints[0]: must look like node.role==worker or node.labels.zone!=a",
    ),
]


@pytest.mark.parametrize(("wrong", "told"), MISTAKES)
def test_common_mistakes_are_told_as_documented(wrong: str, told: str) -> None:
    assert told in PAGE.read_text()
    assert faults((WORKLOAD % "").replace("Count: 1", wrong))[0].endswith(told)
