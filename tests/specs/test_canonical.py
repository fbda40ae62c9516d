"""One text for one spec, and back; and nothing that is thrown at the border does worse than InvalidError."""

import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck as Noise
from hypothesis import given, settings
from hypothesis import strategies as st

from skep.model.errors import InvalidError
from skep.model.json import RawJson
from skep.model.spec import (
    Allocation,
    Device,
    FileRef,
    Gpus,
    GroupSpec,
    HealthCheck,
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
from skep.specs.canonical import from_json, to_json
from skep.specs.source import SourceFile, parse

NAMES = st.from_regex(r"[a-zA-Z0-9]([-_.a-zA-Z0-9]{0,10}[a-zA-Z0-9])?", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
IMAGES = st.sampled_from(["nginx", "skep/web:1", "r.example.com:5000/a/b:c@sha256:" + "0" * 64])
AMOUNTS = st.integers(1, 9)
SECONDS = st.integers(0, 10**6).map(float) | st.floats(0.001, 10**6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
).map(lambda value: RawJson(json.dumps(value, separators=(",", ":")).encode()))
PLUGINS = st.builds(PluginRef, NAMES, JSON)


def unique(values: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(values, unique=True, max_size=3).map(tuple)


def pairs(names: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[tuple[str, str], ...]]:
    return st.dictionaries(names, TEXTS, max_size=3).map(lambda given: tuple(given.items()))


CATTLE = st.builds(
    GroupSpec,
    NAMES,
    st.builds(Allocation, st.integers(0, 10_000)),
    PLUGINS,
    PLUGINS,
    unique(IMAGES),
    st.builds(Updating, st.none() | AMOUNTS, st.none() | AMOUNTS),
)
PETS = st.builds(
    GroupSpec,
    NAMES,
    unique(NAMES).filter(len).map(lambda ids: Allocation(0, ids)),
    PLUGINS,
    PLUGINS,
    unique(IMAGES),
    st.builds(Updating, st.none(), st.none() | AMOUNTS),
)
FILES = st.lists(
    st.builds(FileRef, NAMES, NAMES, st.just("0") | st.just("1000"), st.just("0"), st.integers(0, 0o7777)),
    unique_by=lambda ref: ref.target,
    max_size=2,
).map(tuple)
PORTS = st.builds(
    Port, st.integers(1, 65535), st.just(0), st.sampled_from(["tcp", "udp"]), st.sampled_from(["host", "ingress"])
)
MOUNTS = st.sampled_from(
    [Mount("tmpfs", "/a"), Mount("bind", "/a", "/b", True), Mount("volume", "/a"), Mount("volume", "/a", "vol")]
)
DEVICES = st.lists(
    st.builds(Device, st.just("/dev/a"), st.sampled_from(["/dev/a", "/dev/b"]), st.sampled_from(["rwm", "r", "wm"])),
    unique_by=lambda device: device.target,
).map(tuple)
GPUS = st.builds(Gpus, st.just(-1) | AMOUNTS, st.just(()), st.just("") | NAMES, unique(NAMES)) | st.builds(
    Gpus, st.just(0), unique(NAMES).filter(len)
)
WORKLOADS = st.builds(
    WorkloadSpec,
    NAMES,
    IMAGES,
    st.integers(0, 10_000),
    cluster=st.just("") | NAMES,
    command=st.lists(TEXTS, max_size=2).map(tuple),
    args=st.lists(TEXTS, max_size=2).map(tuple),
    env=pairs(NAMES),
    labels=pairs(NAMES.map(lambda name: f"x{name}")),
    ports=st.lists(PORTS, max_size=3).map(tuple),
    mounts=st.lists(MOUNTS, max_size=1).map(tuple),
    networks=unique(NAMES),
    constraints=unique(st.sampled_from(["node.role==worker", "node.labels.a!=b"])),
    resources=st.builds(
        Resources,
        st.just(0) | st.integers(10**6, 8 * 10**15),
        st.just(0) | st.integers(2**22, 2**63 - 1),
        st.integers(0, 1000),
    ),
    health_check=st.none()
    | st.builds(HealthCheck, TEXTS.map(lambda line: ("CMD-SHELL", line)), SECONDS, SECONDS, AMOUNTS, SECONDS),
    stop_grace_s=st.none() | SECONDS,
    user=TEXTS,
    secrets=FILES,
    configs=FILES,
    updating=st.builds(
        Rolling,
        st.none() | AMOUNTS | st.sampled_from(["0%", "50%"]),
        st.none() | AMOUNTS | st.sampled_from(["1%", "100%"]),
        st.none() | st.integers(0, 59).map(float),
        st.just(0.0) | st.integers(60, 900).map(float),
        st.sampled_from([None, "pause", "rollback", "continue"]),
        st.floats(0.0, 1.0),
    ),
    restart=st.builds(Restart, st.integers(0, 9), st.integers(1, 10**6).map(float) | st.floats(1.0, 10**6)),
    privileged=st.booleans(),
    devices=DEVICES,
    gpus=st.none() | GPUS,
)
SPECS = (
    CATTLE | PETS | WORKLOADS | WORKLOADS.map(lambda spec: replace(spec, mode="global", count=0, updating=Rolling()))
)

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[Noise.too_slow, Noise.data_too_large])


@QUICK
@given(SPECS)
def test_a_spec_comes_back_as_it_was(spec: Spec) -> None:
    text = to_json(spec)
    assert from_json(text) == spec
    assert to_json(from_json(text)) == text


@QUICK
@given(SPECS)
def test_the_canonical_text_is_a_document_that_people_may_write(spec: Spec) -> None:
    (parsed,) = parse([SourceFile("x.json", to_json(spec).decode())])
    assert parsed.spec == spec


def test_defaults_are_left_out_and_names_are_documented() -> None:
    group = GroupSpec("g", Allocation(0), PluginRef("i", RawJson(b'{"b":1e6,"a":1}')), PluginRef("f"))
    assert to_json(group) == (
        b'{"ID":"g","Properties":{"Allocation":{"Size":0},"Instance":{"Plugin":"i","Properties":{"b":1e6,"a":1}},'
        b'"Flavor":{"Plugin":"f"}}}'
    )
    web = WorkloadSpec("w", "i", 2, ports=(Port(80, mode="host"),), stop_grace_s=0.0)
    assert to_json(web) == b'{"Name":"w","Image":"i","Count":2,"Ports":[{"Target":80,"Mode":"host"}],"StopGrace":0}'


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"{", b"{}{}", b"\xff", b'{"Name":"w"}'])
def test_what_is_no_spec_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidError):
        from_json(text)


def survives(text: str) -> None:
    for name in ("a.yaml", "a.json"):
        try:
            parse([SourceFile(name, text)])
        except InvalidError as error:
            assert error.faults
            assert all(fault.message for fault in error.faults)


@QUICK
@given(st.text() | st.binary().map(lambda data: data.decode(errors="surrogateescape")))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    survives(text)


@QUICK
@given(st.lists(st.sampled_from([*list("{}[]:,-?&*!|>'\"%@#~ \n\t\\x0u<"), "a", "ID", "---", "...", "%YAML 3.0\n"])))
def test_any_punctuation_is_parsed_or_refused(parts: list[str]) -> None:
    survives("".join(parts))


KEYS = st.sampled_from(
    [
        "ID",
        "Properties",
        "Name",
        "Image",
        "Count",
        "Kind",
        "Env",
        "Ports",
        "Mounts",
        "Resources",
        "HealthCheck",
        "Allocation",
        "Size",
        "Test",
        "Secrets",
        "Mode",
    ]
)
SHAPES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | TEXTS, inner, max_size=5),
    max_leaves=20,
)


@QUICK
@given(st.dictionaries(KEYS, SHAPES, max_size=8))
def test_any_shape_under_known_keys_is_parsed_or_refused(document: dict[str, object]) -> None:
    survives(json.dumps(document))


@QUICK
@given(SPECS, st.data())
def test_a_document_with_a_piece_cut_out_is_parsed_or_refused(spec: Spec, data: st.DataObject) -> None:
    text = to_json(spec).decode()
    start = data.draw(st.integers(0, len(text)))
    survives(text[:start] + text[start + data.draw(st.integers(1, 9)) :])
