"""How strategies ask: pairs, groups, lists, and several strategies over one pool of answers."""
