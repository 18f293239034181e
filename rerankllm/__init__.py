"""Rerank with language models: any strategy, any elicitation, any backend, with its cost known before and after.

>>> from rerankllm import rerank
>>> rerank("how long do fleas live", ["a passage", "another"])
"""

import importlib
from typing import TYPE_CHECKING, Any

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
    Interrupted,
    MissingExtra,
    QueryFailed,
    RerankError,
    SpecError,
    TemplateError,
    UnreachableError,
)
from rerankllm.evaluation.evaluate import evaluate
from rerankllm.formats.documents import read_documents
from rerankllm.plan import Bound, Plan
from rerankllm.reranker import Reranker
from rerankllm.runs.fuse import fuse
from rerankllm.spec.stage import Stage
from rerankllm.version import __version__

if TYPE_CHECKING:
    from rerankllm.analysis.attacks.attack import attack
    from rerankllm.analysis.calibrate import calibrate
    from rerankllm.analysis.diagnose.diagnose import diagnose
    from rerankllm.analysis.explain.explain import explain
    from rerankllm.analysis.judge_profile.judge_profile import judge_profile
    from rerankllm.analysis.model_card import show_model
    from rerankllm.analysis.parity import parity
    from rerankllm.analysis.recommend.recommend import recommend
    from rerankllm.analysis.robustness.robustness import robustness
    from rerankllm.elicitation.preview import preview
    from rerankllm.experiments.experiment import Experiment
    from rerankllm.reports.report import report
    from rerankllm.runs.compare import compare
    from rerankllm.runs.evaluate import evaluate_runs
    from rerankllm.training.student import Student
    from rerankllm.training.train import train

_ON_FIRST_USE = {
    "Experiment": "rerankllm.experiments.experiment",
    "attack": "rerankllm.analysis.attacks.attack",
    "Student": "rerankllm.training.student",
    "calibrate": "rerankllm.analysis.calibrate",
    "compare": "rerankllm.runs.compare",
    "diagnose": "rerankllm.analysis.diagnose.diagnose",
    "evaluate_runs": "rerankllm.runs.evaluate",
    "explain": "rerankllm.analysis.explain.explain",
    "judge_profile": "rerankllm.analysis.judge_profile.judge_profile",
    "parity": "rerankllm.analysis.parity",
    "preview": "rerankllm.elicitation.preview",
    "recommend": "rerankllm.analysis.recommend.recommend",
    "report": "rerankllm.reports.report",
    "robustness": "rerankllm.analysis.robustness.robustness",
    "show_model": "rerankllm.analysis.model_card",
    "train": "rerankllm.training.train",
}
"""Where the verbs are that are loaded when they are first used, so that `import rerankllm` stays quick."""


def __getattr__(name: str) -> Any:
    if name not in _ON_FIRST_USE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found = getattr(importlib.import_module(_ON_FIRST_USE[name]), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_ON_FIRST_USE})


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
    "Experiment",
    "Failed",
    "Finished",
    "InputError",
    "Interrupted",
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
    "Student",
    "TemplateError",
    "UnreachableError",
    "Usage",
    "__version__",
    "arerank",
    "attack",
    "calibrate",
    "compare",
    "diagnose",
    "evaluate",
    "evaluate_runs",
    "explain",
    "fuse",
    "judge_profile",
    "load_collection",
    "parity",
    "preview",
    "read_documents",
    "recommend",
    "report",
    "rerank",
    "robustness",
    "show_model",
    "train",
]
