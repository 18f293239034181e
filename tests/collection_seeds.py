"""Small collections in the formats of their sources, put where the libraries keep what they have fetched.

For ir_datasets the archives it downloads, so that its own code unpacks them and builds its stores; for datasets the
repositories' folders (README with configurations, Parquet), prepared by its own builder into its cache.
"""

import gzip
import io
import json
import tarfile
import zipfile
from pathlib import Path

SCIFACT = {
    "s1": ("Vitamin D", "Vitamin D lowers the risk of falls in old age."),
    "s2": ("Coffee", "Coffee drinkers have a lower risk of diabetes."),
    "s3": ("", "Sleep loss raises the risk of diabetes."),
    "s4": ("Bones", "Calcium makes bones strong."),
}
FORUMS = (
    "android", "english", "gaming", "gis", "mathematica", "physics",
    "programmers", "stats", "tex", "unix", "webmasters", "wordpress",
)  # fmt: skip


def tsv(rows):
    return "".join("\t".join(map(str, row)) + "\n" for row in rows)


def beir_zip(path, folders):
    """A BEIR archive; each folder is (documents {id: (title, text)}, queries, qrels by split)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for folder, (documents, queries, qrels) in folders.items():
            corpus = [
                {"_id": i, "title": t, "text": x, "metadata": {"url": "", "tags": []}}
                for i, (t, x) in documents.items()
            ]
            asked = [{"_id": i, "text": x, "metadata": {"url": "", "tags": []}} for i, x in queries.items()]
            archive.writestr(f"{folder}/corpus.jsonl", "".join(json.dumps(row) + "\n" for row in corpus))
            archive.writestr(f"{folder}/queries.jsonl", "".join(json.dumps(row) + "\n" for row in asked))
            for split, rows in qrels.items():
                archive.writestr(f"{folder}/qrels/{split}.tsv", tsv([("query-id", "corpus-id", "score"), *rows]))


def seed_ir_datasets(home):
    beir_zip(home / "beir/scifact/source.zip", {"scifact": (
        SCIFACT,
        {"1": "risk of diabetes", "2": "strong bones", "3": "only in training"},
        {"test": [("1", "s2", 1), ("1", "s3", 1), ("2", "s4", 1)], "train": [("3", "s1", 1)]},
    )})  # fmt: skip
    beir_zip(home / "beir/arguana/source.zip", {"arguana": (
        {"a": ("Zoos", "zoos are prisons for animals"), "b": ("Zoos", "zoos save animals that would be lost"),
         "c": ("Tax", "taxes pay for roads")},
        {"a": "zoos are prisons for animals"},
        {"test": [("a", "b", 1)]},
    )})  # fmt: skip
    beir_zip(home / "beir/cqadupstack/source.zip", {f"cqadupstack/{forum}": (
        {"1": ("apple", f"about {forum} apples"), "2": ("pear", "about pears")},
        {"1": "apple", "9": "pear"} if forum == "android" else {"1": "apple"},
        {"test": [("1", "2", 1), ("9", "2", 1)] if forum == "android" else [("1", "2", 1)]},
    ) for forum in FORUMS})  # fmt: skip
    first = home / "msmarco-passage"
    (first / "trec-dl-2019").mkdir(parents=True)
    passages = [("7", "fleas live a hundred days"), ("8", "a flea is an insect"), ("9", "dogs bark")]
    with tarfile.open(first / "collectionandqueries.tar.gz", "w:gz") as archive:
        add(archive, "collection.tsv", tsv(passages).encode())
    (first / "trec-dl-2019/queries.tsv").write_text(tsv([("264014", "how long is life cycle of flea"), ("5", "x")]))
    (first / "trec-dl-2019/qrels").write_text("264014 0 7 3\n264014 0 8 1\n264014 0 9 0\n")
    second = home / "msmarco-passage-v2"
    (second / "trec-dl-2022").mkdir(parents=True)
    lines, offset = [], 0
    for text in ("fleas live a hundred days", "dogs bark"):
        fields = {"pid": f"msmarco_passage_00_{offset}", "passage": text, "spans": "(0,1)", "docid": "d"}
        lines.append(json.dumps(fields) + "\n")
        offset += len(lines[-1])
    with tarfile.open(second / "msmarco_v2_passage.tar", "w") as archive:
        add(archive, "msmarco_v2_passage/msmarco_passage_00.gz", gzip.compress("".join(lines).encode()))
    (second / "trec-dl-2022/queries.tsv").write_text(tsv([("2000511", "flea life")]))
    (second / "trec-dl-2022/qrels.withDupes.txt").write_text("2000511 0 msmarco_passage_00_0 2\n")
    seed_other_languages(home)


def seed_other_languages(home):
    """MIRACL in Yoruba and NeuCLIR in Persian, as their hosts have them."""
    miracl = home / "miracl/v1.0/yo"
    (miracl / "docs").mkdir(parents=True)
    (miracl / "dev").mkdir()
    passages = [{"docid": f"12#{i}", "title": "Eégbọn", "text": text} for i, text in enumerate(("kòkòrò ni", "ajá"))]
    (miracl / "docs/docs-1.jsonl.gz").write_bytes(gzip.compress(jsonl(passages)))
    (miracl / "dev/topics.tsv").write_text(tsv([("7", "kí ni eégbọn"), ("8", "unjudged")]), encoding="utf-8")
    (miracl / "dev/qrels.tsv").write_text(tsv([("7", "Q0", "12#0", 1), ("7", "Q0", "12#1", 0)]))
    neuclir = home / "neuclir"
    (neuclir / "1/fas").mkdir(parents=True)
    (neuclir / "trec-2022").mkdir()
    page = {"id": "p1", "title": "کک", "text": "کک حشره است", "url": "u", "time": "t", "cc_file": "f"}
    (neuclir / "1/fas/docs.jsonl.gz").write_bytes(gzip.compress(jsonl([page])))
    asked = {"topic_title": "Fleas", "topic_description": "d", "topic_narrative": "n"}
    topics = [{"lang": "eng", "source": "original", **asked}]
    topics += [{"lang": "fas", "source": f"{how} translation", **asked} for how in ("human", "machine")]
    (neuclir / "trec-2022/topics.jsonl").write_bytes(
        jsonl([{"topic_id": "3", "languages_with_qrels": ["fas"], "topics": topics}])
    )
    (neuclir / "trec-2022/qrels").write_text("3 fas p1 3\n3 zho p2 1\n")
    (neuclir / "trec-2023").mkdir()
    topics = [{"lang": "eng", "source": "original", **asked}]
    topics += [{"lang": code, "source": "machine translation", **asked} for code in ("fas", "rus", "zho")]
    (neuclir / "trec-2023/topics.jsonl").write_bytes(
        jsonl([{"topic_id": name, "languages_with_qrels": [], "topics": topics} for name in ("200", "201")])
    )
    with tarfile.open(neuclir / "trec-2023/qrels.tar.gz", "w:gz") as archive:
        add(archive, "qrels.final.gains.fas", b"200 0 p1 3\n200 0 p2 0\n")
        add(archive, "qrels.final.gains.zho", b"201 0 p9 1\n")


def jsonl(rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def add(archive, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


def seed_hub(scratch, cache, repository, configs):
    """One repository of the hub: {config: {split: rows}}, as Parquet behind a README, prepared by datasets itself."""
    import datasets
    import yaml

    organisation, name = repository.split("/")
    folder = scratch / name
    card = []
    for config, splits in configs.items():
        (folder / config).mkdir(parents=True)
        for split, rows in splits.items():
            datasets.Dataset.from_list(rows).to_parquet(folder / config / f"{split}-00000-of-00001.parquet")
        files = [{"split": split, "path": f"{config}/{split}-*"} for split in splits]
        card.append({"config_name": config, "data_files": files})
    (folder / "README.md").write_text(f"---\n{yaml.safe_dump({'configs': card})}---\n")
    for config in configs:
        builder = datasets.load_dataset_builder(str(folder), config, cache_dir=str(scratch / "builders"))
        kept = cache / f"{organisation}___{builder.dataset_name}" / config / "0.0.0" / "0123456789abcdef"
        builder.download_and_prepare(str(kept))


BRIGHT = {
    "documents": {
        "biology": [
            {"id": "moths/light 0.txt", "content": "moths fly to light"},
            {"id": "moths/light_1.txt", "content": "light attracts moths and insects"},
            {"id": "cells/a.txt", "content": "cells divide"},
        ]
    },
    "examples": {
        "biology": [
            {"id": "0", "query": "why do moths come to light", "gold_ids": ["moths/light 0.txt"],
             "excluded_ids": ["moths/light_1.txt"]},
            {"id": "1", "query": "how do cells divide", "gold_ids": ["cells/a.txt"], "excluded_ids": ["N/A"]},
        ]
    },
}  # fmt: skip
NANO = {
    "corpus": {"train": [{"_id": "x", "text": "zoos are prisons"}, {"_id": "y", "text": "zoos save animals"}]},
    "queries": {"train": [{"_id": "x", "text": "zoos are prisons"}, {"_id": "unjudged", "text": "tax"}]},
    "qrels": {"train": [{"query-id": "x", "corpus-id": "y"}]},
}
FRESH_QUERIES = {
    "yolo": {
        "test": [
            {
                "query_id": "7", "query_title": "Train YOLO", "query_text": "how do I train",
                "nuggets": [
                    {"_id": "7_0", "text": "n", "relevant_corpus_ids": ["f/a.py_0"],
                     "non_relevant_corpus_ids": ["f/c.py_0"]},
                    {"_id": "7_1", "text": "n", "relevant_corpus_ids": ["f/a.py_0", "f/b.py_0"],
                     "non_relevant_corpus_ids": ["f/c.py_0"]},
                    {"_id": "7_2", "text": "n", "relevant_corpus_ids": ["f/d.py_0"],
                     "non_relevant_corpus_ids": []},
                    {"_id": "7_3", "text": "n", "relevant_corpus_ids": [], "non_relevant_corpus_ids": ["f/c.py_0"]},
                ],
            }
        ]
    }
}  # fmt: skip
FRESH_CORPUS = {
    "yolo": {"train": [{"_id": f"f/{name}.py_0", "text": f"train yolo {name}", "title": ""} for name in "abcd"]}
}
R2MED = {
    "corpus": {"corpus": [{"id": "d 1", "text": "Ulcers are treated by antibiotics."}, {"id": "d2", "text": "Rest."}]},
    "query": {"query": [{"id": "1", "text": "A man has pain after meals."}, {"id": "2", "text": "not judged"}]},
    "qrels": {"qrels": [{"q_id": "1", "p_id": "d 1", "score": 1}]},
}
ASKED = [{"id": "1", "text": "wifi is slow"}, {"id": "2", "text": "not judged"}]
ANSWERS = [{"id": "a", "title": "", "text": "slow wireless"}, {"id": "b", "title": "Printers", "text": "no ink"}]
ASKUBUNTU = {
    "corpus": {"test": ANSWERS},
    "queries": {"test": ASKED},
    "qrels": {
        "test": [{"query-id": "1", "corpus-id": "a", "score": 1}, {"query-id": "1", "corpus-id": "b", "score": 0}]
    },
    "top_ranked": {"test": [{"query-id": "1", "corpus-ids": ["b", "a"]}, {"query-id": "2", "corpus-ids": ["a"]}]},
}
WIKIPEDIA = {
    "de-corpus": {"only": [{"_id": "x", "title": "Flöhe", "text": "Flöhe leben drei Monate"}]},
    "de-queries": {"test": [{"_id": "q", "text": "Wie lange leben Flöhe?"}]},
    "de-qrels": {"test": [{"query-id": "q", "corpus-id": "x", "score": 1}]},
    "de-top_ranked": {"test": [{"query-id": "q", "corpus-ids": ["x"]}]},
}


WEBLINX = {
    "corpus": {split: [{"_id": "d1", "title": "", "text": "a button"}] for split in ("test_iid", "test_cat")},
    "queries": {
        "test_iid": [{"_id": "1", "text": "click it"}], "test_cat": [{"_id": "2", "text": "click another"}],
    },
    "default": {
        "test_iid": [{"query-id": "1", "corpus-id": "d1", "score": 1}],
        "test_cat": [{"query-id": "2", "corpus-id": "d1", "score": 1}],
    },
    "top_ranked": {
        "test_iid": [{"query-id": "1", "corpus-ids": ["d1"]}], "test_cat": [{"query-id": "2", "corpus-ids": ["d1"]}],
    },
}  # fmt: skip
MIND = {
    "default": {
        "test": [
            {"query": ["Rates rise", "Banks gain"], "positive": ["Markets fall"], "negative": ["A cat", "A dog"]},
            {"query": ["Nobody clicked"], "positive": [], "negative": ["A cat"]},
            {"query": ["Pets"], "positive": ["A cat", "A dog"], "negative": ["Markets fall", "A dog"]},
        ]
    }
}


def seed_hugging_face(scratch, cache):
    seed_hub(scratch, cache, "mteb/WebLINXCandidatesReranking", WEBLINX)
    seed_hub(scratch, cache, "mteb/MindSmallReranking", MIND)
    seed_hub(scratch, cache, "R2MED/Biology", R2MED)
    seed_hub(scratch, cache, "mteb/AskUbuntuDupQuestions", ASKUBUNTU)
    seed_hub(scratch, cache, "mteb/WikipediaRerankingMultilingual", WIKIPEDIA)
    seed_hub(scratch, cache, "xlangai/BRIGHT", BRIGHT)
    seed_hub(scratch, cache, "zeta-alpha-ai/NanoArguAna", NANO)
    seed_hub(scratch, cache, "freshstack/queries-oct-2024", FRESH_QUERIES)
    seed_hub(scratch, cache, "freshstack/corpus-oct-2024", FRESH_CORPUS)


def seed_t2ranking(cache: Path):
    """Files of a repository in huggingface_hub's cache."""
    commit = "2a369a430a70979223f1b9a41b1919774d46b432"
    folder = cache / "datasets--THUIR--T2Ranking"
    data = folder / "snapshots" / commit / "data"
    data.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(commit)
    (data / "collection.tsv").write_text(
        tsv([("pid", "text"), (0, '"跳蚤能活一百天"左右'), (1, "跳蚤是昆虫"), (2, "狗会叫")]), encoding="utf-8"
    )
    (data / "queries.dev.tsv").write_text(
        tsv([("qid", "text"), (0, "跳蚤能活多久"), (9, "没有标注")]), encoding="utf-8"
    )
    (data / "qrels.dev.tsv").write_text(tsv([("qid", "-", "pid", "rel"), (0, 0, 0, 3), (0, 0, 1, 1), (0, 0, 2, 0)]))


def seed_published(cache: Path):
    """rank_llm's SPLADE++ run of DL 2019, in huggingface_hub's cache."""
    commit = "39db0a25a552dd2a12012df22029686bf7fdc050"
    folder = cache / "datasets--castorini--rank_llm_data"
    data = folder / "snapshots" / commit / "retrieve_results/SPLADE_P_P_ENSEMBLE_DISTIL"
    data.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(commit)
    found = [
        {"docid": doc_id, "score": score, "doc": {"contents": "fleas"}} for doc_id, score in (("8", 12.5), ("7", 11.0))
    ]
    asked = ({"text": "how long is life cycle of flea", "qid": 264014}, {"text": "not judged", "qid": 5})
    (data / "retrieve_results_dl19_top100.jsonl").write_bytes(jsonl([{"query": q, "candidates": found} for q in asked]))


def seed_futurequeryeval(cache: Path):
    """Its three files, in huggingface_hub's cache."""
    commit = "e57e5b2000000000000000000000000000000000"
    folder = cache / "datasets--abdoelsayed--FutureQueryEval"
    data = folder / "snapshots" / commit
    data.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(commit)
    (data / "corpus.tsv").write_text('doc_90eb43ed_0\t"Enough," she said.\ndoc_cd9ed42b_1\tHe won in May.\n')
    (data / "queries.tsv").write_text("query_001\tWho won in May 2025?\n")
    (data / "qrels.txt").write_text("query_001\tQ0\tdoc_90eb43ed_0\t0\nquery_001\tQ0\tdoc_cd9ed42b_1\t2\n")


NOVELEVAL = {
    "corpus.tsv": '0-0\tSpider-Man is a film.\n0-1\t"""The exact number? Oh boy,"" he said."\n',
    "queries.tsv": "0\tHow many Spider-Men are there?\n",
    "qrels.txt": "0 Q0 0-0 0\n0 Q0 0-1 2\n",
}
