"""Where options come from when they are not typed: files and environment variables."""
