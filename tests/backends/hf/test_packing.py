"""Packed rows: each token computed once, with the right ones before it, whatever the model and the cut."""

import itertools
import logging
import re
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerankllm.backends.hf.batches import Limits, Row
from rerankllm.backends.hf.kv_cache import Slots
from rerankllm.backends.hf.packing import chunks
from rerankllm.backends.hf.split import halves

torch = pytest.importorskip("torch", reason="needs the extra `hf`")
transformers = pytest.importorskip("transformers", reason="needs the extra `hf`")

from rerankllm.backends.hf.causal import Causal  # noqa: E402

VOCABULARY = 50
LONGEST = 30
ids = st.lists(st.integers(0, 2), min_size=1, max_size=LONGEST).map(tuple)
rows = st.lists(st.builds(lambda ids, read: Row(ids, min(read, len(ids))), ids, st.integers(1, 4)), max_size=12)
limits = st.builds(Limits, st.integers(1, 40), st.integers(1, 20))


@pytest.mark.slow
@given(st.lists(rows, max_size=3), limits, st.integers(0, 60), st.integers(1, 40))
def test_every_slot_holds_the_token_and_all_before_it(several, limits, room, enough):
    """Keys and values are played by the tokens they are of, with all that came before."""
    slots, memory = Slots(room), {}
    for rows in several:
        read = dict.fromkeys(range(len(rows)), 0)
        for chunk in chunks(rows, limits, slots, enough):
            assert 0 < chunk.tokens <= limits.tokens
            new = [rows[p.row].ids[: place + 1] for p in chunk.pieces for place in range(p.start, p.stop)]
            assert len(set(chunk.slots)) == len(new)
            memory |= dict(zip(chunk.slots, new, strict=True))
            assert max(chunk.slots) < slots.size
            for piece in chunk.pieces:
                row = rows[piece.row]
                assert [memory[slot] for slot in piece.slots] == [row.ids[: n + 1] for n in range(piece.stop)]
                assert new[piece.place] == row.ids[: piece.start + 1]
                read[piece.row] += piece.stop - max(piece.start, min(len(row.ids) - row.read, piece.stop))
            here = sum(
                p.stop - max(p.start, min(len(rows[p.row].ids) - rows[p.row].read, p.stop)) for p in chunk.pieces
            )
            assert here <= limits.positions
            assert sorted(p.place for group in chunk.groups for p in group) == [p.place for p in chunk.pieces]
        assert read == {number: row.read for number, row in enumerate(rows)}
        assert slots.taken <= max(room, LONGEST)
        assert slots.size <= max(room, LONGEST) + limits.tokens + LONGEST


def distinct(several):
    return {one[:stop] for one in several for stop in range(1, len(one) + 1)}


@pytest.mark.slow
@given(st.lists(ids, min_size=1, max_size=12, unique=True), limits, st.integers(0, 60))
def test_no_more_is_computed_than_there_are_distinct_beginnings(several, limits, room):
    computed = sum(chunk.tokens for chunk in chunks([Row(one) for one in several], limits, Slots(room)))
    assert computed == len(distinct(several))


@pytest.mark.slow
@given(st.lists(st.lists(ids, min_size=1, max_size=6, unique=True), max_size=4), limits)
def test_with_room_for_all_a_later_run_computes_what_no_earlier_one_did(runs, limits):
    slots, known = Slots(10**6), set()
    for several in runs:
        computed = sum(chunk.tokens for chunk in chunks([Row(one) for one in several], limits, slots))
        again = {one for one in several if one in known}  # what is read of a row is computed for it
        assert computed == len(distinct(several) - known) + len(again)
        known |= distinct(several)


def test_what_was_of_no_use_for_longest_is_forgotten_first():
    slots, limits = Slots(25), Limits(100, 100)

    def computed(*row):
        return sum(chunk.tokens for chunk in chunks([Row(row)], limits, slots))

    assert computed(*range(10)) == 10
    assert computed(*range(20, 30)) == 10
    assert computed(*range(9), 1) == 1
    assert computed(*range(40, 50)) == 10  # there is room for all but the second
    assert computed(*range(9), 2) == 1
    assert computed(*range(20, 30)) == 10


ENDS = {"vocab_size": VOCABULARY, "bos_token_id": 1, "eos_token_id": 2}
PLAIN = ENDS | {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
GROUPED = PLAIN | {"num_key_value_heads": 2, "pad_token_id": 0}
OLDER = ENDS | {"n_embd": 32, "n_layer": 2, "n_head": 4}
MODELS = {
    "Llama": GROUPED,
    "Qwen2": GROUPED,
    "Qwen3": GROUPED | {"head_dim": 8},
    "Gemma2": GROUPED | {"head_dim": 8, "attn_logit_softcapping": 0.5},
    "Gemma2-windowed": GROUPED | {"head_dim": 8, "sliding_window": 24},
    "Gemma3": GROUPED | {"head_dim": 8, "sliding_window": 24},
    "Phi3": GROUPED,
    "Mistral": GROUPED | {"sliding_window": 24},
    "Mistral-narrow": GROUPED | {"sliding_window": 6},
    "GPT2": OLDER,
    "OPT": PLAIN | {"ffn_dim": 64, "word_embed_proj_dim": 32, "pad_token_id": 0},
    "GPTNeoX": PLAIN,
    # Both take every expert: which of two almost equal ones is taken is another processor's to say.
    "Qwen3Moe": GROUPED | {"head_dim": 8, "num_experts": 2, "num_experts_per_tok": 2, "moe_intermediate_size": 16},
    "GptOss": GROUPED | {"head_dim": 8, "num_local_experts": 2, "num_experts_per_tok": 2},
    "Bloom": {"vocab_size": VOCABULARY, "hidden_size": 32, "n_layer": 2, "n_head": 4},
    "GPTJ": OLDER | {"rotary_dim": 4},
    "Mamba": {"vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 4},
    "RecurrentGemma": PLAIN
    | {"num_key_value_heads": 1, "lru_width": 32, "attention_window_size": 24, "num_hidden_layers": 3},
}
"""How each is computed is for the engine to find out, and may change with a release of transformers."""
PROMISED = ("Llama", "Qwen2", "Qwen3", "Gemma2", "Gemma3", "Phi3", "Mistral")
"""Families of which we promise that they are packed, for packing is what makes `hf:` fast."""
CLASSES = {"GPT2": ("GPT2LMHeadModel", "GPT2Config"), "Gemma3": ("Gemma3ForCausalLM", "Gemma3TextConfig")}


def tiny(name):
    family = name.partition("-")[0]
    model, config = CLASSES.get(family, (f"{family}ForCausalLM", f"{family}Config"))
    torch.manual_seed(3)
    made = getattr(transformers, model)(getattr(transformers, config)(**MODELS[name])).eval()
    for weights in made.parameters():
        torch.nn.init.normal_(weights, std=0.3)
    return made


@contextmanager
def cores(count):
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", params=MODELS)
def engine(request):
    with cores(1):
        yield Causal(tiny(request.param), 0, Limits(64, 60), cache=30_000)


@pytest.fixture(scope="module")
def twofold():
    with cores(2):
        yield Causal(tiny("Llama"), 0, Limits(64, 60), cache=30_000)


def alone(engine, row):
    with torch.inference_mode():
        return engine._model(torch.tensor([row.ids]), use_cache=False).logits[0, -row.read :]


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(several=st.lists(rows, min_size=1, max_size=2), limits=limits)
def test_logits_are_those_of_each_row_alone(engine, several, limits):
    engine._limits = limits
    own = engine._model.config._attn_implementation
    for rows in several:
        found = dict(one for batch in engine.logits(rows) for one in batch)
        assert sorted(found) == list(range(len(rows)))
        for number, row in enumerate(rows):
            torch.testing.assert_close(found[number], alone(engine, row), atol=1e-4, rtol=1e-4)
    assert engine._model.config._attn_implementation == own


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(several=st.lists(rows, min_size=1, max_size=3), limits=limits)
def test_two_at_once_give_what_each_row_gives_alone(twofold, several, limits):
    test_logits_are_those_of_each_row_alone.hypothesis.inner_test(twofold, several, limits)


@pytest.mark.slow
@given(rows, rows, st.integers(0, 60))
def test_halves_have_every_row_once_and_neither_has_more_than_all(before, rows, room):
    slots = [Slots(room), Slots(room)]
    for held in slots:
        list(chunks(before, Limits(50, 50), held))
    parts, together = halves(rows, slots)
    assert sorted(parts[0] + parts[1]) == list(range(len(rows)))
    loads = [
        sum(chunk.tokens for chunk in chunks([rows[i] for i in part], Limits(50, 50), held))
        for part, held in zip(parts, slots, strict=True)
    ]
    alone = sum(chunk.tokens for chunk in chunks(rows, Limits(50, 50), Slots(room)))
    assert max(loads) <= alone
    assert not together or all(loads)


def test_halves_go_to_whom_remembers_them():
    slots = [Slots(100), Slots(100)]
    held = [Row((place, *range(10))) for place in (1, 2)]
    for row, each in zip(held, reversed(slots), strict=True):
        list(chunks([row], Limits(50, 50), each))
    assert halves([Row((*row.ids, 7)) for row in held], slots) == ([[1], [0]], True)


@pytest.mark.parametrize("count", [1, 2])
def test_a_run_that_broke_off_leaves_nothing_behind(monkeypatch, count):
    with cores(count):
        engine = Causal(tiny("Llama"), 0, Limits(8, 60))
    rows = [Row(tuple(range(start, start + 20))) for start in (0, 5)]
    next(iter(engine.logits(rows)))
    forward = engine._model.forward

    def fail(*_, **__):
        raise RuntimeError("no room")

    monkeypatch.setattr(engine._model, "forward", fail)
    with pytest.raises(RuntimeError):
        list(engine.logits(rows))
    monkeypatch.setattr(engine._model, "forward", forward)
    for number, logits in itertools.chain(*engine.logits(rows)):
        torch.testing.assert_close(logits, alone(engine, rows[number]), atol=1e-4, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", PROMISED)
def test_what_we_promise_to_pack_is_packed(name):
    with cores(1):
        engine = Causal(tiny(name), 0, Limits(64, 60))
    assert str(engine.packing).startswith("packed"), engine.packing
    assert engine.reach == engine.packing.reach >= 24


class TestItSaysWhatItChoseAndWhy:
    """The models are Llamas that are changed, so that what they do is known whatever the release of transformers."""

    @pytest.fixture
    def model(self):
        with cores(1):
            yield tiny("Llama")

    def chosen(self, model, caplog):
        caplog.set_level(logging.DEBUG, "rerankllm.backends.hf.causal")
        engine = Causal(model, 0, Limits(64, 60))
        assert f"{type(model).__name__} computes prompts {engine.packing}" in caplog.messages
        rows = [Row(tuple(place % VOCABULARY for place in range(start, start + n))) for start, n in ((1, 9), (2, 40))]
        for number, logits in itertools.chain(*engine.logits([*rows, *rows[:1]])):
            torch.testing.assert_close(logits, alone(engine, [*rows, *rows[:1]][number]), atol=1e-4, rtol=1e-4)
        return engine.packing

    def tell(self, model, **options):
        for layer in model.model.layers:
            layer.self_attn.register_forward_pre_hook(
                lambda _, given, named: (given, named | options), with_kwargs=True
            )

    def test_what_is_plain(self, model, caplog):
        packing = self.chosen(model, caplog)
        assert (str(packing), packing.reason, packing.alone) == ("packed", "", "")

    def test_an_option_of_attention_that_nobody_knows(self, model, caplog):
        self.tell(model, s_aux=torch.ones(4))
        assert str(self.chosen(model, caplog)) == "padded: its attention takes s_aux"

    def test_a_window_that_only_attention_is_told(self, model, caplog):
        self.tell(model, sliding_window=25)
        said = "packed up to 25 tokens, longer ones padded: its attention sees 25 tokens"
        assert str(self.chosen(model, caplog)) == said

    def test_a_window_too_narrow_to_gain_anything(self, model, caplog):
        self.tell(model, sliding_window=6)
        assert str(self.chosen(model, caplog)) == "padded: its attention sees 6 tokens"

    def test_a_forward_without_the_arguments_that_packing_needs(self, model, caplog):
        whole = model.forward
        model.forward = lambda input_ids, attention_mask=None, use_cache=None: whole(
            input_ids, attention_mask=attention_mask, use_cache=use_cache
        )
        packing = self.chosen(model, caplog)
        assert packing.reason == "its forward takes no logits_to_keep, position_ids"
        assert packing.reach == 0

    def test_tokens_that_see_their_neighbour_past_attention(self, model, caplog):
        """As a convolution does it: packed, the neighbour is another prompt's, and padded it is padding."""
        shift = torch.nn.functional.pad
        model.model.embed_tokens.register_forward_hook(lambda _, __, out: out + shift(out, (0, 0, 1, 0))[:, :-1])
        said = str(self.chosen(model, caplog))
        assert re.fullmatch(
            r"one at a time: off by \d+ times what rounding explains; "
            r"padding changes its answers, off by \d+ times what rounding explains",
            said,
        )


def test_long_rows_turn_to_padding_where_a_window_ends():
    with cores(1):
        engine = Causal(tiny("Mistral"), 0, Limits(64, 60))
    rows = [Row(tuple(range(length))) for length in (24, 24, 25, 20)]
    list(engine.logits(rows))
    assert engine.computed == 24 + 1 + 25  # once for all three, the end of the second again; and the longest alone
