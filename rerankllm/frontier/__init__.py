"""What strategies gave for what they cost, as eval/frontier measured it, and which of them to choose for a budget."""
