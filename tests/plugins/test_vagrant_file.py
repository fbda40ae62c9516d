"""What a group may say of its machines, and the Vagrantfile that comes of it (infrakit-compat.md 5.1, 1.3)."""

import json
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skep.model.errors import InvalidError
from skep.model.json import NULL, RawJson
from skep.plugins.vagrant_file import Template, read_machine, ruby, vagrantfile

DEFAULT = """
Vagrant.configure("2") do |config|
  config.vm.box = "williamyeh/ubuntu-trusty64-docker"
  config.vm.hostname = "infrakit.box"
  config.vm.network "private_network", type: "dhcp"

  config.vm.provision :shell, path: "boot.sh"

  config.vm.provider :virtualbox do |machine|
    machine.memory = 512
    machine.cpus = 2
  end
end
"""
BOX = {"Box": "williamyeh/ubuntu-trusty64-docker"}


def properties(**values: object) -> RawJson:
    return RawJson(json.dumps(BOX | values).encode())


def default(logical_id: str | None = None, **values: object) -> str:
    return vagrantfile(read_machine(properties(**values)), logical_id, {}, None)


def rendered(text: str, **values: object) -> str:
    return vagrantfile(read_machine(properties(**values)), "10.0.0.5", {"tier": "web"}, Template("box.j2", text))


def faults(text: bytes) -> list[str]:
    with pytest.raises(InvalidError) as caught:
        read_machine(RawJson(text))
    return [str(fault) for fault in caught.value.faults]


def test_the_default_does_what_infrakits_does() -> None:
    assert default() == DEFAULT


def test_a_logical_id_is_the_address() -> None:
    assert default("192.168.2.200") == DEFAULT.replace('type: "dhcp"', 'ip: "192.168.2.200"')


def test_size_is_by_property_as_number_or_text() -> None:
    wanted = DEFAULT.replace("memory = 512", "memory = 2048").replace("cpus = 2", "cpus = 8")
    assert default(Memory=2048, CPUs=8) == default(Memory="2048", CPUs="8") == wanted


def test_another_provider_gets_the_size_where_it_understands_it() -> None:
    assert default(Provider="libvirt") == DEFAULT.replace(":virtualbox", ":libvirt")
    assert default(Provider="docker") == DEFAULT


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (NULL, ["Property 'Box' must be set"]),
        (b'{"Box":null}', ["Property 'Box' must be set"]),
        (b'"box"', ["Invalid instance properties: must be an object"]),
        (b'{"box":"names are exact"}', ["Property 'Box' must be set"]),
        (
            b'{"Box":1,"CPUs":0,"Memory":"much","Provider":"--version"}',
            [
                "Box: must be the name of a Vagrant box",
                "CPUs: must be a positive whole number",
                "Memory: must be a positive whole number",
                "Provider: must be the name of a Vagrant provider, such as virtualbox or libvirt",
            ],
        ),
        (b'{"Box":"b","CPUs":true}', ["CPUs: must be a positive whole number"]),
        (b'{"Box":"b","CPUs":1.5}', ["CPUs: must be a positive whole number"]),
    ],
)
def test_every_fault_is_told_at_once(text: bytes, wanted: list[str]) -> None:
    assert faults(text) == wanted


def test_unknown_names_are_the_templates_business() -> None:
    assert rendered("{{ Properties.Disk.Size }}", Disk={"Size": "9G"}) == "9G"


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("plain", '"plain"'),
        ('a"b\\c', '"a\\"b\\\\c"'),
        ("#{`id`}", '"\\#{`id`}"'),
        ("two\nlines\x00", '"two\\nlines\\x00"'),
        ("\ud800 grün", '"\ufffd grün"'),
        (2, "2"),
        (True, "true"),
        (None, "nil"),
    ],
)
def test_values_are_written_for_ruby(value: object, wanted: str) -> None:
    assert ruby(value) == wanted


@pytest.mark.docker
@settings(max_examples=15, deadline=None)
@given(st.lists(st.text(), min_size=20, max_size=40))
def test_ruby_reads_every_text_as_it_was(texts: list[str]) -> None:
    """One Ruby for many texts: it comes with Vagrant, and takes its time to start."""
    program = f"# encoding: utf-8\nrequire 'json'\nprint JSON.generate([{','.join(map(ruby, texts))}])"
    command = [shutil.which("ruby") or "ruby", "-Ku"]
    run = subprocess.run(command, input=program.encode(), capture_output=True, check=True, timeout=30)
    assert json.loads(run.stdout) == texts


def test_a_template_has_what_infrakits_had_and_quotes_for_ruby() -> None:
    text = (
        "box = {{ ruby(Properties.Box) }}{{ NetworkOptions }} {{ LogicalID }} {{ Tags.tier }} {{ Properties.CPUs }}\n"
    )
    assert rendered(text, Box='a"b') == 'box = "a\\"b", ip: "10.0.0.5" 10.0.0.5 web 2\n'


def test_a_template_with_a_mistake_is_named_with_its_line() -> None:
    with pytest.raises(InvalidError, match=r"box\.j2:2: .*Nonsense"):
        rendered("\n{{ Properties.Nonsense }}")
