"""What our pages in a browser have in common: colours, type, controls, and how elements are made. Plain files."""
