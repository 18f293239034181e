"""The notebooks as pages."""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "notebooks"


def pages() -> dict[str, str]:
    """Every page by its address, with what the cells printed when the notebook was last run by its test."""
    return {f"notebooks/{path.stem}.md": _page(path) for path in sorted(FOLDER.glob("*.ipynb"))}


def _page(path: Path) -> str:
    parts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"])
        parts.append(text if cell["cell_type"] == "markdown" else f"````python\n{text}\n````")
        parts += [shown for output in cell.get("outputs", ()) if (shown := _shown(output))]
    title, *rest = parts
    return "\n\n".join([title, f"This is `notebooks/{path.name}`; run it with Jupyter.", *rest])


def _shown(output: dict[str, Any]) -> str:
    """What a cell printed: a picture, a table, or text."""
    data = output.get("data", {})
    if "image/png" in data:
        return f'<img alt="What the cell draws" src="data:image/png;base64,{"".join(data["image/png"]).strip()}">'
    if "text/html" in data:
        return "".join(data["text/html"])
    text = "".join(data.get("text/plain", output.get("text", ""))).rstrip()
    return f"````text\n{text}\n````" if text else ""
