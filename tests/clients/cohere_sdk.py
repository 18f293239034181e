# install: cohere
# older: cohere==5.13.12
"""Cohere's SDK, both versions of the API, and its exceptions."""

import os

import cohere

BASE = os.environ["BASE"]
DOCUMENTS = ["Dogs bark at strangers.", "A flea lives for two or three months."]
QUERY = "how long do fleas live"

two = cohere.ClientV2("any", base_url=BASE)
answer = two.rerank(model="default", query=QUERY, documents=DOCUMENTS, top_n=1, max_tokens_per_doc=4096, priority=0)
assert [each.index for each in answer.results] == [1], answer
print("v2: index", answer.results[0].index, "units", answer.meta.billed_units.search_units)
one = cohere.Client("any", base_url=BASE)
answer = one.rerank(
    model="default", query=QUERY, documents=[{"text": each} for each in DOCUMENTS], return_documents=True
)
assert [each.index for each in answer.results] == [1, 0], answer
assert answer.results[0].document.text == DOCUMENTS[1]
assert answer.meta.api_version.version == "1"
print("v1: index", answer.results[0].index, "api version", answer.meta.api_version.version)
for name, refused, more in (
    ("no documents", cohere.BadRequestError, {"documents": []}),
    ("priority=3", cohere.BadRequestError, {"documents": DOCUMENTS, "priority": 3}),
):
    try:
        two.rerank(model="default", query=QUERY, **more)
    except refused as error:
        print(f"{name}: {type(error).__name__}: {error.body['message']}")
    else:
        raise SystemExit(f"{name} was not refused")
