"""Questions about runs and judges. The questions do not import one another."""
