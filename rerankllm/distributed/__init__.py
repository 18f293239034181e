"""Many processes, on as many machines: Ray Data carries the queries, each of its workers has an engine and a driver."""
