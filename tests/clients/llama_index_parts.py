# install: llama-index-core llama-index-postprocessor-cohere-rerank llama-index-postprocessor-jinaai-rerank llama-index-postprocessor-tei-rerank llama-index-postprocessor-siliconflow-rerank llama-index-postprocessor-xinference-rerank llama-index-postprocessor-voyageai-rerank llama-index-postprocessor-nvidia-rerank
# older: llama-index-core<0.13 llama-index-postprocessor-cohere-rerank llama-index-postprocessor-jinaai-rerank llama-index-postprocessor-siliconflow-rerank llama-index-postprocessor-xinference-rerank llama-index-postprocessor-voyageai-rerank
"""LlamaIndex's postprocessors.

Of the older ones, TEI's takes scores in the order of the answer and ignores their index, so that it shows a wrong order of
every server that answers best first, TEI itself too; and NVIDIA's posts to the base URL as it is. They are left out.
"""

import os

from llama_index.core.schema import NodeWithScore, TextNode

BASE = os.environ["BASE"]
TEXTS = ["Dogs bark at strangers.", "A flea lives for two or three months."]
QUERY = "how long do fleas live"
failed = []


def shows(name, make):
    nodes = [NodeWithScore(node=TextNode(text=text), score=0.5) for text in TEXTS]
    try:
        found = [node.node.text for node in make().postprocess_nodes(nodes, query_str=QUERY)]
    except ModuleNotFoundError as error:
        print(f"{name}: left out, no {error.name}")
        return
    except Exception as error:
        failed.append(name)
        print(f"{name}: {type(error).__name__}: {str(error)[:300]}")
        return
    print(f"{name}: {'ok' if found == [TEXTS[1], TEXTS[0]] else found}")
    if found != [TEXTS[1], TEXTS[0]]:
        failed.append(name)


def cohere():
    from llama_index.postprocessor.cohere_rerank import CohereRerank

    return CohereRerank(api_key="any", model="default", base_url=BASE, top_n=2)


def jina():
    from llama_index.postprocessor.jinaai_rerank import JinaRerank

    return JinaRerank(api_key="any", model="default", base_url=f"{BASE}/v1", top_n=2)


def tei():
    from llama_index.postprocessor.tei_rerank import TextEmbeddingInference

    return TextEmbeddingInference(model_name="default", base_url=BASE, top_n=2)


def siliconflow():
    from llama_index.postprocessor.siliconflow_rerank import SiliconFlowRerank

    return SiliconFlowRerank(model="default", base_url=f"{BASE}/v1/rerank", api_key="any", top_n=2)


def xinference():
    from llama_index.postprocessor.xinference_rerank import XinferenceRerank

    return XinferenceRerank(model="default", base_url=BASE, top_n=2)


def nvidia():
    from llama_index.postprocessor.nvidia_rerank import NVIDIARerank

    return NVIDIARerank(model="default", base_url=f"{BASE}/v1", api_key="any", top_n=2)


for make in (cohere, jina, tei, siliconflow, xinference, nvidia):
    shows(make.__name__, make)
raise SystemExit(bool(failed))
