"""Proposals: pictures without a tag that look like those with it, each with the confidence that it deserves the tag."""

from imagekin.proposals.proposing import Proposal, Proposals, propose

__all__ = ["Proposal", "Proposals", "propose"]
