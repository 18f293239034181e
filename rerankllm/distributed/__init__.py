"""Ranking in many processes and on many machines: Ray Data carries the queries to workers, each with a `Reranker`."""
