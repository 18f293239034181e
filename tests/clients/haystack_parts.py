# install: haystack-ai cohere-haystack jina-haystack nvidia-haystack huggingface-api-haystack
"""Haystack's rankers for Cohere, Jina, TEI and NVIDIA."""

import os

os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"
from haystack import Document
from haystack.utils import Secret

BASE = os.environ["BASE"]
DOCUMENTS = [Document(content="Dogs bark at strangers."), Document(content="A flea lives for two or three months.")]
QUERY = "how long do fleas live"
KEY = Secret.from_token("any")
failed = []


def shows(name, make):
    try:
        ranker = make()
        if hasattr(ranker, "warm_up"):
            ranker.warm_up()
        found = [each.content for each in ranker.run(query=QUERY, documents=DOCUMENTS)["documents"]]
    except Exception as error:
        failed.append(name)
        print(f"{name}: {type(error).__name__}: {str(error)[:300]}")
        return
    good = found == [DOCUMENTS[1].content, DOCUMENTS[0].content]
    failed.extend([] if good else [name])
    print(f"{name}: {'ok' if good else found}")


def cohere():
    from haystack_integrations.components.rankers.cohere import CohereRanker

    return CohereRanker(model="default", api_key=KEY, api_base_url=BASE)


def jina():
    from haystack_integrations.components.rankers.jina import JinaRanker

    return JinaRanker(model="default", api_key=KEY, base_url=f"{BASE}/v1/rerank")


def tei():
    from haystack_integrations.components.rankers.huggingface_api import HuggingFaceTEIRanker

    return HuggingFaceTEIRanker(url=BASE, token=KEY)


def nvidia():
    from haystack_integrations.components.rankers.nvidia import NvidiaRanker

    return NvidiaRanker(model="default", api_url=f"{BASE}/v1", api_key=KEY)


for make in (cohere, jina, tei, nvidia):
    shows(make.__name__, make)
raise SystemExit(bool(failed))
