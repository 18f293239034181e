"""Every completed call, kept once: written, read again, merged, exported."""
