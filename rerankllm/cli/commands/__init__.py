"""One command a file: read the options, call the library, print."""
