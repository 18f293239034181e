"""The files rerankllm reads and writes: TREC runs, qrels and topics, BEIR folders, Castorini JSONL.

The field's own names, `qid`, `docno`, `docid`, are spoken in here only: whatever leaves this package says
`query_id` and `doc_id`, both always strings. A file that cannot be used is an `InputError` of one line: which
file, which line, what was expected there and what was found.
"""
