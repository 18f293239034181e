"""Trains a small reranker, the student, on the judgements of a large one, the teacher."""
