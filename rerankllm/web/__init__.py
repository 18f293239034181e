"""What the report and the server's page share: colours, type, controls, and the making of elements."""
