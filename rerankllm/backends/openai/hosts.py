"""What is known of hosts, by their address or by what their list of models says: what they take beyond the plain.

A host that is not known here is sent what every host takes, and what it refuses by name is left out from then on (see
`adaptation`).
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

Hold: TypeAlias = Literal["json_schema", "regex", "structured_outputs", "grammar"]
"""How a host is asked to hold an answer to labels: OpenAI's response format, SGLang's regular expression, vLLM's
structured outputs, or llama.cpp's grammar."""
ThinkingBy: TypeAlias = Literal["effort", "template", "think", "openrouter", "thinking", "enable_thinking"]
"""By what a host's model is told to think or not; see `thinking`."""


@dataclass(frozen=True, slots=True)
class Manners:
    """How a kind of host is asked.

    Attributes:
        name: What it is called.
        penalty: Its names for the repetition penalty, of which 1 is none; servers of open weights default to others.
        new_limit: Whether the limit of tokens is called `max_completion_tokens`.
        hold: How it holds answers to labels; None where that is not known.
        thinking: By what it is told to think or not.
        opens: Whether it goes on with an answer that the prompt opens.
        apart: Whether a thought stays free where it holds an answer.
    """

    name: str = "unknown"
    penalty: tuple[str, ...] = ()
    new_limit: bool = False
    hold: Hold | None = None
    thinking: ThinkingBy = "effort"
    opens: bool = False
    apart: bool = False


UNKNOWN = Manners()
OPENAI = Manners("OpenAI", new_limit=True, hold="json_schema", apart=True)
AZURE = Manners("Azure", new_limit=True, hold="json_schema", apart=True)
VLLM = Manners("vLLM", ("repetition_penalty",), hold="structured_outputs", thinking="template", opens=True)
SGLANG = Manners("SGLang", ("repetition_penalty",), hold="regex", thinking="template")
LLAMACPP = Manners("llama.cpp", ("repeat_penalty",), hold="grammar", thinking="template")
LLAMACPP_PYTHON = Manners("llama-cpp-python", ("repeat_penalty",), hold="grammar", thinking="template")
OLLAMA = Manners("Ollama", hold="json_schema", thinking="think")
LM_STUDIO = Manners("LM Studio", ("repeat_penalty",), hold="json_schema", thinking="effort")
OPENROUTER = Manners("OpenRouter", ("repetition_penalty",), thinking="openrouter")
ANTHROPIC = Manners("Anthropic", thinking="thinking")
OTHERS = {
    "api.deepseek.com": Manners("DeepSeek", thinking="thinking"),
    "api.z.ai": Manners("Z.ai", thinking="thinking"),
    "open.bigmodel.cn": Manners("Z.ai", thinking="thinking"),
    "api.moonshot.ai": Manners("Moonshot", thinking="thinking"),
    "api.moonshot.cn": Manners("Moonshot", thinking="thinking"),
    "dashscope.aliyuncs.com": Manners("DashScope", thinking="enable_thinking"),
    "dashscope-intl.aliyuncs.com": Manners("DashScope", thinking="enable_thinking"),
}
BY_DOMAIN = {
    "api.openai.com": OPENAI,
    "openai.azure.com": AZURE,
    "cognitiveservices.azure.com": AZURE,
    "services.ai.azure.com": AZURE,
    "openrouter.ai": OPENROUTER,
    "api.anthropic.com": ANTHROPIC,
    **OTHERS,
}
BY_OWNER = {
    "vllm": VLLM,
    "sglang": SGLANG,
    "llamacpp": LLAMACPP,
    "me": LLAMACPP_PYTHON,
    "library": OLLAMA,
    "organization_owner": LM_STUDIO,
}
"""By `owned_by` in the list of models, which says what serves them."""


def by_address(url: str) -> Manners:
    """The manners of the host at this address, as far as the address tells."""
    name = urlsplit(url).hostname or ""
    return next((found for domain, found in BY_DOMAIN.items() if f".{name}".endswith(f".{domain}")), UNKNOWN)


def by_owner(owner: object) -> Manners:
    """The manners of a server whose models are owned by this."""
    return BY_OWNER.get(owner, UNKNOWN) if isinstance(owner, str) else UNKNOWN
