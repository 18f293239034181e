"""Rerankers as the parts that frameworks take: one file for each framework, which alone imports it."""
