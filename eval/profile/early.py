r"""What `active` gains where the first half's answers set its trust, and how it compares with `sliding`.

    python eval/profile/early.py --data FOLDER      # two minutes; writes eval/profile/early.md

FOLDER has dl19-bm25, with run.txt, queries.tsv, corpus.jsonl and qrels.txt. Half of the queries are ranked by `active`
as it comes, through a journal; `judge-profile` reads the journal, without grades and with them; and the other half is
ranked with the profile. Then the halves change places, so that every query is measured.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from run import Array, Collection, fits, row

from rerankllm.calibration.judge_profile import JudgeProfile

sys.path.insert(0, str(Path(__file__).parents[1]))
from made import made_by

WORLDS = ("mild", "harsh", "fitted")
BASE, SLIDING = "active(slots=180)", "sliding(window=20, stride=10)"


def halves(folder: Path) -> tuple[Collection, Collection]:
    """Every second query, and the others."""
    one, other = Collection(folder), Collection(folder)
    ids = sorted(one.run)
    one.run, other.run = ({query_id: one.run[query_id] for query_id in part} for part in (ids[::2], ids[1::2]))
    return one, other


def settings(profiles: tuple[JudgeProfile, JudgeProfile]) -> Mapping[str, str]:
    """What is compared."""
    without, using = profiles

    def active(profile: JudgeProfile) -> str:
        return profile.spec.replace("active(", "active(slots=180, ")

    return {
        "`sliding`": SLIDING,
        "`active`": BASE,
        "`active`, profile without grades": active(without),
        "`active`, profile with grades": active(using),
        "`active(trust=1)`": "active(slots=180, trust=1)",
    }


def measured(folder: Path, judge: str, model: str) -> list[str]:
    """The rows of a judge."""
    found: dict[str, list[Array]] = {}
    said: dict[str, list[str]] = {}
    for fitted, held_out in (halves(folder), tuple(reversed(halves(folder)))):
        profiles = fits(fitted, fitted.answers(BASE, model))
        for name, spec in settings(profiles).items():
            found.setdefault(name, []).append(held_out.quality(held_out.ranked(spec, model)))
        for name, profile in zip(list(settings(profiles))[2:4], profiles, strict=True):
            said.setdefault(name, []).append(f"{profile.trust.value:g}, {profile.scale.value:g}")
    values = {name: np.concatenate(parts) for name, parts in found.items()}
    rows = []
    for name, value in values.items():
        gap = value - values["`active`"]
        half = 1.96 * gap.std(ddof=1) / len(gap) ** 0.5
        by = "" if name == "`active`" else f"{gap.mean():+.3f} ± {half:.3f}"
        rows.append(row(judge, name, "; ".join(said.get(name, ())), f"{value.mean():.3f}", by))
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Measures and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    folder = parser.parse_args().data / "dl19-bm25"
    qrels = folder / "qrels.txt"
    judges = {"no errors": f"oracle:{qrels}"} | {w: f"simulated:{qrels}?world={w}&seed=0" for w in WORLDS}
    lines = [line for judge, model in judges.items() for line in measured(folder, judge, model)]
    text = f"""# Early answers set trust

{made_by("profile/early.py", "numpy", "scipy", "ir-measures", seeds=[0])}
TREC DL 2019, 43 queries, simulated judges: each half is ranked with the profile that the other half's answers gave.
Trust and scale are those of the two halves. The difference is paired, from `active` as it comes.

{row("judge", "what ranks", "trust, scale", "nDCG@10", "difference")}
{row(*["---"] * 5)}
{chr(10).join(lines)}
"""
    (Path(__file__).parent / "early.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
