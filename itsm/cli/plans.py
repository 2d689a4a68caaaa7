"""The changes that are planned, under way or just over when the demo begins. Data, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Plan:
    """What somebody wants to change, and the fields with which it is submitted."""

    who: str
    group: str
    title: str
    text: str
    service: str
    item: str
    fields: Mapping[str, str] = field(default_factory=dict)
    type: str = "normal"


def _plan(why: str, how: str, test: str, back: str) -> Mapping[str, str]:
    return {"justification": why, "implementation_plan": how, "test_plan": test, "backout_plan": back}


PLANS: Mapping[str, Plan] = {
    "gateway": Plan(
        "noor",
        "network",
        "New software for the VPN gateway",
        "The version in use is supported until the end of the quarter.",
        "remote-access",
        "vpn-gw-1",
        _plan(
            "Support ends with the quarter.",
            "Save the configuration, load the new software, restart.",
            "Sign in from outside; all tunnels to partners are up.",
            "Start the former software, which stays on the device.",
        ),
    ),
    "archive": Plan(
        "ivan",
        "infrastructure",
        "Move the mail archive to the second data centre",
        "The storage in Frankfurt is four fifths full.",
        "email",
        "mail-cluster",
    ),
    "crm": Plan(
        "ivan",
        "applications",
        "New release of the CRM",
        "Sales waits for the offers by e-mail that it brings.",
        "crm",
        "crm-app",
        _plan(
            "Offers by e-mail, and the vendor's support.",
            "Snapshot, install, run the vendor's checks.",
            "Sales writes three offers in the test system first, then here.",
            "Restore the snapshot; what was entered meanwhile is entered again.",
        ),
    ),
    "core switch": Plan(
        "noor",
        "network",
        "New software for core switch 1",
        "A fault in the present one restarts the device about once a year.",
        "network-access",
        "sw-core-1",
        _plan(
            "The restart in spring cost an hour of production.",
            "Move all uplinks to core switch 2, load the software, restart, move them back.",
            "Every site is reachable; no port has errors.",
            "Core switch 2 carries everything until the former software runs again.",
        ),
    ),
    "directory": Plan(
        "ivan",
        "infrastructure",
        "Directory server 2 on a new machine",
        "The present machine is out of maintenance.",
        "accounts",
        "ad-2",
        _plan(
            "The machine is out of maintenance.",
            "Add the new server, let it replicate, remove the old one.",
            "Sign in while directory server 1 is switched off.",
            "The old machine stays in its rack for two weeks.",
        ),
    ),
    "intranet": Plan(
        "ivan",
        "applications",
        "New search for the intranet",
        "The present one finds too little.",
        "intranet",
        "intranet-web",
        _plan("Complaints.", "Install and build the index.", "Twenty known pages are found.", "Switch the old search on."),
    ),
    "storage": Plan(
        "noor",
        "infrastructure",
        "New firmware for the storage array",
        "Mends a fault that can lose writes when both controllers fail over.",
        "hosting",
        "san-1",
        _plan(
            "The vendor advises it strongly.",
            "One controller after the other; the cluster goes on running.",
            "Both controllers report the new version; the mirror is in step.",
            "The former firmware is kept in the second bank.",
        ),
    ),
    "database": Plan(
        "ivan",
        "infrastructure",
        "ERP database to the next minor version",
        "Security fixes.",
        "erp",
        "erp-db",
        _plan(
            "Two of the faults that it mends can be used from the network.",
            "Dump, upgrade, analyse.",
            "Post an invoice and a delivery in the test client.",
            "Load the dump into the former version: ninety minutes.",
        ),
    ),
    "wireless": Plan(
        "noor",
        "network",
        "New channels for the wireless network in the plant",
        "The scanners of the new warehouse are disturbed.",
        "network-access",
        "wifi-ctl",
        _plan(
            "Scanners lose their connection twice a shift.",
            "Load the new channel plan into the controller.",
            "Walk through the warehouse with two scanners.",
            "Load the former plan.",
        ),
    ),
    "backup": Plan(
        "ivan",
        "infrastructure",
        "Backup server to a new version",
        "The agents of the new servers need it.",
        "backup",
        "backup-srv",
        _plan(
            "Three servers are saved by hand until then.",
            "Stop the jobs, install, start the jobs.",
            "Save and restore one file of each kind of server.",
            "Install the former version; its catalogue is saved.",
        ),
    ),
}

WORM = Plan(
    "ivan",
    "infrastructure",
    "Block attachments with macros at the mail gateway",
    "A worm spreads by mail; two colleagues have opened it.",
    "email",
    "mail-gateway",
    {"justification": "An attack is under way.", "backout_plan": "Take the rule out again; held mails are released."},
    "emergency",
)
