"""Conformance suites: what every embedder, engine and store must do, for our tests and for third parties'."""
