"""Whether a ranking depends on the order in which the candidates came."""
