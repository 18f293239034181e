"""How often a judge contradicts itself, and why."""
