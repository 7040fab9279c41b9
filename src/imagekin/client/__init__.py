"""Collections on a server, spoken to over HTTP."""

from imagekin.client.collection import Client

__all__ = ["Client"]
