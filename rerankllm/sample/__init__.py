"""A small judged sample collection: queries, corpus, qrels and a BM25 first-stage run."""
