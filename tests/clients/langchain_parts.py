# install: langchain-cohere langchain-community langchain-nvidia-ai-endpoints infinity-client
"""LangChain's compressors for Cohere, Jina, NVIDIA and Infinity."""

import os
import warnings

warnings.simplefilter("ignore")
from langchain_core.documents import Document

BASE = os.environ["BASE"]
DOCUMENTS = [Document("Dogs bark at strangers."), Document("A flea lives for two or three months.")]
QUERY = "how long do fleas live"


def shows(name, compressor):
    found = compressor.compress_documents(DOCUMENTS, QUERY)
    assert [each.page_content for each in found] == [DOCUMENTS[1].page_content, DOCUMENTS[0].page_content], found
    print(f"{name}: ok, {found[0].metadata['relevance_score']:.3f}")


from langchain_cohere import CohereRerank

shows("CohereRerank", CohereRerank(model="default", base_url=BASE, cohere_api_key="any", top_n=2))
from langchain_nvidia_ai_endpoints import NVIDIARerank

shows("NVIDIARerank", NVIDIARerank(model="default", base_url=f"{BASE}/v1", api_key="any", top_n=2))
from langchain_community.document_compressors import JinaRerank
from langchain_community.document_compressors.infinity_rerank import InfinityRerank

jina = JinaRerank(model="default", jina_api_key="any", top_n=2)
import langchain_community.document_compressors.jina_rerank as module

module.JINA_API_URL = f"{BASE}/v1/rerank"
shows("JinaRerank", jina)
from infinity_client import Client

shows("InfinityRerank", InfinityRerank(client=Client(base_url=BASE), model="default", top_n=2))
