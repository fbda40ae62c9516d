#!/usr/bin/env python3
"""A program that behaves as Terraform 1.11 was seen to, as far as its built-in resource goes. It keeps its own state.

What it prints was taken from the real one. A file `faults.json` beside the machines asks for what the real one can't
be brought to do: {"destroy": "message"} lets removals fail, {"apply": 1} ends an apply before it begins.
"""

import json
import re
import subprocess
import sys
import uuid
from pathlib import Path

KNOWN = {"input", "triggers_replace", "provisioner", "lifecycle", "depends_on", "count", "//"}
BACKEND = """
Error: Backend initialization required, please run "terraform init"

Reason: Initial configuration of the requested backend "local"
"""


def say(type: str, **more: object) -> None:
    level = "error" if type == "diagnostic" else "info"
    print(json.dumps({"@level": level, "@message": "…", "@module": "terraform.ui", "type": type, **more}))


def fail(summary: str, detail: str, address: str = "", file: str = "") -> None:
    told: dict[str, object] = {"severity": "error", "summary": summary, "detail": detail}
    if address:
        told["address"] = address
    if file:
        code = Path(file).read_text()
        told |= {"range": {"filename": file, "start": {"line": 1}}, "snippet": {"context": None, "code": code}}
    say("diagnostic", diagnostic=told)


def change(type: str, address: str, action: str) -> None:
    say(type, change={"resource": {"addr": address, "module": ""}, "action": action})


class Folder:
    def __init__(self) -> None:
        self.files = sorted(path for path in Path().glob("*.tf.json") if not path.name.startswith("."))
        self.resources: dict[str, dict[str, object]] = {}
        self.place: dict[str, str] = {}
        self.backend = ""
        self.broken = False
        for path in self.files:
            self.read(path)

    def read(self, path: Path) -> None:
        try:
            text = json.loads(path.read_text())
        except ValueError:
            fail("Unclosed object", "No closing brace was found for this JSON object.", file=path.name)
            self.broken = True
            return
        for type, resources in text.get("resource", {}).items():
            for name, value in resources.items():
                self.resources[f"{type}.{name}"] = value
                self.place[f"{type}.{name}"] = path.name
        self.backend = text.get("terraform", {}).get("backend", {}).get("local", {}).get("path", self.backend)

    @property
    def state_file(self) -> Path:
        return Path(self.backend or "terraform.tfstate")

    def state(self) -> dict[str, dict[str, object]]:
        return json.loads(self.state_file.read_text()) if self.state_file.exists() else {}

    def keep(self, state: dict[str, dict[str, object]]) -> None:
        self.state_file.write_text(json.dumps(state))


def references(value: object) -> set[str]:
    return set(re.findall(r"(?<!\$)\$\{(terraform_data\.[\w-]+)\.", json.dumps(value)))


def pull(folder: Folder) -> int:
    state = folder.state()
    if state:
        print(json.dumps({"version": 4, "resources": [resource(*item) for item in state.items()]}))
    return 0


def plain(value: object) -> object:
    """Text as a template gives it."""
    return json.loads(json.dumps(value).replace("$${", "${").replace("%%{", "%{"))


def resource(address: str, kept: dict[str, object]) -> dict[str, object]:
    type, name = address.split(".")
    instance: dict[str, object] = {"attributes": {"id": kept["id"], "input": {"value": kept["input"], "type": []}}}
    if kept.get("tainted"):
        instance["status"] = "tainted"
    return {"mode": "managed", "type": type, "name": name, "instances": [instance]}


def faulty(folder: Folder) -> bool:
    for address, value in folder.resources.items():
        for name in sorted(set(value) - KNOWN):
            detail = f'No argument or block type is named "{name}".'
            fail("Extraneous JSON object property", detail, file=folder.place[address])
            folder.broken = True
        for missing in sorted(references(value) - set(folder.resources)):
            fail("Reference to undeclared resource", f"{missing} has not been declared.", file=folder.place[address])
            folder.broken = True
        if not address.startswith("terraform_data."):
            fail("Inconsistent dependency lock file", "The following are inconsistent. Run:\n  terraform init")
            folder.broken = True
    return folder.broken


def plan(folder: Folder, targets: set[str], out: str) -> int:
    if not folder.files:
        fail("No configuration files", "Plan requires configuration to be present.")
        return 1
    if faulty(folder):
        return 1
    state, actions = folder.state(), {}
    targets |= {other for address in targets for other in references(folder.resources.get(address))}
    for address in sorted(targets):
        if address in folder.resources and state.get(address, {}).get("tainted"):
            actions[address] = "replace"
        elif address in folder.resources and address not in state:
            actions[address] = "create"
        elif address in state and address not in folder.resources:
            actions[address] = "delete"
    for address, action in actions.items():
        change("planned_change", address, action)
    Path(out).write_text(json.dumps({"actions": actions, "resources": folder.resources}))
    return 0


def apply(folder: Folder, planned: dict[str, dict[str, dict[str, object]]]) -> int:
    faults = json.loads(Path("faults.json").read_text()) if Path("faults.json").exists() else {}
    if "apply" in faults:
        print("panic: runtime error", file=sys.stderr)
        return 1
    code = 0
    for address, action in planned["actions"].items():
        state = folder.state()
        if action == "delete" and "destroy" in faults:
            fail("Could not remove it", faults["destroy"], address)
            code = 1
        elif action == "delete":
            del state[address]
        else:
            value = planned["resources"][address]
            state[address] = {"id": str(uuid.uuid4()), "input": plain(value.get("input"))}
            if error := provisioned(value):
                state[address]["tainted"] = True
                fail("local-exec provisioner error", error, address)
                code = 1
        folder.keep(state)
    return code


def provisioned(value: dict[str, object]) -> str:
    for block in value.get("provisioner", []):  # type: ignore[attr-defined]
        command = block["local-exec"]["command"]
        run = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
        if run.returncode:
            return f"Error running command '{command}': exit status {run.returncode}. Output: {run.stdout}"
    return ""


def init(folder: Folder) -> int:
    strange = {address.partition("_")[0] for address in folder.resources if not address.startswith("terraform_data.")}
    if strange:
        text = f"Could not retrieve the list of available versions for provider hashicorp/{min(strange)}"
        print(f"\nError: Failed to query available provider packages\n\n{text}", file=sys.stderr)
        return 1
    Path(".terraform").mkdir(exist_ok=True)
    if folder.backend:
        Path(".terraform/terraform.tfstate").write_text("{}")
    return 0


def main() -> int:
    verb, options = sys.argv[1], sys.argv[2:]
    folder = Folder()
    if verb == "init":
        return init(folder)
    if folder.backend and not Path(".terraform/terraform.tfstate").exists():
        if verb == "state":
            print(BACKEND, file=sys.stderr)
        else:
            fail('Backend initialization required, please run "terraform init"', "Reason: Initial configuration")
        return 1
    if verb == "state":
        return 1 if folder.broken else pull(folder)
    given = dict(option.split("=", 1) for option in options if "=" in option and not option.startswith("-target"))
    if verb == "plan":
        return plan(folder, {o.removeprefix("-target=") for o in options if o.startswith("-target=")}, given["-out"])
    return apply(folder, json.loads(Path(options[-1]).read_text()))


if __name__ == "__main__":
    sys.exit(main())
