"""Reranking APIs as judges of documents."""
