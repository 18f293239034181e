"""Sorts that compare documents by asking."""
