"""A published reranker's card, printed: a prompt as text and as tokens, and what is read off the answer."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import get_args

from rerankllm.backends.hf import loading
from rerankllm.backends.hub_tokenizer import HubTokenizer
from rerankllm.backends.token_estimate import EstimatedTokenizer
from rerankllm.calls import (
    Capabilities,
    ChatPrompt,
    Draw,
    EncoderPrompt,
    Generate,
    OrderVectors,
    Prompt,
    ReadAttention,
    ReadLabels,
    ReadSimilarities,
    Request,
    TextPrompt,
    Tokenizer,
    TokenPrompt,
    VectorPrompt,
    Want,
    WholeList,
    WriteLabels,
)
from rerankllm.data import Document, Query
from rerankllm.elicitation import cards
from rerankllm.elicitation.base import PromptSettings
from rerankllm.elicitation.labels import numbers
from rerankllm.elicitation.prompts import PromptBuilder
from rerankllm.errors import InputError, RerankError
from rerankllm.judgements import IN_WORDS, Compare, Grade, Judgement, Permute, Score, Select
from rerankllm.spec.stage import parse_elicitation

QUERY = Query("q", "how long do fleas live")
DOCS = (
    Document("1", "Fleas jump far."),
    Document("2", "A flea lives for two or three months."),
    Document("3", "Dogs [1] bark  at strangers.", title="Pets"),
)
HERE = Capabilities(
    generate=True,
    label_logprobs=1000,
    logits=True,
    token_prompts=True,
    constrained=True,
    lists=frozenset(get_args(WholeList)),
)
"""What a model in this process can do."""
TREATED: Mapping[str, Mapping[str, str]] = {
    "title": {
        "join": "the title is put before the text",
        "before": "the title is put before the text, or a space where there is none",
        "named": "a title is shown as Title: … Content: …",
        "none": "the title is not shown",
    },
    "spaces": {
        "fold": "white space is folded to single spaces",
        "lines": "line breaks become spaces",
        "strip": "white space at the ends is removed",
    },
    "brackets": {
        "digits": "[1] becomes (1)",
        "letters": "[A] becomes (A)",
        "all": "[1] becomes (1), and [A] (A)",
    },
}
"""What is done to texts, in words, by the fields of `Treatment`; nothing for what is left as it is."""
JUDGED = {kind.__name__.lower(): words for kind, words in IN_WORDS.items()}
"""What a card's prompts ask for, in words."""
SHOWN = 24
"""Tokens of a prompt that are printed at either end."""


def show_model(name: str) -> str:
    """What is known of a published reranker, with a prompt as it would be sent.

    Args:
        name: A card's name as `rerankllm models` lists it, such as `monot5`; a model's name, folder or file; or a
            MODEL, such as `hf:castorini/monot5-base-msmarco`. Where the model's tokenizer is here, or on the hub, the
            prompt is shown as tokens too.

    Returns:
        Several paragraphs.

    Raises:
        InputError: No card is for it.
    """
    model = name.partition("?")[0] if ":" not in name else name.partition(":")[2].partition("?")[0]
    if name in cards.names():
        return "\n".join(_lines(cards.load(name), None, "name a model, such as hf:NAME, to see them"))
    source = loading.find("hf", model)
    card = cards.find(source.names(model))
    if card is None:
        raise InputError(f"no card is for '{name}'. There are: {', '.join(cards.names())}")
    tokenizer, encoder, why = _tokenizer(source, name)
    return "\n".join(_lines(card, tokenizer, why, encoder=encoder))


def _tokenizer(source: loading.ModelFiles, name: str) -> tuple[HubTokenizer | None, bool, str]:
    """A model's tokenizer, whether it has an encoder, and why there is no tokenizer where there is none."""
    try:
        loading.need("transformers")
        with loading.reported(name), loading.quiet():
            found, config, _ = loading.tokenized(source)
    except RerankError as error:
        return None, False, str(error)
    return HubTokenizer(found, name), bool(config.is_encoder_decoder), ""


def _lines(card: cards.Card, tokenizer: HubTokenizer | None, why: str, *, encoder: bool = False) -> Iterator[str]:
    yield f"{card.name}: {card.description}"
    yield f"models     {', '.join(card.models) or 'any chat model, with / text(prompt=' + card.name + ') or the like'}"
    told = {"licence": card.licence, "needs": card.needs, "cannot be used here": card.cannot}
    yield from (f"{key:<10} {text}" for key, text in told.items() if text)
    yield from (f"source     {where}" for where in card.source)
    yield from (f"published  {figure}" for figure in card.figures)
    if not card.cannot:
        yield f"strategy   {card.strategy}"
    yield from _texts(card)
    if card.pair is not None:
        shown = card.texts(QUERY.text, DOCS[-1])
        yield f"--- {'one text' if len(shown) == 1 else 'two texts'}, to which the model's head gives a score"
        yield from shown
    if card.vectors is not None:
        yield f"--- a document to embed (pooling: {card.vectors.pooling or 'as its files say'})"
        yield card.treatment.document(DOCS[-1]) + card.vectors.end
        yield "--- a query with the first documents, to embed"
        whole = replace(HERE, token_prompts=False, text_prompts=True)
        builder = PromptBuilder(card.template("embed"), EstimatedTokenizer(), whole)
        yield from (builder.build(QUERY, DOCS, numbers(len(DOCS)), reserve=0).text,)  # type: ignore[union-attr]
    if card.late is not None:
        yield from _compared(card, card.late)
    for kind in card.answers:
        yield from _asked(card, kind, tokenizer, why, encoder=encoder)


FILLED = {
    "none": "as long as it is",
    "attended": "filled up with mask tokens, which are read as the query's own are",
    "apart": "filled up with mask tokens, which see the query and are not seen by it",
}
"""What happens to a short query, by `Late.expansion`."""


def _compared(card: cards.Card, late: cards.Late) -> Iterator[str]:
    """What a model of late interaction reads, where its files do not say otherwise."""
    yield f"--- a query, of which each token gets a vector; {FILLED[late.expansion]}"
    yield f"{late.query}{QUERY.text}"
    left_out = ", those of punctuation left out" if late.skip == "punctuation" else ""
    yield f"--- a passage, of which each token gets a vector{left_out}"
    yield f"{late.document}{card.treatment.document(DOCS[-1])}"
    yield "--- read: how like each token of the query is to the passage's token that is most like it; the sum of these"


def _texts(card: cards.Card) -> Iterator[str]:
    """What happens to texts before they are shown."""
    if card.cannot:
        return
    how = card.treatment
    said = [TREATED["title"][how.title], TREATED["spaces"].get(how.spaces), TREATED["brackets"].get(how.brackets)]
    cut = {"passage": how.passage_cut, "query": how.query_cut}
    said += [f"the {name} is cut to {each.length} {each.unit}" for name, each in cut.items() if each]
    said += [f"in the query {TREATED['brackets'][how.query]}"] if how.query != "keep" else []
    yield f"texts      {'; '.join(filter(None, said))}"


def _asked(card: cards.Card, kind: str, tokenizer: HubTokenizer | None, why: str, *, encoder: bool) -> Iterator[str]:
    """A prompt and what is read, for one kind of judgement."""
    template = card.template(kind)
    known = bool(template.completion or (template.form and template.form.chat_template))
    encoded = template.apart or bool(template.decoder)
    can = replace(HERE, constrained=False, opened_chats=True, separate_decoder=encoded)
    plain = can if encoded else replace(can, token_prompts=False, text_prompts=known)
    words = EstimatedTokenizer()
    request = _request(card, kind, words, plain)
    yield f"--- prompt: {JUDGED[kind]}, by {card.elicitation(kind)}"
    if isinstance(request.prompt, VectorPrompt):
        assert isinstance(request.prompt.prompt, TextPrompt)  # noqa: S101
        yield request.prompt.prompt.text
        yield from (f"[embedded] {text}" for text in request.prompt.passages)
    elif isinstance(request.prompt, EncoderPrompt):
        yield from map(words.decode, request.prompt.texts)
        yield from (f"[decoder]\n{words.decode(ids)}" for ids in (request.prompt.opening,) if ids)
    elif isinstance(request.prompt, ChatPrompt):
        yield from (f"[{turn.role}]\n{turn.content}" for turn in request.prompt.messages)
    elif isinstance(request.prompt, TextPrompt):
        yield request.prompt.text
    if tokenizer is not None:
        request = _request(card, kind, tokenizer, replace(HERE, separate_decoder=encoder))
        yield from _tokens(request.prompt, tokenizer, tokenizer.eos if encoder else ())
    else:
        yield f"--- tokens: not shown; {why}"
    yield f"--- read: {_read(request.want, template.read)}"


def _tokens(prompt: Prompt, tokenizer: HubTokenizer, eos: tuple[int, ...]) -> Iterator[str]:
    """A prompt's tokens; those of each text where an encoder reads several."""
    assert isinstance(prompt, TokenPrompt | EncoderPrompt | VectorPrompt)  # noqa: S101
    whole = prompt if isinstance(prompt, EncoderPrompt) else EncoderPrompt((prompt.ids,))
    for ids in filter(None, [*((*text, *eos) for text in whole.texts), whole.opening]):
        yield f"--- as {len(ids)} tokens"
        ends = ids if len(ids) <= 2 * SHOWN else (*ids[:SHOWN], *ids[-SHOWN:])
        yield " ".join(f"{token}={tokenizer.decode((token,))!r}" for token in ends)


def _request(card: cards.Card, kind: str, tokenizer: Tokenizer, can: Capabilities) -> Request:
    judgements: dict[str, Judgement] = {
        "score": Score(QUERY, DOCS[-1]),
        "compare": Compare(QUERY, *DOCS[1:]),
        "select": Select(QUERY, DOCS, worst=kind == "select" and card.template(kind).asks == "worst"),
        "permute": Permute(QUERY, DOCS),
        "grade": Grade(QUERY, DOCS),
    }
    elicitation = parse_elicitation(card.elicitation(kind))
    request: Request = elicitation.bind(type(judgements[kind]), tokenizer, can, PromptSettings()).prepare(
        judgements[kind]
    )
    return request


def _read(want: Want, read: str) -> str:
    """What a request asks for, in words."""
    match want:
        case ReadLabels():
            ids = [f"{text} {list(found)}" for text, found in zip(want.labels, want.ids or [()] * 99, strict=False)]
            what = "logits" if read == "logits" else "log-probabilities"
            told = f"the {what} of {', '.join(each.removesuffix(' []') for each in ids)} as the next token"
        case WriteLabels():
            told = f"{want.count} of the labels {', '.join(want.labels)}, one after the other, and nothing else"
        case ReadSimilarities():
            last = "the last " if want.queries > 1 else ""
            told = f"the cosines of the vectors at {want.markers[0]} and at {last}{want.markers[1]}"
        case ReadAttention():
            skipped = f", the first {want.skip} of its tokens left out" if want.skip else ""
            told = f"how much an answer of up to {want.max_tokens} tokens attends to each text{skipped}"
        case OrderVectors():
            told = f"the likeliest next of the passages' vectors, {want.count} times, each once"
        case Draw():
            drawn = f"drawn at temperature {want.temperature} and top_p {want.top_p}"
            told = f"text, up to {want.max_tokens} tokens, {drawn}"
        case Generate():
            held = f"; after {want.after.end} it is held to labels" if want.after else ""
            told = f"text, up to {want.max_tokens} tokens{held}"
        case _:
            told = "the log-probabilities of given tokens"
    return told
