"""The portal: for now one page, the desk's pulse — its queues, its life cycles, the way to the API."""

from __future__ import annotations

from flask import Flask

from itsm.portal import pulse
from itsm.tickets.desk import Desk


def create_portal(app: Flask, desk: Desk) -> None:
    """Hang the portal's pages onto the application."""
    app.register_blueprint(pulse.pages(desk))
