r"""Records comparisons behind a worked example, which `record.py` asks without: LLM-RankFusion's demonstrations.

    python eval/judges/demonstrations.py --data ../shared/data/noveleval --every 3 --model … --name qwen2.5-coder-0.5b

The options are those of `record.py`, and so is what happens to a run that is cut. `remedies.py` makes the tables.
"""

import record

PAIRED = 7
"""The first passages of a query, whose pairs are all compared in both orders."""

if __name__ == "__main__":
    record.QUESTIONS = {"demonstrations": (("prp(sort=allpair) / labels(prompt=prp-demos)",), PAIRED)}
    record.main()
