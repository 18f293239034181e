"""Swiss pairing: who meets whom in the next round."""

from collections.abc import Sequence

from rerankllm.plan import Bound

Game = tuple[int, int]


def swiss_pairs(standing: Sequence[int], met: Sequence[set[int]]) -> list[Game]:
    """Pairs neighbours in the standing that have not met.

    From the top, each takes the nearest below it. Two who are left over and have met change partners with a pair that
    allows it. Where the number is odd, the one left over plays the nearest it has not met, who so plays twice: nobody
    is left unread.

    Args:
        standing: Items, best first.
        met: For each item, those it has met.
    """
    games: list[Game] = []
    alone: list[int] = []
    waiting = list(standing)
    while waiting:
        item = waiting.pop(0)
        partner = next((other for other in waiting if other not in met[item]), None)
        if partner is None:
            alone.append(item)
        else:
            waiting.remove(partner)
            games.append((item, partner))
    while len(alone) > 1:
        second, first = alone.pop(), alone.pop()
        _exchange(first, second, games, met)
    place = {item: i for i, item in enumerate(standing)}
    for item in alone:
        playing = [other for game in games for other in game if other not in met[item]]
        if playing:
            games.append((min(playing, key=lambda other: abs(place[other] - place[item])), item))
    return games


def _exchange(first: int, second: int, games: list[Game], met: Sequence[set[int]]) -> None:
    """Splits the lowest pair of which one can play `first` and the other `second`; else both sit out."""
    for i in reversed(range(len(games))):
        for one, other in (games[i], games[i][::-1]):
            if one not in met[first] and other not in met[second]:
                games[i] = (one, first)
                games.append((other, second))
                return


def swiss_cost(n: int, rounds: int) -> tuple[Bound, Bound]:
    """Rounds played and games, in that order.

    Everybody can be paired as long as two items together have met fewer than n; an item plays once a round, or up to
    twice where n is odd. After that the games run out one by one.
    """
    certain = min(rounds, (n // 2 if n % 2 == 0 else (n + 3) // 4) if n > 1 else 0)
    every_pair, a_round = n * (n - 1) // 2, -(-n // 2)
    games = Bound(certain * a_round, min(rounds * a_round, every_pair))
    return Bound(certain, min(rounds, every_pair)), games
