"""The cells of an experiment: every combination that its configuration wants, with all placeholders filled in."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

from rerankllm.data import Candidate, Query
from rerankllm.errors import InputError
from rerankllm.experiments.config import Config, Model, Settings
from rerankllm.experiments.folder import Cell, System
from rerankllm.experiments.rules import AXES, Rule
from rerankllm.files import digest, safe
from rerankllm.spec.model import ModelSpec
from rerankllm.spec.stage import Stage, inner_stages, map_stages


@dataclass(frozen=True, slots=True)
class Planned:
    """A cell as the configuration wants it.

    Attributes:
        cell: Names, seed and paths; not yet run.
        stage: What ranks, seeded.
        model: The model's spec, with all its options.
        settings: How it is asked.
    """

    cell: Cell
    stage: Stage
    model: str
    settings: Settings

    @property
    def label(self) -> str:
        """Its name in notes."""
        seed = f", seed {self.cell.seed}" if self.cell.seed else ""
        return f"{self.cell.system} on {self.cell.dataset}, {self.cell.first_stage}{seed}"

    def digest(self, queries: Sequence[tuple[Query, Sequence[Candidate]]]) -> str:
        """The digest of all that its rankings depend on: queries, texts, strategy, model, settings, and files named."""
        asked = {
            name: digest_of_file(value) or str(value) if isinstance(value, Path) else value
            for name, value in ((f.name, getattr(self.settings, f.name)) for f in fields(Settings))
            if (name, value) != ("unusable", "keep")  # which experiments of earlier versions lack
        }
        texts = hashlib.sha256()
        for query, candidates in queries:
            shown = [(c.doc_id, c.document.content, c.score) for c in candidates]
            texts.update(json.dumps([query.query_id, query.text, shown]).encode("utf-8", "replace"))
        spec = ModelSpec.parse(self.model)
        options = {key: value for key, value in spec.options.items() if key != "concurrency"}
        judge = [spec.kind, digest_of_file(Path(spec.name)) or spec.name, options]
        files = [digest_of_file(path) for path in _files(self.stage)]
        whole = json.dumps([str(self.stage), files, judge, asked, texts.hexdigest()], sort_keys=True)
        return hashlib.sha256(whole.encode()).hexdigest()


def systems(config: Config) -> dict[str, System]:
    """Every strategy with every model, by the name of the pair."""
    found = {}
    for strategy, model in product(config.strategies, config.models):
        settings = _settings(config, strategy, model)
        options = {key: str(value) if isinstance(value, Path) else value for key, value in settings}
        name = f"{strategy}@{model}"
        found[name] = System(config.strategies[strategy].spec, config.models[model].spec, options)
    return found


def cells(config: Config, qrels: Mapping[str, Path]) -> list[Planned]:
    """The cells in the order of the configuration.

    A system in which nothing has a seed runs with the first one only.

    Args:
        config: The configuration.
        qrels: Where each dataset's judgements are, for models that answer from them.

    Raises:
        InputError: The rules leave nothing.
    """
    found = []
    for dataset, data in config.datasets.items():
        for first, strategy, model, seed in product(
            data.first_stages, config.strategies, config.models, config.seeds or (0,)
        ):
            names = dict(zip(AXES, (dataset, first, strategy, model, str(seed)), strict=True))
            if _wanted(names, config.only, config.exclude):
                planned = _planned(config, names, qrels[dataset])
                if planned is not None:
                    found.append(planned)
    if not found:
        raise InputError(f"{config.file}: `only` and `exclude` leave no combination to run")
    return found


def chosen(config: Config, planned: Iterable[Planned], rules: Sequence[Rule]) -> list[Planned]:
    """Those cells that one of these rules fits; all without any.

    Raises:
        InputError: A rule names what is not there, or none fits.
    """
    for rule in rules:
        rule.check(config.axes)
    found = [each for each in planned if not rules or any(rule.fits(_names(each.cell)) for rule in rules)]
    if not found:
        raise InputError(f"{rules[0].origin}: no cell fits")
    return found


def _names(cell: Cell) -> dict[str, str]:
    strategy, _, model = cell.system.partition("@")
    return dict(zip(AXES, (cell.dataset, cell.first_stage, strategy, model, str(cell.seed)), strict=True))


def _wanted(names: Mapping[str, str], only: Sequence[Rule], exclude: Sequence[Rule]) -> bool:
    return (not only or any(rule.fits(names) for rule in only)) and not any(rule.fits(names) for rule in exclude)


def _planned(config: Config, names: Mapping[str, str], qrels: Path) -> Planned | None:
    """The cell; None where another seed's is the same."""
    strategy, model, seed = config.strategies[names["strategy"]], config.models[names["model"]], int(names["seed"])
    written = _spec(model, names)
    spec = _filled(written, {**{axis: safe(name) for axis, name in names.items()}, "qrels": str(qrels)})
    judge = _beside(config.file.parent, ModelSpec.parse(spec))
    judge = replace(judge, options={**judge.options, **model.options})
    stage = replace(strategy.stage, elicitation=strategy.stage.elicitation or model.elicitation)
    if config.seeds is not None:
        seeded = "seed" in judge.known_options() and "seed" not in judge.options
        drawn = seeded or "{seed}" in written or _has_seed(stage)
        first = config.seeds[0]
        if seed != first and not drawn and written == _spec(model, {**names, "seed": str(first)}):
            return None
        stage = _seeded(stage, seed)
        judge = replace(judge, options={**judge.options, "seed": str(seed)}) if seeded else judge
    folder = Path("runs", safe(names["dataset"]), safe(names["first_stage"]))
    system = f"{names['strategy']}@{names['model']}"
    run = (folder / f"{safe(system)}.{seed}.txt").as_posix()
    chosen_model = _written(judge)
    cell = Cell(
        names["dataset"], names["first_stage"], system, seed, run, f"{run}.journal", strategy=str(stage),
        model=chosen_model,
    )  # fmt: skip
    return Planned(cell, stage, chosen_model, Settings(**dict(_settings(config, names["strategy"], names["model"]))))


def _spec(model: Model, names: Mapping[str, str]) -> str:
    """The model's spec for a combination, as it is written."""
    return next((spec for rule, spec in model.where if rule.fits(names)), model.spec)


def _settings(config: Config, strategy: str, model: str) -> list[tuple[str, Any]]:
    """The settings of a pair: the model's own win over the strategy's, these over all's; null takes one back."""
    whole = {**config.settings, **config.strategies[strategy].settings, **config.models[model].settings}
    return [(key, value) for key, value in whole.items() if value is not None]


def _filled(spec: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: values[found[1]], spec)


def _beside(folder: Path, spec: ModelSpec) -> ModelSpec:
    """The spec, its name resolved to a file beside the configuration where there is one of that name."""
    file = folder / spec.name
    return replace(spec, name=str(file.resolve())) if spec.name and file.exists() else spec


def _written(spec: ModelSpec) -> str:
    options = "&".join(f"{key}={value}" for key, value in spec.options.items())
    return f"{spec.kind}:{spec.name}{'?' if options else ''}{options}"


def _has_seed(stage: Stage) -> bool:
    return hasattr(stage.strategy, "seed") or any(map(_has_seed, inner_stages(stage.strategy)))


def _seeded(stage: Stage, seed: int) -> Stage:
    """The stage, and every one inside, with this seed where it has one."""
    strategy: Any = map_stages(stage.strategy, lambda inner: _seeded(inner, seed))
    return replace(stage, strategy=replace(strategy, seed=seed) if hasattr(strategy, "seed") else strategy)


def _files(stage: Stage) -> list[Path]:
    """The files that a stage, and every stage inside it, may name: templates and models."""
    whole: list[Any] = [part for part in (stage.strategy, stage.elicitation) if part is not None]
    values = [getattr(part, f.name) for part in whole for f in fields(part)]
    named = [value for value in values if isinstance(value, str) and Path(value).suffix]
    if stage.model is not None:
        named.append(ModelSpec.parse(stage.model).name)
    return [*map(Path, named)] + [path for inner in inner_stages(stage.strategy) for path in _files(inner)]


@cache
def digest_of_file(path: Path) -> str:
    """SHA-256 of a file; empty if there is no such file."""
    return digest(path) if path.is_file() else ""
