"""Delivery: what leaves the house for other programs by signed HTTP, and what they answer. docs/webhooks.md describes it."""
