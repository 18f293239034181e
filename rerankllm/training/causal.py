"""Students that are causal language models: shown a prompt, and read or written as `hf:` reads and writes them.

The prompts are those that `hf:` sends once the student is trained: the same elicitor makes them, from the same card.
"""

import contextlib
import inspect
import random
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from rerankllm.backends.hf import loading
from rerankllm.backends.hf.backend import HuggingFace
from rerankllm.backends.loaded import LoadedModels
from rerankllm.calls import Capabilities, ReadLabels, TokenPrompt, WriteLabels
from rerankllm.data import Candidate, Document, Query
from rerankllm.drivers.results import Run
from rerankllm.elicitation import cards
from rerankllm.elicitation import labels as label_sets
from rerankllm.elicitation.base import Elicitor, PromptSettings
from rerankllm.elicitation.cards import BESIDE
from rerankllm.elicitation.constrained import CHAIN
from rerankllm.errors import InputError
from rerankllm.judgements import Permute, Score
from rerankllm.notes import tell
from rerankllm.reranker import Reranker
from rerankllm.spec.grammar import quote
from rerankllm.spec.stage import Stage, parse_elicitation
from rerankllm.training.asked import Asked, asked
from rerankllm.training.config import Lora
from rerankllm.training.lists import Example
from rerankllm.training.losses import LANGUAGE_MODEL, Objective
from rerankllm.training.student import Student, adapted, saving, untold

if TYPE_CHECKING:
    from torch import Tensor

NEEDED = "pip install 'rerankllm[train]'"
CALLED = "student"


class CausalStudent(Student):
    """A causal language model that scores a document by the log-odds of its labels, or orders the documents shown.

    Args:
        model: A model of transformers, or of peft around one.
        tokenizer: The model's.
        how: How it is asked.
    """

    kind = "hf"
    apart: ClassVar[bool] = True

    def __init__(self, model: Any, tokenizer: Any, how: Asked) -> None:
        self.model, self._tokenizer, self._how = model, tokenizer, how
        home = tempfile.mkdtemp()
        weakref.finalize(self, shutil.rmtree, home, ignore_errors=True)
        path = Path(home) / BESIDE
        path.write_text(how.card, encoding="utf-8")
        elicitation = parse_elicitation(f"{how.elicitation}(prompt={quote(str(path))})")
        self._stage = replace(Stage.parse(cards.read(path).strategy), elicitation=elicitation)
        self._takes = frozenset(inspect.signature(self._plain.forward).parameters)
        if not {"logits_to_keep", "attention_mask"} <= self._takes:
            raise InputError(f"{type(self._plain).__name__} cannot be trained: its forward takes no logits_to_keep")
        self._elicitor = self._bound()

    @classmethod
    def open(
        cls,
        name: str,
        strategy: str | None,
        *,
        max_length: int | None,
        device: str | None,
        threads: int | None,
        seed: int,
        lora: Lora | None,
    ) -> Self:
        """Loads the model to start from; see `Student.load`."""
        loading.need("torch", "transformers", *(("peft",) if lora else ()), extra=NEEDED)
        import torch  # noqa: PLC0415

        loading.set_threads(threads)
        source = loading.find("hf", name)
        how = asked(source.names(name), strategy, max_length)
        with untold():
            model, tokenizer = loading.load(source, "hf", loading.place(device), torch.float32)
        if model.config.is_encoder_decoder or loading.ranks_whole_lists(model.config):
            raise InputError(f"student: hf:{name} is no causal language model, which is what can be trained here")
        if lora is not None:
            model = adapted(model, lora, "CAUSAL_LM", seed)
        return cls(model, tokenizer, how)

    @property
    def usual(self) -> Mapping[str, float]:
        """The losses with their weights where none is named: those of RankNet, RankZephyr and FIRST."""
        if self._how.judgement == "score":
            return {"ranknet": 1.0}
        return {"weighted-ranknet": 1.0} if self._how.elicitation == "labels" else {LANGUAGE_MODEL: 1.0}

    def check(self, objective: Objective, size: int) -> None:
        """Raises `InputError` where the objective is none for this student; see `Student.check`."""
        if objective.language_model and self._how.judgement == "score":
            raise InputError("loss: language-model is for students that write orders, as strategy: sliding / text")
        if objective.ranks and self._how.elicitation == "text":
            documents = tuple(Document(str(number), "text") for number in range(size))
            want = self._elicitor.prepare(Permute(Query("query", "query"), documents)).want
            if not self._target(want, range(size))[2]:
                raise InputError(
                    "loss: no single token tells this model's labels apart, so a ranking loss cannot read them: use "
                    "language-model alone, or strategy: sliding / labels"
                )

    def loss(self, some: Sequence[Example], objective: Objective) -> "Tensor":
        """The mean loss of these lists, with gradients."""
        import torch  # noqa: PLC0415

        of_list = self._pointwise if self._how.judgement == "score" else self._listwise
        return torch.stack([of_list(each, objective) for each in some]).mean()

    def orders(self, queries: Sequence[tuple[Query, Sequence[Document]]]) -> Mapping[str, Sequence[str]]:
        """Document ids by query id, best first; a query that cannot be ranked is told, and is not among them."""
        given = [(query, [Candidate(document) for document in documents]) for query, documents in queries]
        with self.still(), _kept_settings(self._plain), LoadedModels() as shelf:
            shelf.keep(f"hf:{CALLED}", HuggingFace.around(self._plain, self._tokenizer, CALLED))
            with Reranker(self._stage, f"hf:{CALLED}", shelf=shelf) as reranker:
                run = Run.of(reranker.stream(given))
        for failed in run.failures[:1]:
            tell(f"the student ranked {len(run.failures)} queries not at all, such as {failed.query.query_id}: "
                 f"{failed.reason}")  # fmt: skip
        return {ranking.query.query_id: ranking.doc_ids for ranking in run.rankings}

    def save(self, folder: Path) -> None:
        """Saves model, tokenizer and card as plain transformers and `hf:` read them; see `Student.save`."""
        folder.mkdir(parents=True, exist_ok=True)
        with saving():
            if hasattr(self.model, "merge_and_unload"):
                adapter = folder.parent / "adapter"
                self.model.save_pretrained(str(adapter))
                (adapter / BESIDE).write_text(self._how.card, encoding="utf-8")
                self.model = self.model.merge_and_unload()
            if getattr(self.model.config, "quantization_config", None) is not None:
                del self.model.config.quantization_config  # of the file that it came from; these weights are plain
            self.model.save_pretrained(str(folder))
            self._tokenizer.save_pretrained(str(folder))
        (folder / BESIDE).write_text(self._how.card, encoding="utf-8")

    @property
    def _plain(self) -> Any:
        """The model of transformers."""
        return self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model

    def _bound(self) -> Elicitor:
        """What makes its prompts, bound as to `hf:`."""
        judgement = Score if self._how.judgement == "score" else Permute
        with self.still(), _kept_settings(self._plain):
            backend = HuggingFace.around(self._plain, self._tokenizer, CALLED)
        can: Capabilities = backend.capabilities
        tokenizer = backend.tokenizer
        backend.free()
        elicitor: Elicitor = self._stage.elicitation.bind(judgement, tokenizer, can, PromptSettings())
        return elicitor

    def _pointwise(self, each: Example, objective: Objective) -> "Tensor":
        """The loss of a list whose documents are shown one by one."""
        requests = [self._elicitor.prepare(Score(each.query, document)) for document in each.documents]
        logits = self._logits([request.prompt for request in requests], 1)[:, 0]
        want = requests[0].want
        assert isinstance(want, ReadLabels)  # noqa: S101 - the elicitation is `labels`
        template = self._elicitor.builder.template
        values = [label.value for label in template.choices]
        scores = weighed(logits, want.ids, values) if template.read == "logits" else log_odds(logits, want.ids, values)
        return objective.ranking(scores, scores.new_tensor(each.labels), each.chances_like(scores))

    def _listwise(self, each: Example, objective: Objective) -> "Tensor":
        """The loss of a list whose documents are shown together, in an order that does not depend on the teacher's."""
        places = list(range(len(each.documents)))
        random.Random(f"{each.query.query_id} {[d.doc_id for d in each.documents]}").shuffle(places)  # noqa: S311
        request = self._elicitor.prepare(Permute(each.query, tuple(each.documents[place] for place in places)))
        order = [places.index(rank) for rank in range(len(places))]
        want: Any = request.want
        target, before, ids = self._target(want, order)
        shown = target if objective.language_model else target[:before]
        logits = self._logits([request.prompt], len(shown) + 1, after=shown)[0]
        total = logits.sum() * 0
        if objective.language_model:
            total = total + objective.tokens(logits[:-1], logits.new_tensor(target).long())
        if objective.ranks:
            labels = logits.new_tensor([each.labels[place] for place in places])
            chances = each.chances_like(labels)
            chances = None if chances is None else chances[places][:, places]
            total = total + objective.ranking(_of_labels(logits[before], ids), labels, chances)
        return total

    def _target(self, want: Any, order: Sequence[int]) -> tuple[tuple[int, ...], int, Sequence[Sequence[int]]]:
        """What the answer is that names the documents shown in this order.

        Returns:
            Its tokens; how many of them come before the first label's own; and the ids of the tokens that tell the
            first label from others, none where no single one does.
        """
        tokenizer, end = self._elicitor.builder.tokenizer, self._tokenizer.eos_token_id
        ends = () if end is None else (end,)
        if isinstance(want, ReadLabels):
            rest = CHAIN.closing + "".join(f" > [{want.labels[place]}]" for place in order[1:])
            return (want.ids[order[0]][0], *tokenizer.encode(rest, special=True), *ends), 0, want.ids
        if isinstance(want, WriteLabels):
            written = sum((want.at(place)[label] for place, label in enumerate(order)), ())
            first = want.at(0)
            alike = next(i for i in range(want.most_tokens) if len({path[i : i + 1] for path in first}) > 1)
            told = [path[alike : alike + 1] for path in first]
            return (*written, *ends), alike, told if len(set(told)) == len(told) and all(told) else ()
        labels = label_sets.of_documents(str(self._elicitor.builder.template.labels), len(order))
        chain = CHAIN.write([labels[place] for place in order])
        if self._elicitor.builder.opening(labels).endswith(CHAIN.opening):
            chain = chain.removeprefix(CHAIN.opening)
        return (*tokenizer.encode(chain, special=True), *ends), 0, ()

    def _logits(self, prompts: Sequence[Any], last: int, after: tuple[int, ...] = ()) -> "Tensor":
        """Logits of the last positions, in float32: of shape (prompts, last, vocabulary).

        Args:
            prompts: Of token ids; they are padded on the left.
            last: How many positions.
            after: Tokens behind every prompt.
        """
        import torch  # noqa: PLC0415

        rows = [(*prompt.ids, *after) for prompt in prompts if isinstance(prompt, TokenPrompt)]
        width, device = max(map(len, rows)), self._plain.device
        ids = torch.tensor([[0] * (width - len(row)) + list(row) for row in rows], device=device)
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=device)
        inputs = {"input_ids": ids, "attention_mask": mask, "logits_to_keep": last, "use_cache": False}
        if "position_ids" in self._takes:
            inputs["position_ids"] = (mask.cumsum(-1) - 1).clamp(min=0)
        return self.model(**inputs).logits.float()


def _of_labels(logits: "Tensor", ids: Sequence[Sequence[int]]) -> "Tensor":
    """For each label the log of the summed weight of the tokens that spell it, of logits of shape (…, vocabulary)."""
    import torch  # noqa: PLC0415

    return torch.stack([logits[..., list(own)].logsumexp(-1) for own in ids], -1)


def weighed(logits: "Tensor", ids: Sequence[Sequence[int]], values: Sequence[float]) -> "Tensor":
    """The sum of the labels' logits, each times its value."""
    return (_of_labels(logits, ids) * logits.new_tensor(values)).sum(-1)


def log_odds(logits: "Tensor", ids: Sequence[Sequence[int]], values: Sequence[float]) -> "Tensor":
    """The log-odds of the labels' expected value between the lowest and the highest; of yes and no log P(yes)/P(no).

    It orders documents as the expected value does, which `labels` reads.
    """
    told, worth = _of_labels(logits, ids), logits.new_tensor(values)
    above, below = (worth - worth.min()).log(), (worth.max() - worth).log()
    return (told + above).logsumexp(-1) - (told + below).logsumexp(-1)


@contextlib.contextmanager
def _kept_settings(model: Any) -> Iterator[None]:
    """Meanwhile `hf:` may write by settings of its own; the model's come back afterwards."""
    before = model.generation_config
    try:
        yield
    finally:
        model.generation_config = before
