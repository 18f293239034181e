"""Rerank with language models: any strategy, any elicitation, any backend, with its cost known before and after.

>>> from rerankllm import rerank
>>> rerank("how long do fleas live", ["a passage", "another"])
"""

from rerankllm.api import arerank, rerank
from rerankllm.calibration.cutoff import Cutoff
from rerankllm.calibration.relevance import Calibration
from rerankllm.collections.base import Collection
from rerankllm.collections.catalogue import load as load_collection
from rerankllm.data import Candidate, Cut, Document, Ledger, Provenance, Query, Ranking, Result, Usage
from rerankllm.drivers.budget import Limits
from rerankllm.drivers.events import Event, Failed, Finished, Judged, Started
from rerankllm.drivers.results import Run
from rerankllm.errors import (
    AuthError,
    BackendError,
    CapabilityError,
    InputError,
    MissingExtra,
    QueryFailed,
    RerankError,
    SpecError,
    TemplateError,
    UnreachableError,
)
from rerankllm.evaluation.evaluate import evaluate
from rerankllm.plan import Bound, Plan
from rerankllm.reranker import Reranker
from rerankllm.runs.fuse import fuse
from rerankllm.spec.stage import Stage
from rerankllm.version import __version__

__all__ = [
    "AuthError",
    "BackendError",
    "Bound",
    "Calibration",
    "Candidate",
    "CapabilityError",
    "Collection",
    "Cut",
    "Cutoff",
    "Document",
    "Event",
    "Failed",
    "Finished",
    "InputError",
    "Judged",
    "Ledger",
    "Limits",
    "MissingExtra",
    "Plan",
    "Provenance",
    "Query",
    "QueryFailed",
    "Ranking",
    "RerankError",
    "Reranker",
    "Result",
    "Run",
    "SpecError",
    "Stage",
    "Started",
    "TemplateError",
    "UnreachableError",
    "Usage",
    "__version__",
    "arerank",
    "evaluate",
    "fuse",
    "load_collection",
    "rerank",
]
