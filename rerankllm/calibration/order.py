"""What two comparisons of the same pair, shown in both orders, mean together."""

TIE = 0.5


def agreement(first_shown_first: float, second_shown_first: float) -> float:
    """The verdict on a pair that was asked both ways.

    Pairwise ranking prompting (Qin et al. 2023, section 3.2): a document wins when it wins in both orders; anything
    else, a preference that follows the order included, is a tie.

    Args:
        first_shown_first: p(the one shown first wins), with the first document first.
        second_shown_first: The same with the second document shown first.

    Returns:
        1.0 when the first document wins, 0.0 when the second does, 0.5 for a tie.
    """
    if first_shown_first > TIE > second_shown_first:
        return 1.0
    if first_shown_first < TIE < second_shown_first:
        return 0.0
    return TIE
