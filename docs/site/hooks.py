"""What makes the site of docs/, and of what stands elsewhere in the repository (`mkdocs build -f .mkdocs.yml`).

The guides are files in docs/. Pages of strategies, commands, models and the like are made from the code while the site
is built, so that they cannot say anything else; results, notebooks and the change log are taken from where they are.
Links in files say where the target is in the repository, as a code host wants it, and are put right here.
"""

import os
import re
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import commands
import python_api
import reference
import strategies
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import notebooks

ROOT = Path(__file__).parents[2]
MADE = (strategies, reference, commands, python_api, notebooks)
MADE_FROM = {
    "notebooks": "notebooks/1-getting-started.md",
    "prompts": "reference/prompts.md",
    "rerankllm/aggregation": "reference/aggregations.md",
    "rerankllm/backends": "reference/models.md",
    "rerankllm/cli": "commands/index.md",
    "rerankllm/elicitation": "reference/elicitations.md",
    "rerankllm/strategies": "strategies/index.md",
    "CHANGELOG.md": "changelog.md",
}
"""What links to folders and files of the repository lead to on the site."""
FENCE = re.compile(r"^( *)(`{3,}).*?^\1\2$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(!?\[(?:[^][]|\[[^][]*\])*\])\(([^)\s]+)\)")
SECTION = re.compile(r"^\[[^]]+\]\(\.\./README\.md#([\w-]+)\)$", re.MULTILINE)
RESULTS = re.compile(r"<!-- results: (.+?) -->")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds every page that is no file in docs/, and its place in the navigation."""
    guides = [file.src_uri for file in files.documentation_pages() if f"'{file.src_uri}'" not in str(config.nav)]
    for module in MADE:
        for address, text in module.pages().items():
            files.append(File.generated(config, address, content=text))
    for path, address in _elsewhere():
        files.append(File.generated(config, address, abs_src_path=str(path)))
    config.nav = _expanded(config.nav or [], [file.src_uri for file in files.documentation_pages()], guides)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fills in what a page takes from elsewhere, and points its links at the site."""
    del config
    source = _source(page.file.src_uri)
    if source is None:
        return markdown
    address = page.file.src_uri
    parts = SECTION.split(RESULTS.sub(lambda found: _results(found[1], source, files), markdown))
    own = [_pointed(part, source, address, files) for part in parts[::2]]
    taken = [_pointed(_section(slug), ROOT / "README.md", address, files) for slug in parts[1::2]]
    return "".join(each for pair in zip_longest(own, taken, fillvalue="") for each in pair)


def _elsewhere() -> Iterator[tuple[Path, str]]:
    """Files of the repository that are pages or pictures of the site, with their addresses."""
    yield ROOT / "CHANGELOG.md", "changelog.md"
    for path in sorted((ROOT / "eval").rglob("*")):
        if path.suffix in {".md", ".png"} and "work" not in path.relative_to(ROOT).parts:
            yield path, _address(path)


def _address(path: Path) -> str:
    """Where a file of the repository is on the site, if it is there."""
    place = path.relative_to(ROOT)
    if place.parts[0] == "docs":
        return place.relative_to("docs").as_posix()
    if place.name == "README.md":
        return place.with_name("index.md").as_posix()
    made = place.with_suffix(".md" if place.suffix == ".ipynb" else place.suffix).as_posix()
    return MADE_FROM.get(place.as_posix(), made)


def _source(address: str) -> Path | None:
    """The file of the repository that a page is made of; None where it is made of code."""
    if address == "changelog.md":
        return ROOT / "CHANGELOG.md"
    name = re.sub("/index.md$", "/README.md", address) if address.startswith("eval/") else address
    if address.startswith("notebooks/"):
        name = str(Path(address).with_suffix(".ipynb"))
    return next((path for path in (ROOT / "docs" / name, ROOT / name) if path.is_file()), None)


def _pointed(markdown: str, source: Path, address: str, files: Files) -> str:
    """The text with links to files of the repository as links of the site; to what is not there, none."""

    def put_right(found: re.Match[str]) -> str:
        label, target = found.groups()
        path, mark, anchor = target.partition("#")
        if not path or re.match(r"[a-z]+:", target):
            return found[0]
        there = _address(Path(os.path.normpath(source.parent / path)))
        if files.get_file_from_path(there) is None:
            return label.removeprefix("!")[1:-1]
        return f"{label}({os.path.relpath(there, Path(address).parent)}{mark}{anchor})"

    parts, at = [], 0
    for fence in FENCE.finditer(markdown):
        parts += [LINK.sub(put_right, markdown[at : fence.start()]), fence[0]]
        at = fence.end()
    return "".join([*parts, LINK.sub(put_right, markdown[at:])])


def _section(anchor: str) -> str:
    """What README says in a section: a paragraph that is nothing but a link to it stands for it."""
    for section in (ROOT / "README.md").read_text(encoding="utf-8").split("\n## ")[1:]:
        heading, _, text = section.partition("\n")
        if re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") == anchor:
            return re.sub(r"<!--.*?-->", "", text)
    raise LookupError(f"README.md has no section #{anchor}")


def _results(folder: str, source: Path, files: Files) -> str:
    """A list of the results below a folder of eval/, as links from the file that asks."""
    pages = [file for file in files.documentation_pages() if file.src_uri.startswith(f"eval/{folder}/")]
    there = [ROOT / file.src_uri for file in pages]
    lines = [f"- [{_title(path)}]({os.path.relpath(path, source.parent)})" for path in there]
    return "\n".join(lines)


def _title(path: Path) -> str:
    found = re.search(r"^# (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else path.stem


def _expanded(nav: list[Any], pages: list[str], unnamed: list[str]) -> list[Any]:
    """The navigation with `FOLDER/` replaced by its pages but for the index, and `*` by the guides not named in it."""
    out: list[Any] = []
    for item in nav:
        if isinstance(item, dict):
            ((title, inner),) = item.items()
            out.append({title: inner if isinstance(inner, str) else _expanded(inner, pages, unnamed)})
        elif item == "*":
            out += unnamed
        elif item.endswith("/"):
            out += [page for page in pages if page.startswith(item) and page != f"{item}index.md"]
        else:
            out.append(item)
    return out
