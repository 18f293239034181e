# install: cohere
# older: cohere==5.13.12
"""Cohere's SDK, both versions of the API, and its exceptions."""

import os

import cohere

BASE = os.environ["BASE"]
DOCUMENTS = ["Dogs bark at strangers.", "A flea lives for two or three months."]
QUERY = "how long do fleas live"


def more(priority):
    """The field by another way: older versions have no argument for it."""
    return {"additional_body_parameters": {"priority": priority}}


two = cohere.ClientV2("any", base_url=BASE)
answer = two.rerank(
    model="default", query=QUERY, documents=DOCUMENTS, top_n=1, max_tokens_per_doc=4096, request_options=more(0)
)
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
for name, refused, asked in (
    ("no documents", cohere.BadRequestError, {"documents": []}),
    ("priority=3", cohere.BadRequestError, {"documents": DOCUMENTS, "request_options": more(3)}),
):
    try:
        two.rerank(model="default", query=QUERY, **asked)
    except refused as error:
        print(f"{name}: {type(error).__name__}: {error.body['message']}")
    else:
        raise SystemExit(f"{name} was not refused")
