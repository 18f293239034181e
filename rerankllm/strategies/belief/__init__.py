"""What answers say about how relevant documents are, and what to ask next."""
