# install: voyageai infinity-client mixedbread mixedbread-ai xinference-client zeroentropy==0.1.0a11
"""The SDKs of Voyage, Infinity, Mixedbread (both), Xinference and ZeroEntropy."""

import os

BASE = os.environ["BASE"]
DOCUMENTS = ["Dogs bark at strangers.", "A flea lives for two or three months."]
QUERY = "how long do fleas live"
failed = []


def shows(ask):
    try:
        found = ask()
    except Exception as error:
        found = f"{type(error).__name__}: {str(error)[:300]}"
    failed.extend([] if found == [1, 0] else [ask.__name__])
    print(f"{ask.__name__}: {'ok' if found == [1, 0] else found}")


def voyage():
    import voyageai

    client = voyageai.Client(api_key="any", base_url=f"{BASE}/v1")
    return [each.index for each in client.rerank(QUERY, DOCUMENTS, model="default", top_k=2).results]


def voyage_refused():
    import voyageai

    client = voyageai.Client(api_key="any", base_url=f"{BASE}/v1", max_retries=0)
    try:
        client.rerank(QUERY, [], model="default")
    except voyageai.error.InvalidRequestError as error:
        print(f"  voyageai says {error}")
        return [1, 0]
    return []


def infinity():
    from infinity_client import Client
    from infinity_client.api.default import rerank
    from infinity_client.models import RerankInput

    body = RerankInput(query=QUERY, documents=DOCUMENTS, model="default", return_documents=True)
    return [each.index for each in rerank.sync(client=Client(base_url=BASE), body=body).results]


def mixedbread():
    from mixedbread import Mixedbread

    client = Mixedbread(api_key="any", base_url=BASE)
    return [each.index for each in client.rerank(query=QUERY, input=DOCUMENTS, model="default").data]


def mixedbread_ai():
    from mixedbread_ai.client import MixedbreadAI

    client = MixedbreadAI(api_key="any", base_url=BASE)
    return [each.index for each in client.reranking(query=QUERY, input=DOCUMENTS, model="default").data]


def xinference():
    from xinference_client import RESTfulClient

    model = RESTfulClient(BASE).get_model("default")
    return [each["index"] for each in model.rerank(DOCUMENTS, QUERY)["results"]]


def zeroentropy():
    from zeroentropy import ZeroEntropy

    client = ZeroEntropy(api_key="any", base_url=f"{BASE}/v1")
    return [each.index for each in client.models.rerank(model="default", query=QUERY, documents=DOCUMENTS).results]


for ask in (voyage, voyage_refused, infinity, mixedbread, mixedbread_ai, xinference, zeroentropy):
    shows(ask)
raise SystemExit(bool(failed))
