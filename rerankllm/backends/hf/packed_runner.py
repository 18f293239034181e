"""Packed rows computed one chunk after the other, and what is remembered of them."""

from collections.abc import Generator, Sequence
from typing import Any

from rerankllm.backends.hf import attention
from rerankllm.backends.hf.batches import Limits, Row
from rerankllm.backends.hf.kv_cache import Slots
from rerankllm.backends.hf.packing import Chunk, chunks


class PackedRunner:
    """Computes rows in one thread. The model has to attend as `attention.packed` lets it meanwhile.

    Attributes:
        computed: Tokens computed so far.
        slots: What is remembered.
        known: Of each row that was computed last, by its index, how many tokens were remembered.

    Args:
        model: A causal language model of transformers.
        enough: Tokens from which on a chunk is full.
    """

    def __init__(self, model: Any, enough: int) -> None:
        self._model, self._enough, self._room = model, enough, 0
        self.computed = 0
        self.known: dict[int, int] = {}
        self.slots, self._memory = Slots(0), attention.Memory()

    @property
    def bytes_a_token(self) -> int:
        """Of keys and values, once something was computed."""
        return self._memory.bytes_a_slot

    @property
    def asked(self) -> bool:
        """Whether the model has asked for attention, as one with an attention of its own does not."""
        return bool(self._memory.layers)

    @property
    def window(self) -> int:
        """Tokens that the model's attention sees at least, in whichever layer sees fewest."""
        return self._memory.window

    def forget(self, room: int | None = None) -> None:
        """Remembers nothing of what was computed; from now on so many tokens, if that is said."""
        self._room = self._room if room is None else room
        self.slots, self._memory = Slots(self._room), attention.Memory()

    def remember(self, room: int) -> None:
        """Remembers so many tokens from now on, and what it does already as far as that has room."""
        self._room = self.slots.room = room

    def logits(self, rows: Sequence[Row], limits: Limits) -> Generator[list[tuple[int, Any]], None, None]:
        """Computes the rows; what fits is remembered unless something goes wrong.

        Yields:
            For each row that is done its index and its logits: a float tensor of shape (read, vocabulary).
        """
        import torch  # noqa: PLC0415

        slots, memory = self.slots, self._memory
        self.forget()
        size = self._room + min(self._enough, limits.tokens)  # at once, as most will be used: growing copies
        begun: list[Any] = []
        self.known = {}
        for chunk in chunks(rows, limits, slots, self._enough):
            logits = self._pass(rows, chunk, memory, max(size, slots.size))
            done = []
            for piece in chunk.pieces:
                row = rows[piece.row]
                self.known.setdefault(piece.row, piece.start)
                mine = piece.stop - max(piece.start, len(row.ids) - row.read)
                if mine > 0:
                    begun.append(logits[:mine])
                    logits = logits[mine:]
                if piece.stop == len(row.ids):
                    done.append((piece.row, torch.cat(begun)))
                    begun = []
            yield done
        self.slots, self._memory = slots, memory

    def _pass(self, rows: Sequence[Row], chunk: Chunk, memory: attention.Memory, size: int) -> Any:
        """Logits of all positions that are read: a tensor of shape (positions, vocabulary)."""
        import torch  # noqa: PLC0415

        ids: list[int] = []
        positions: list[int] = []
        read: list[int] = []
        for piece in chunk.pieces:
            row = rows[piece.row]
            ids += row.ids[piece.start : piece.stop]
            positions += range(piece.start, piece.stop)
            first = max(len(row.ids) - row.read - piece.start, 0)
            read += range(piece.place + first, piece.place + piece.stop - piece.start)
        device = self._model.device
        self.computed += len(ids)
        with torch.inference_mode():
            return self._model(
                input_ids=torch.tensor([ids], device=device),
                position_ids=torch.tensor([positions], device=device),
                logits_to_keep=torch.tensor(read, dtype=torch.long, device=device),
                use_cache=False,
                packed=attention.layout(chunk, memory, size, self._model),
            ).logits[0]
