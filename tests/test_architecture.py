"""Imports point one way, and importing the package loads nothing heavy."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "rerankllm"
HEAVY = [
    "torch",
    "vllm",
    "openai",
    "ray",
    "llama_cpp",
    "transformers",
    "sentence_transformers",
    "numpy",
    "scipy",
    "ir_measures",
    "typer",
    "jinja2",
    "yaml",
    "ir_datasets",
    "datasets",
    "bm25s",
    "pandas",
    "threadpoolctl",
    "pyarrow",
    "fastapi",
    "pydantic",
    "starlette",
    "uvicorn",
    "langchain_core",
    "llama_index",
    "haystack",
    "pyterrier",
    "mcp",
]

FLOORS = (  # a room imports rooms of lower floors only
    {"display", "errors", "notes", "plan", "sample", "version", "web"},
    {"aggregation", "data", "files", "registry"},
    {"evaluation", "judgements"},
    {"calls", "spec"},
    {"calibration"},
    {"elicitation", "formats", "strategies"},
    {"backends", "collections", "journal"},
    {"drivers"},
    {"distributed"},
    {"reranker"},
    {"api", "integrations", "runs", "server"},
    {"experiments"},
    {"analysis", "training"},
    {"reports"},
    {"__init__"},
    {"cli"},
    {"__main__"},
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
GROUND = {"data", "errors", "judgements", "plan", "registry"}
ONLY = {  # narrower than the floor, on purpose
    "aggregation": {"errors"},
    "evaluation": {"data", "errors"},
    "strategies": GROUND | {"aggregation", "calibration", "spec"},
    "elicitation": GROUND | {"calls", "calibration"},
    "backends": GROUND | {"calls", "elicitation", "files", "formats"},
    "journal": GROUND | {"calls", "formats", "notes", "spec"},
}
FILES = sorted(PACKAGE.rglob("*.py"))
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))


def module_of(path):
    """A file's dotted name within the package; a folder's `__init__.py` has the folder's."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


def imports(tree):
    """What the statements of a file import of the package, as dotted names within it; `__init__` is the package itself.

    `from rerankllm.a import b` is `a.b` where that is a file, else `a`.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "rerankllm":
            module = node.module.partition(".")[2]
            for name in (f"{module}.{alias.name}".strip(".") for alias in node.names):
                yield name if name in MODULES else module or "__init__"
        elif isinstance(node, ast.Import):
            yield from (
                alias.name.partition(".")[2] or "__init__"
                for alias in node.names
                if alias.name.split(".")[0] == "rerankllm"
            )


MODULES = {module_of(path): path for path in FILES}


def read(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def when_loaded(tree):
    """The file without what is imported for type checkers only, or by a function when it is called."""

    class Loaded(ast.NodeTransformer):
        def generic_visit(self, node):
            later = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            never = isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
            return None if later or never else super().generic_visit(node)

    return Loaded().visit(tree)


def test_every_room_has_a_floor():
    assert {module.split(".")[0] for module in MODULES} == set(FLOOR)
    assert sum(map(len, FLOORS)) == len(FLOOR)


@pytest.mark.slow
@each_file
def test_imports_point_down(path):
    room = module_of(path).split(".")[0]
    for module in imports(read(path)):
        other = module.split(".")[0]
        assert other == room or FLOOR[other] < FLOOR[room], f"{room} is not above {other}, and imports {module}"
        assert other == room or room not in ONLY or other in ONLY[room], f"{room} imports {module}"


@pytest.mark.slow
def test_files_import_one_another_in_no_circle():
    """Each room by itself, as floors see to the rest: the files that are left when those without an import are taken
    away, again and again, are in a circle or import one."""
    graph = {module: {m for m in imports(when_loaded(read(path))) if m in MODULES} for module, path in MODULES.items()}
    left = {
        module: {m for m in found if m != module and m.split(".")[0] == module.split(".")[0]}
        for module, found in graph.items()
    }
    while done := {module for module, found in left.items() if not found}:
        left = {module: found - done for module, found in left.items() if module not in done}
    assert not left


@pytest.mark.slow
@each_file
def test_only_the_command_line_knows_typer(path):
    room = module_of(path).split(".")[0]
    for node in ast.walk(read(path)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert room == "cli" or not [name for name in names if name.split(".")[0] in {"typer", "click"}]


@pytest.mark.slow
def test_importing_loads_nothing_heavy():
    code = f"import rerankllm, sys; print([m for m in {HEAVY} if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"


@pytest.mark.slow
def test_no_print_in_the_library():
    """What a file does when it is run as a program, under `if __name__ == "__main__"`, is no library."""
    for path in FILES:
        library = [
            node for node in read(path).body if not (isinstance(node, ast.If) and "__main__" in ast.dump(node.test))
        ]
        calls = [n for statement in library for n in ast.walk(statement) if isinstance(n, ast.Call)]
        assert not [c for c in calls if isinstance(c.func, ast.Name) and c.func.id == "print"], path
