"""Reads the configuration of an experiment; paths are relative to the file's folder."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args

from rerankllm.calibration.cutoff import Cutoff
from rerankllm.drivers.budget import Limits
from rerankllm.drivers.unusable import Unusable
from rerankllm.errors import InputError, RerankError, SpecError
from rerankllm.evaluation.measures import DEFAULT_MEASURES, parse_measures
from rerankllm.experiments.config import (
    OWN,
    PLACEHOLDERS,
    Config,
    Data,
    Model,
    Published,
    Reference,
    Settings,
    Strategy,
)
from rerankllm.experiments.folder import Reordered
from rerankllm.experiments.matrix import systems
from rerankllm.experiments.rules import Rule, read_rules
from rerankllm.experiments.yaml_section import Section
from rerankllm.files import safe
from rerankllm.registry import instead
from rerankllm.runs.reorder import Order
from rerankllm.runs.systems import FIRST
from rerankllm.spec.model import ModelSpec
from rerankllm.spec.stage import Stage

PLACEHOLDER = re.compile(r"\{(\w*)\}")
LEAST_RESAMPLES = 10_000
SETTINGS = tuple(f.name for f in fields(Settings))


def read_config(file: Path) -> Config:
    """Reads a configuration.

    Raises:
        InputError: It cannot be read, or something in it cannot be meant; the line names the key and what would work.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read ({getattr(error, 'strerror', None) or error})") from None
    whole = Section.read(file, text)
    whole.known(*(f.name for f in fields(Config) if f.name not in {"file", "text", "resamples", "draws"}), "statistics")
    datasets = {name: _data(each) for name, each in _named(whole, "datasets")}
    strategies = {name: _strategy(each) for name, each in _named(whole, "strategies")}
    seeds = whole.listed("seeds", int)
    if seeds is not None and (not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0):
        raise whole.error("seeds", f"should be different whole numbers from 0, found {list(seeds)}")
    models = {name: _model(each) for name, each in _named(whole, "models")}
    statistics = whole.section("statistics")
    statistics.known("resamples", "seed")
    config = Config(
        file, text, whole.path("output"), datasets, strategies, models, seeds,
        _settings(whole.section("settings")), read_rules(whole, "only"), read_rules(whole, "exclude"),
        _measures(whole), _references(whole), _limits(whole.section("limits"), "max_"),
        _limits(whole.section("per_query"), ""), statistics.get("resamples", int, 20_000),
        statistics.get("seed", int, 0),
    )  # fmt: skip
    config = replace(config, published=_published(whole, config))
    if config.resamples < LEAST_RESAMPLES:
        raise statistics.error("resamples", f"should be at least {LEAST_RESAMPLES}, found {config.resamples}")
    for rule in (*config.only, *config.exclude, *(rule for model in models.values() for rule, _ in model.where)):
        rule.check(config.axes)
    return config


def _named(whole: Section, key: str) -> Iterable[tuple[str, Section]]:
    """The things under a key by name; a plain text stands for `spec: TEXT`, or `dataset: TEXT`."""
    part = whole.section(key)
    names = list(part)
    if not names:
        raise whole.error(key, f"is missing or empty: name at least one, as in `{key}: {{name: …}}`")
    _check_names(part, names)
    short = "dataset" if key == "datasets" else "spec"
    for name in names:
        value = part.raw(name)
        yield name, Section(part.file, (key, name), {short: value}) if isinstance(value, str) else part.section(name)


def _check_names(part: Section, names: Collection[str]) -> None:
    """Raises InputError for names that cannot be told apart in paths, or that systems are joined with."""
    seen: dict[str, str] = {}
    for name in names:
        if "@" in name or not name.strip():
            raise part.error(name, "a name should not be empty and have no @")
        other = seen.setdefault(safe(name).lower(), name)
        if other != name:
            raise part.error(name, f"is the same as '{other}' in a path: call it something else")


def _data(part: Section) -> Data:
    files = ("run", "queries", "corpus", "requests", "qrels")
    part.known("dataset", *files, "first_stages", "candidates", "skip_missing", "relevant_from")
    name, paths = part.maybe("dataset", str), {key: part.path(key) for key in files}
    if name is not None and any(paths.values()):
        given = ", ".join(key for key, path in paths.items() if path)
        raise part.error("dataset", f"a collection by name brings {given} itself; other runs go under first_stages")
    if name is None and paths["qrels"] is None:
        raise part.error("qrels", "is missing: an experiment measures; give judgements, or a `dataset:` by name")
    if name is None and paths["requests"] is None and not (paths["queries"] and paths["corpus"]):
        raise part.error("queries", "give dataset: NAME, or queries and corpus with a run, or requests")
    beside = [key for key in ("run", "queries", "corpus") if paths["requests"] and paths[key]]
    if beside:
        raise part.error(beside[0], "requests bring queries, texts and candidates: leave it out")
    own = name is not None or paths["run"] is not None or paths["requests"] is not None
    stages = _first_stages(part, own=own, runs=paths["requests"] is None)
    if paths["run"] is not None and OWN not in stages.values():
        raise part.error(
            "run", "no first stage is `own`: name it so, as in `first_stages: {bm25: own}`, or leave it out"
        )
    return Data(
        name, **paths, first_stages=stages,
        candidates=_positive(part, "candidates"), skip_missing=part.get("skip_missing", bool, False),
        relevant_from=_positive(part, "relevant_from"),
    )  # fmt: skip


def _first_stages(part: Section, *, own: bool, runs: bool) -> dict[str, Any]:
    """The first stages; the dataset's own candidates, called `first`, where none are named."""
    stages, found = part.section("first_stages"), dict[str, Any]()
    _check_names(stages, list(stages))
    for name in stages:
        value = stages.raw(name)
        found[name] = (
            value
            if value == OWN
            else _reordered(stages.section(name))
            if isinstance(value, Mapping)
            else (stages.path(name))
        )
        if found[name] == OWN and not own:
            raise stages.error(name, "this dataset has no candidates of its own: give it a `run:`, or a path here")
        if isinstance(found[name], Path) and not runs:
            raise stages.error(name, "requests bring their own candidates: only `own` and orders of it are possible")
        if safe(name).lower() == "qrels":
            raise stages.error(name, "the judgements' file is called so: call it something else")
    for name, each in found.items():
        if isinstance(each, Reordered) and isinstance(found.get(each.of), Reordered | None):
            plain = [other for other, one in found.items() if not isinstance(one, Reordered)]
            raise stages.error(
                name, f"of: should be a first stage that is no order of another{instead(each.of, plain)}"
            )
    if not found and not own:
        raise part.error("first_stages", "is missing: name a run, as in `first_stages: {bm25: run.txt}`")
    return found or {"first": OWN}


def _reordered(part: Section) -> Reordered:
    part.known("of", "order", "seed")
    order = part.get("order", str, "")
    if order not in get_args(Order):
        raise part.error("order", f"should be reversed or shuffled, found '{order}'")
    if order == "reversed" and "seed" in part:
        raise part.error("seed", "nothing is drawn for a reversed order: leave it out")
    return Reordered(part.get("of", str, ""), order, part.get("seed", int, 0))  # type: ignore[arg-type]


def _strategy(part: Section) -> Strategy:
    part.known("spec", *SETTINGS)
    spec = part.get("spec", str, "")
    stage = _parsed(part, "spec", Stage.parse, spec)
    if stage.model is not None:
        raise part.error("spec", f"names the model {stage.model}: models stand under `models:`")
    return Strategy(stage, spec, _settings(part, also=("spec",)))


def _model(part: Section) -> Model:
    spec = part.get("spec", str, "")
    kind = _check_model(part, "spec", spec)
    options = kind.known_options()
    part.known("spec", "where", "elicitation", "settings", *options)
    where = []
    for each in part.sections("where"):
        own = each.get("spec", str, "")
        _check_model(each, "spec", own)
        where.append((Rule.read(each, apart=("spec",)), own))
    given = {key: part.raw(key) for key in part if key in options}
    for key, value in given.items():
        if isinstance(value, list | Mapping) or value is None or "&" in str(value):
            raise part.error(key, "should be one value, without &")
    texts = {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in given.items()}
    how = part.maybe("elicitation", str)
    elicitation = None if how is None else _parsed(part, "elicitation", _elicitation, how)
    return Model(spec, tuple(where), elicitation, texts, _settings(part.section("settings")))


def _elicitation(text: str) -> Any:
    """What `/ TEXT` names behind a strategy."""
    stage = Stage.parse(f"pointwise / {text}")
    if stage.model is not None:
        raise SpecError(f"'{text}' should be an elicitation alone, such as labels")
    return stage.elicitation


def _check_model(part: Section, key: str, spec: str) -> ModelSpec:
    found: ModelSpec = _parsed(part, key, ModelSpec.parse, spec)
    for name in PLACEHOLDER.findall(spec):
        if name not in PLACEHOLDERS:
            known = ", ".join(f"{{{each}}}" for each in PLACEHOLDERS)
            raise part.error(key, f"'{spec}' has {{{name}}}, which nothing stands for; there are {known}")
    unknown = [option for option in found.options if option not in found.known_options()]
    if unknown:
        raise part.error(key, f"{found.kind}: has no option '{unknown[0]}'{instead(unknown[0], found.known_options())}")
    return found


def _settings(part: Section, also: tuple[str, ...] = ()) -> dict[str, Any]:
    """The settings that this part says; null unsets what a wider part says."""
    part.known(*SETTINGS, *also)
    paths, texts = ("demonstrations", "profile", "calibration"), ("instruction", "cutoff")
    found: dict[str, Any] = {}
    for key in part:
        if key in paths:
            found[key] = part.path(key)
        elif key in texts:
            found[key] = part.maybe(key, str)
        elif key == "unusable":
            found[key] = _chosen(part, key, get_args(Unusable))
        elif key not in also:
            found[key] = _positive(part, key)
    if found.get("cutoff"):
        _parsed(part, "cutoff", Cutoff.parse, found["cutoff"])
    return found


def _limits(part: Section, prefix: str) -> Limits:
    kinds: dict[str, Any] = {"calls": int, "tokens": int, "cost": float, "seconds": float, "searches": int}
    part.known(*(prefix + name for name in kinds))
    values = {name: part.maybe(prefix + name, kind) for name, kind in kinds.items()}
    for name, value in values.items():
        if value is not None and value < 0:
            raise part.error(prefix + name, f"should be 0 or more, found {value}")
    return Limits(**values)


def _measures(whole: Section) -> tuple[str, ...]:
    found = whole.listed("measures", str) or DEFAULT_MEASURES
    _parsed(whole, "measures", parse_measures, found)
    return tuple(found)


def _references(whole: Section) -> tuple[Reference, ...]:
    known = get_args(Reference)
    found = whole.listed("references", str)
    for name in found or ():
        if name not in known:
            raise whole.error("references", f"there is no row '{name}'{instead(name, known)}")
    return known if found is None else found  # type: ignore[return-value]


def _published(whole: Section, config: Config) -> Published | None:
    """The figure that the experiment should come to, if it says one."""
    if "published" not in whole:
        return None
    part = whole.section("published")
    part.known(*(f.name for f in fields(Published)))
    figure, tolerance = part.get("figure", float, -1.0), part.get("tolerance", float, 0.0)
    if not 0 <= figure <= 1:
        raise part.error("figure", "give the published mean, between 0 and 1")
    if tolerance <= 0:
        raise part.error("tolerance", "should be above 0: how far from it still counts as the same")
    source = part.get("source", str, "")
    if not source:
        raise part.error("source", "is missing: where the figure was published")
    measure = part.get("measure", str, config.measures[0])
    if measure not in config.measures:
        raise part.error("measure", f"is not measured here{instead(measure, config.measures)}")
    rows = [FIRST, *systems(config)]
    system = part.get("system", str, rows[1])
    if system not in rows:
        raise part.error("system", f"there is no such row{instead(system, rows)}")
    return Published(figure, tolerance, source, measure, system)


def _positive(part: Section, key: str) -> int | None:
    value = part.maybe(key, int)
    if value is not None and value < 1:
        raise part.error(key, f"should be at least 1, found {value}")
    return value


def _chosen(part: Section, key: str, among: Collection[str]) -> str | None:
    value: str | None = part.maybe(key, str)
    if value is not None and value not in among:
        raise part.error(key, f"should be {' or '.join(among)}, found '{value}'")
    return value


def _parsed(part: Section, key: str, parse: Any, value: Any) -> Any:
    """What a parser makes of a value; its error gets file and key."""
    if not value:
        raise part.error(key, "is missing")
    try:
        return parse(value)
    except RerankError as error:
        raise part.error(key, str(error)) from None
