"""Reports: a comparison with its rankings and its calls as one HTML file that opens anywhere, offline."""
