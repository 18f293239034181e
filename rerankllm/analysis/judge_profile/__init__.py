"""What a judge's recorded answers say about its errors."""
