"""Tiny random models of late interaction, as three libraries save them, and what they score, computed here by hand."""

import itertools
import json
import string
from dataclasses import dataclass, field

from tiny_models import WORDS

LINEAR = "torch.nn.modules.linear.Identity"


@dataclass(frozen=True)
class LateModel:
    """A model, and how it is asked.

    Attributes:
        name: For test ids.
        style: Whose files say how it was trained: `stanford` (artifact.metadata), `pylate` or `native`
            (sentence-transformers' own).
        backbone: `bert`, `modernbert` or `lfm2`.
        filled: Tokens to which queries are filled up; 0 for none.
        attended: Whether the query's own tokens see the filling.
        skip: Whether punctuation in passages is left out.
        lower: Whether sentence-transformers is told to put texts in small letters.
        mean: Whether the score is a mean.
        before: Words between the marker and the query.
        dense: Sizes of the projection's layers; Stanford's has one.
        activation: What follows a layer.
        residual: Whether a layer adds what it was given.
    """

    name: str
    style: str
    backbone: str
    filled: int = 0
    attended: bool = False
    skip: bool = True
    lower: bool = False
    mean: bool = False
    before: str = ""
    dense: tuple[int, ...] = (16,)
    activation: str = LINEAR
    residual: bool = False
    lengths: tuple[int, int] = field(default=(12, 24))

    @property
    def markers(self):
        """What stands before queries and passages."""
        return ("[unused0]", "[unused1]") if self.style == "stanford" else ("[Q] ", "[D] ")

    def save(self, folder):
        """Saves it, and returns the folder."""
        import torch

        folder.mkdir(parents=True, exist_ok=True)
        tokenizer = _tokenizer(folder, self.markers, added=self.style != "stanford", masks=self.backbone != "lfm2")
        torch.manual_seed(6)
        _encoder(self.backbone, len(tokenizer)).save_pretrained(folder)
        layers = [torch.randn(out, into) / into**0.5 for into, out in itertools.pairwise((32, *self.dense))]
        extras = [torch.randn(out, into) / 6 for into, out in itertools.pairwise((32, *self.dense))]
        {"stanford": self._stanford, "pylate": self._pylate, "native": self._native}[self.style](folder, layers, extras)
        return folder

    def _stanford(self, folder, layers, extras):
        del extras
        from safetensors.torch import load_file, save_file

        weights = {f"bert.{name}": tensor for name, tensor in load_file(folder / "model.safetensors").items()}
        save_file(weights | {"linear.weight": layers[0]}, folder / "model.safetensors", metadata={"format": "pt"})
        edit(folder / "config.json", architectures=["HF_ColBERT"])
        query, document = self.lengths
        edit(
            folder / "artifact.metadata", query_token_id=self.markers[0], doc_token_id=self.markers[1],
            query_maxlen=query, doc_maxlen=document, attend_to_mask_tokens=self.attended, mask_punctuation=self.skip,
        )  # fmt: skip

    def _pylate(self, folder, layers, extras):
        parts = [("", "sentence_transformers.models.Transformer")]
        parts += self._dense(folder, layers, extras, "pylate.models.Dense.Dense")
        query, document = self.lengths
        edit(
            folder / "config_sentence_transformers.json", model_type="ColBERT", query_prefix=self.markers[0],
            document_prefix=self.markers[1], query_length=query, document_length=document,
            do_query_expansion=bool(self.filled), attend_to_expansion_tokens=self.attended,
            skiplist_words=list(string.punctuation) if self.skip else [], similarity_fn_name="MaxSim",
            prompts={"query": self.before, "document": ""},
        )  # fmt: skip
        self._modules(folder, parts, {"max_seq_length": document - 1})

    def _native(self, folder, layers, extras):
        base = "sentence_transformers.base.modules"
        parts = [("", f"{base}.transformer.Transformer")]
        parts += self._dense(folder, layers, extras, f"{base}.dense.Dense")
        mask = "sentence_transformers.multi_vector_encoder.modules.multi_vector_mask.MultiVectorMask"
        skipped = {"skiplist_words": list(string.punctuation) if self.skip else [], "skiplist_tasks": ["document"]}
        for kind, facts in (
            (mask, skipped),
            (f"{base}.normalize.Normalize", {"module_input_name": "token_embeddings"}),
        ):
            inner = folder / f"{len(parts)}_{kind.rpartition('.')[2]}"
            inner.mkdir()
            edit(inner / "config.json", **facts)
            parts.append((inner.name, kind))
        edit(
            folder / "config_sentence_transformers.json", model_type="MultiVectorEncoder",
            prompts={"query": self.markers[0] + self.before, "document": self.markers[1]},
            similarity_fn_name="meanmaxsim" if self.mean else "maxsim",
        )  # fmt: skip
        query, document = self.lengths
        filling = {"strategy": "fixed", "attend": self.attended, "length": self.filled} if self.filled else None
        told = {"query_length": query, "document_length": document, "query_expansion": filling}
        self._modules(folder, parts, told)

    def _dense(self, folder, layers, extras, kind):
        from safetensors.torch import save_file

        for number, (layer, extra) in enumerate(zip(layers, extras, strict=True), 1):
            inner = folder / f"{number}_Dense"
            inner.mkdir()
            saved = {"linear.weight": layer} | ({"residual.weight": extra} if self.residual else {})
            save_file(saved, inner / "model.safetensors", metadata={"format": "pt"})
            names = {"module_input_name": "token_embeddings", "module_output_name": "token_embeddings"}
            edit(
                inner / "config.json", in_features=layer.shape[1], out_features=layer.shape[0], bias=False,
                activation_function=self.activation, use_residual=self.residual, **names,
            )  # fmt: skip
            yield inner.name, kind

    def _modules(self, folder, parts, told):
        listed = [
            {"idx": place, "name": str(place), "path": path, "type": kind} for place, (path, kind) in enumerate(parts)
        ]
        (folder / "modules.json").write_text(json.dumps(listed))
        edit(folder / "sentence_bert_config.json", **told, do_lower_case=self.lower)

    def score(self, folder, query, passage):
        """MaxSim of a query and a passage, by transformers' encoder alone, in numpy."""
        import numpy as np
        import transformers

        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        encoder = transformers.AutoModel.from_pretrained(folder).eval()
        ids = self._ids(tokenizer, f"{self.before}{query}", self.markers[0], self.lengths[0])
        mask = tokenizer.mask_token_id if tokenizer.mask_token_id is not None else tokenizer.eos_token_id
        filling = max(self.filled - len(ids), 0)
        seen = [1] * len(ids) + [int(self.attended)] * filling
        asked = self._vectors(folder, encoder, [*ids, *[mask] * filling], seen)
        ids = self._ids(tokenizer, passage, self.markers[1], self.lengths[1])
        kept = [not (self.skip and tokenizer.convert_ids_to_tokens(token) in string.punctuation) for token in ids]
        found = self._vectors(folder, encoder, ids, [1] * len(ids))[np.array(kept)]
        best = [max(float(one @ other) for other in found) for one in asked]
        return sum(best) / (len(best) if self.mean else 1)

    def _ids(self, tokenizer, text, marker, length):
        first, *words, last = tokenizer(text.lower() if self.lower else text)["input_ids"]
        return [first, tokenizer.convert_tokens_to_ids(marker), *words[: length - 3], last]

    def _vectors(self, folder, encoder, ids, seen):
        import numpy as np
        import torch
        from safetensors.numpy import load_file

        with torch.inference_mode():
            states = encoder(input_ids=torch.tensor([ids]), attention_mask=torch.tensor([seen])).last_hidden_state
        made = states[0].double().numpy()
        if self.style == "stanford":
            made = made @ load_file(folder / "model.safetensors")["linear.weight"].T
        else:
            for number in range(1, len(self.dense) + 1):
                weights = load_file(folder / f"{number}_Dense" / "model.safetensors")
                grown = made @ weights["linear.weight"].T
                grown = np.maximum(grown, 0) if self.activation != LINEAR else grown
                made = grown + (made @ weights["residual.weight"].T if self.residual else 0)
        return made / np.linalg.norm(made, axis=1, keepdims=True)


def edit(path, **facts):
    """Writes these facts into a file of JSON, beside those that it has."""
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(known | facts))


def _tokenizer(folder, markers, *, added, masks):
    """Saves a small tokenizer of BERT's kind, with markers in its vocabulary or added to it."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *(["[MASK]"] if masks else [])]
    letters = [*string.ascii_lowercase, *string.digits]
    tokens = [*special, *(() if added else markers), *letters, *(f"##{letter}" for letter in letters)]
    tokens += [*string.punctuation, *dict.fromkeys(word.lower() for word in WORDS if len(word) > 1)]
    core = Tokenizer(models.WordPiece({token: place for place, token in enumerate(tokens)}, unk_token=special[1]))
    core.normalizer = normalizers.BertNormalizer(lowercase=True)
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    core.decoder = decoders.WordPiece()
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    if added:
        core.add_tokens([AddedToken(marker, special=False, normalized=True) for marker in markers])
    named = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), special, strict=False))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, model_max_length=128, eos_token=special[3], **named)
    tokenizer.save_pretrained(folder)
    return tokenizer


def _encoder(backbone, vocabulary):
    """A tiny random encoder."""
    import torch
    import transformers

    shared = {"vocab_size": vocabulary, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3,
              "num_attention_heads": 1, "max_position_embeddings": 128, "pad_token_id": 0}  # fmt: skip
    ends = {"bos_token_id": 2, "eos_token_id": 3}
    if backbone == "bert":
        model = transformers.BertModel(transformers.BertConfig(**shared))
    elif backbone == "modernbert":
        around = {"cls_token_id": 2, "sep_token_id": 3, "local_attention": 16, "global_attn_every_n_layers": 2}
        model = transformers.ModernBertModel(transformers.ModernBertConfig(**shared, **ends, **around))
    else:  # published files name these sizes, and vLLM reads them there
        sizes = {"conv_dim": 32, "conv_dim_out": 32, "block_dim": 32, "block_ff_dim": 64, "block_multiple_of": 8,
                 "block_auto_adjust_ff_dim": False, "block_ffn_dim_multiplier": 1.0, "conv_L_cache": 3}  # fmt: skip
        kinds = {"layer_types": ["conv", "full_attention", "conv"], "num_key_value_heads": 1}
        model = transformers.Lfm2Model(transformers.Lfm2Config(**shared, **ends, **sizes, **kinds))
    for weights in model.parameters():
        if weights.dim() > 1:
            torch.nn.init.normal_(weights, std=0.3)
    return model


PUBLISHED = (
    LateModel("colbertv2.0", "stanford", "bert", filled=12),
    LateModel("lightonai-colbertv2.0", "pylate", "bert", filled=12),
    LateModel("GTE-ModernColBERT-v1", "pylate", "modernbert"),
    LateModel("mxbai-edge-colbert-v0-17m", "pylate", "modernbert", lower=True, dense=(24, 16)),
    LateModel("LFM2-ColBERT-350M", "pylate", "lfm2", filled=12),
    LateModel("attended", "stanford", "bert", filled=12, attended=True),
    LateModel("native", "native", "modernbert", mean=True, skip=False, before="search that "),
)
"""A model for each way in which published ones are asked; the last two are like none that is known by name."""
QUERIES = ("how long do fleas live?", "flea", "how long do fleas live on the host for two months, and dogs, and cats")
PASSAGES = ("Fleas jump far.", "A flea lives for\ntwo  months!", "Dogs (1) bark, at " * 12, "...", "x")
"""Texts that are short, long, of punctuation and of one letter."""
