"""The notebooks as pages."""

import json
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "notebooks"


def pages() -> dict[str, str]:
    """Every page by its address. Notebooks are kept without what they print, so there is none here."""
    return {f"notebooks/{path.stem}.md": _page(path) for path in sorted(FOLDER.glob("*.ipynb"))}


def _page(path: Path) -> str:
    parts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"])
        parts.append(text if cell["cell_type"] == "markdown" else f"````python\n{text}\n````")
    title, *rest = parts
    return "\n\n".join([title, f"This is `notebooks/{path.name}`; run it with Jupyter.", *rest])
