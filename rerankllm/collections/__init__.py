"""Judged collections by name: queries, judgements and documents, each read where its own library keeps them.

`rerankllm.collections.catalogue` knows the names; one file a source says where its ids and fields come from. The
libraries that fetch and cache (ir_datasets, datasets) are imported when a collection is opened, never before.
"""
