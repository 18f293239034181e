"""The page of the public names, for mkdocstrings to fill."""

import inspect

import rerankllm

HEAD = """# Python

What `import rerankllm` gives; it loads no model library. What authors of strategies and backends import besides is in
[Your own](../extending.md)."""
HEADS = {
    "functions": "Functions",
    "results": "Rerankers, data and results",
    "events": "Events",
    "errors": "Errors",
}


def pages() -> dict[str, str]:
    """The page by its address."""
    groups: dict[str, list[str]] = {head: [] for head in HEADS}
    for name in sorted(rerankllm.__all__, key=str.casefold):
        groups[_group(getattr(rerankllm, name))].append(name)
    parts = [HEAD]
    for group, head in HEADS.items():
        parts += [f"## {head}", *(f"::: rerankllm.{name}" for name in groups[group])]
    return {"reference/python.md": "\n\n".join(parts)}


def _group(thing: object) -> str:
    if inspect.isfunction(thing):
        return "functions"
    if inspect.isclass(thing) and issubclass(thing, Exception):
        return "errors"
    return "events" if getattr(thing, "__module__", "").endswith(".events") else "results"
