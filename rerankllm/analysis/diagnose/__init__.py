"""How far a judge can be trusted: what order, place and chance do to its answers."""
