"""Counting tokens for hosts whose tokenizer is not at hand: tiktoken where it fits, else an estimate."""

import functools
import importlib.util
import logging
import re
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from rerankllm.calls import NO_FLAGS, Message, Tokenizer
from rerankllm.errors import CapabilityError

if TYPE_CHECKING:
    import tiktoken

log = logging.getLogger(__name__)

LOAD_SECONDS = 10.0
"""How long to wait for a vocabulary that has to be fetched before estimating instead."""

_UNSPACED = (  # scripts written without spaces, where about every character is a token
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\ua4cf\ua960-\ua97f"
    "\uac00-\ud7ff\uf900-\ufaff\uff66-\uffdc\U00020000-\U0003ffff"
)
_PIECE = re.compile(
    rf"\s?(?:[A-Za-z\u00aa-\u024f]{{1,6}}|\d{{1,3}}|[^\W\d{_UNSPACED}A-Za-z\u00aa-\u024f]{{1,3}}|.)",
    re.DOTALL,
)


class _Ids(dict[str, int]):
    """Ids of pieces; one that is asked for the first time is given the next."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self._lock = threading.Lock()

    def __missing__(self, piece: str) -> int:
        with self._lock:
            if piece not in self:
                self.pieces.append(piece)
                self[piece] = len(self.pieces) - 1
        return self[piece]


class EstimatedTokenizer:
    """Cuts text into pieces of about a token's size: four characters of English, one of Chinese or Japanese.

    The pieces of a text, put together again, are that text, so passages can be cut at any of them. Ids mean
    nothing outside the instance that gave them. Safe to use from several threads.
    """

    words_apart = True

    def __init__(self) -> None:
        self._ids = _Ids()

    @property
    def bos(self) -> tuple[int, ...]:
        """None: hosts add their own."""
        return ()

    def encode(self, text: str, *, special: bool = False) -> tuple[int, ...]:
        """Ids of the pieces of `text`. No control tokens are known here, so `special` makes no difference."""
        del special
        return tuple(map(self._ids.__getitem__, _PIECE.findall(text)))

    def decode(self, ids: Sequence[int]) -> str:
        """The text of these ids.

        Raises:
            IndexError: One of them was never given out.
        """
        return "".join(map(self._ids.pieces.__getitem__, ids))

    def chat(self, messages: Sequence[Message], flags: Mapping[str, Any] = NO_FLAGS, /) -> NoReturn:
        """Not possible: the host applies its own chat template.

        Raises:
            CapabilityError: Always.
        """
        del flags
        raise CapabilityError(_no_template(messages))


class TiktokenTokenizer:
    """One of tiktoken's encodings.

    Args:
        encoding: The loaded encoding.
    """

    words_apart = True

    def __init__(self, encoding: "tiktoken.Encoding") -> None:
        self._encoding = encoding

    @property
    def bos(self) -> tuple[int, ...]:
        """None: hosts add their own."""
        return ()

    def encode(self, text: str, *, special: bool = False) -> tuple[int, ...]:
        """Token ids; control tokens in `text` are plain text unless `special`."""
        if special:
            return tuple(self._encoding.encode(text, allowed_special="all"))
        return tuple(self._encoding.encode(text, allowed_special=set(), disallowed_special=()))

    def decode(self, ids: Sequence[int]) -> str:
        """The text of these ids; a character cut in two at either end is left out."""
        return self._encoding.decode_bytes(ids).decode("utf-8", errors="ignore")

    def chat(self, messages: Sequence[Message], flags: Mapping[str, Any] = NO_FLAGS, /) -> NoReturn:
        """Not possible: the host applies its own chat template.

        Raises:
            CapabilityError: Always.
        """
        del flags
        raise CapabilityError(_no_template(messages))


@functools.lru_cache(maxsize=64)
def tokenizer_for(model_name: str) -> Tokenizer:
    """The tokenizer to count with for a model that is known by its name only.

    tiktoken fetches a vocabulary when it first needs it. It is asked only for models it maps by name, and
    given up when it fails or takes longer than `LOAD_SECONDS`. Which of the two it is goes to the log, once.

    Args:
        model_name: The name the host knows the model by; a leading `openai/` is ignored.
    """
    if importlib.util.find_spec("tiktoken") is None:
        log.info("%s: tokens are estimated, since tiktoken is not installed", model_name)
        return EstimatedTokenizer()
    from tiktoken.model import encoding_name_for_model  # noqa: PLC0415

    try:
        name = encoding_name_for_model(model_name.removeprefix("openai/"))
    except KeyError:
        log.info("%s: tokens are estimated, since tiktoken does not know this model", model_name)
        return EstimatedTokenizer()
    loaded = _load(name)
    if isinstance(loaded, str):
        log.info("%s: tokens are estimated, since tiktoken cannot load %s: %s", model_name, name, loaded)
        return EstimatedTokenizer()
    log.info("%s: tokens are counted with tiktoken's %s", model_name, name)
    return TiktokenTokenizer(loaded)


def _load(name: str) -> "tiktoken.Encoding | str":
    """The encoding, or why there is none. In a thread of its own: tiktoken sets itself no time limit."""
    import tiktoken  # noqa: PLC0415

    result: list[tiktoken.Encoding | str] = []

    def load() -> None:
        try:
            result.append(tiktoken.get_encoding(name))
        except Exception as error:  # noqa: BLE001 - whatever it is, an estimate does instead
            result.append(type(error).__name__)

    thread = threading.Thread(target=load, name="tiktoken-load", daemon=True)
    thread.start()
    thread.join(LOAD_SECONDS)
    return result[0] if result else f"no vocabulary within {LOAD_SECONDS:g} s"


def _no_template(messages: Sequence[Message]) -> str:
    return (
        f"cannot render {len(messages)} messages as one text: the host applies its chat template itself; send messages"
    )
