# install: litellm
"""LiteLLM's providers, each with its own route."""

import os

import litellm

BASE = os.environ["BASE"]
DOCUMENTS = ["Dogs bark at strangers.", "A flea lives for two or three months."]
QUERY = "how long do fleas live"
PROVIDERS = {
    "cohere/default": BASE,
    "jina_ai/default": f"{BASE}/v1/rerank",
    "hosted_vllm/default": BASE,
    "huggingface/default": BASE,
    "infinity/default": f"{BASE}/infinity",
    "together_ai/default": f"{BASE}/v1",
    "voyage/default": BASE,
}
for model, base in PROVIDERS.items():
    answer = litellm.rerank(model=model, query=QUERY, documents=DOCUMENTS, api_base=base, api_key="any", top_n=2)
    assert [each["index"] for each in answer.results] == [1, 0], (model, answer)
    print(f"{model}: {answer.results[0]['index']} first, document {answer.results[0].get('document')}")
try:
    litellm.rerank(model="cohere/default", query=QUERY, documents=[], api_base=BASE, api_key="any")
except litellm.BadRequestError as error:
    print(f"no documents: {type(error).__name__}")
