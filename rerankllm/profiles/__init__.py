"""What a judge is like: fitted on its answers, kept in a file, and read by `active`."""
