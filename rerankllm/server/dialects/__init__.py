"""One file a wire dialect: its requests, its responses, and how it says that something went wrong."""
