"""Cures as changes of the user's own lines: what may be offered for a finding, and applying it."""

from slowpath.cure.offer import Offer, offer, offer_of_report, site_of

__all__ = ["Offer", "offer", "offer_of_report", "site_of"]
