"""The rules of the house (architecture.md) as functions: each takes what it looks at and gives the faults it found."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60

_OUTSIDE = frozenset({"model", "ports", "specs", "wire"})
_EVERYTHING = _OUTSIDE | {"planning", "control", "adapters", "plugins", "server", "settings", "logs"}
MAY_IMPORT = {
    "": frozenset(),
    "model": frozenset(),
    "ports": frozenset({"model"}),
    "specs": frozenset({"model"}),
    "wire": frozenset({"model"}),
    "settings": frozenset({"model", "specs"}),
    "logs": frozenset(),
    "planning": frozenset({"model"}),
    "control": _OUTSIDE | {"planning"},
    "adapters": _OUTSIDE,
    "plugins": _OUTSIDE,
    "server": _OUTSIDE | {"planning", "control", "settings"},
    "app": _EVERYTHING,
    "programs": _EVERYTHING | {"app"},
    "cli": frozenset(),
}
"""Room to the other rooms that it may import; each may import itself, and all the version in skep/__init__.py."""

PURE = frozenset({"asyncio", "time", "random", "logging", "os", "pathlib", "socket", "subprocess", "threading"})
"""What rooms without I/O may not import: their time, chance and world are inputs."""
PURE_ROOMS = frozenset({"model", "planning", "wire"})

CLI_SERVERS = frozenset({"skep.cli.serve", "skep.cli.systemd", "skep.cli.plugin", "skep.cli.down", "skep.cli.config"})
"""The commands that are no clients: inside their functions they may import the app."""
CLI_LOCAL = frozenset({"skep.cli.certs"})
"""The commands that do their work themselves: inside their functions they may import adapters."""
CLI_LATE = dict.fromkeys(CLI_SERVERS, frozenset({"app", "settings", "specs"})) | dict.fromkeys(
    CLI_LOCAL, frozenset({"adapters"})
)
CLI_AT_IMPORT = frozenset({"click"})
"""What else than the standard library the client path may import; rich only when it prints."""

DRAWERS = frozenset({"utils", "util", "helpers", "misc", "common"})


def module_name(src: Path, file: Path) -> str:
    """`skep.planning.quorum` for src/skep/planning/quorum.py, `skep.planning` for its __init__.py."""
    parts = file.relative_to(src).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    """The second part of `skep.planning.quorum`; empty for skep itself."""
    return [*module.split("."), ""][1]


def python_files(folder: Path) -> list[Path]:
    """All Python files below, in a fixed order."""
    return sorted(folder.rglob("*.py"))


def _imports(tree: ast.Module) -> Iterator[tuple[str, int, bool]]:
    """Name, line and whether it happens when the module is imported, for every import however nested."""
    lazy = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno, id(node) not in lazy) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            names = [f"{base}.{alias.name}" for alias in node.names] if base == "skep" else [base]
            yield from ((name, node.lineno, id(node) not in lazy) for name in names)


def _import_fault(module: str, name: str, eager: bool, stdlib: frozenset[str]) -> str:
    """What is wrong with this import in this module; empty when nothing is."""
    room, top = room_of(module), name.split(".", maxsplit=1)[0]
    if name.startswith("."):
        return "is relative"
    if room in PURE_ROOMS and top in PURE:
        return f"is not for {room}, which has no I/O"
    if room == "cli" and top != "skep" and eager and top not in stdlib | CLI_AT_IMPORT:
        return "slows every command down: import it where it is used"
    if top != "skep" or name in {"skep", "skep.__version__"} or room_of(name) == room:
        return ""
    if not eager and room_of(name) in CLI_LATE.get(module, frozenset()):
        return ""
    return "" if room_of(name) in MAY_IMPORT.get(room, frozenset()) else f"is not for {room or 'skep itself'}"


def import_faults(src: Path, stdlib: frozenset[str]) -> list[str]:
    """Every import that breaks the order of the rooms."""
    faults = []
    for file in python_files(src / "skep"):
        module = module_name(src, file)
        if room_of(module) not in MAY_IMPORT:
            faults.append(f"{module}: no such room in architecture.md")
        for name, line, eager in _imports(ast.parse(file.read_text())):
            fault = _import_fault(module, name, eager, stdlib)
            if fault:
                faults.append(f"{module}:{line}: import of {name} {fault}")
    return faults


def size_faults(files: list[Path]) -> list[str]:
    """Files that hold more than one subject."""
    sizes = {file: len(file.read_text().splitlines()) for file in files}
    return [f"{file}: {size} lines" for file, size in sizes.items() if size > FILE_LINES_MAX]


def function_faults(files: list[Path]) -> list[str]:
    """Functions that do more than one thing."""
    faults = []
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES_MAX:
                    faults.append(f"{file}:{node.lineno}: {node.name} has {lines} lines")
    return faults


def drawer_faults(files: list[Path]) -> list[str]:
    """Modules and folders named after nothing."""
    return [f"{file}: say what it holds" for file in files if DRAWERS & {file.stem, *file.parts}]


def docstring_faults(files: list[Path]) -> list[str]:
    """Public modules, classes and functions that don't say what they give."""
    faults = []
    for file in files:
        tree = ast.parse(file.read_text())
        if ast.get_docstring(tree) is None:
            faults.append(f"{file}: the module has no docstring")
        for node in tree.body:
            if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if not node.name.startswith("_") and ast.get_docstring(node) is None:
                faults.append(f"{file}:{node.lineno}: {node.name} has no docstring")
    return faults


_FORBIDDEN = {
    "unfinished": re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b"),
    "a registry's host name": re.compile(r"\b(pypi\.o" + r"rg|pythonhosted\.o" + r"rg|registry\.npmjs\.o" + r"rg)\b"),
    "a path of one machine": re.compile(
        r"(?<![\w.])/(wo" + r"rk|opt/(py" + r"pi|whe" + r"els)|root/\.py" + r"env|tmp/dev)\b"
    ),
}


def text_faults(files: list[Path]) -> list[str]:
    """Words that have no place in what is published."""
    faults = []
    for file in files:
        for number, line in enumerate(file.read_text(errors="replace").splitlines(), start=1):
            faults += [f"{file}:{number}: {what}" for what, pattern in _FORBIDDEN.items() if pattern.search(line)]
    return faults


def lock_faults(locks: list[Path]) -> list[str]:
    """Lock files name versions and hashes, and neither hosts nor folders (docs/decisions/0001)."""
    lines = [(lock, number, line) for lock in locks for number, line in enumerate(lock.read_text().splitlines(), 1)]
    return [f"{lock}:{number}: {line}" for lock, number, line in lines if "://" in line or line.startswith(("-", "/"))]


_LINK = re.compile(r"!?\[[^\]]*\]\(<?([^)>\s]+)>?[^)]*\)")
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def link_faults(pages: list[Path]) -> list[str]:
    """Relative links that lead nowhere."""
    faults = []
    for page in pages:
        targets = _LINK.findall(_FENCE.sub("", page.read_text()))
        paths = [
            target.partition("#")[0] for target in targets if "://" not in target and not target.startswith("mailto:")
        ]
        faults += [f"{page}: {path} is not there" for path in paths if path and not (page.parent / path).exists()]
    return faults


def decision_faults(folder: Path) -> list[str]:
    """Decisions are numbered without gaps, have a title and say when they were taken."""
    pages = sorted(folder.glob("*.md"))
    faults = []
    for number, page in enumerate(pages, start=1):
        text = page.read_text()
        if not re.fullmatch(rf"{number:04}-[a-z0-9-]+\.md", page.name):
            faults.append(f"{page}: should be called {number:04}-some-words.md")
        if not text.startswith("# "):
            faults.append(f"{page}: has no title")
        if not re.search(r"^Date: \d{4}-\d{2}-\d{2}$", text, re.MULTILINE):
            faults.append(f"{page}: has no line 'Date: YYYY-MM-DD'")
    return faults
