"""What goes wrong, is wanted, is looked into and is changed in the demo's company."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Story:
    """A ticket's words, the group it belongs to, and how it ends."""

    title: str
    text: str
    group: str
    solution: str
    service: str | None = None
    question: str = "Could you tell us when it began, and what is on the screen?"
    urgencies: tuple[str, ...] = ("high", "medium", "medium", "low")
    item: str | None = None


@dataclass(frozen=True, slots=True)
class Standard:
    """A change by a model: its title, the group that makes it, and what is changed."""

    model: str
    title: str
    group: str
    service: str
    item: str


INCIDENTS = (
    Story(
        "Screen stays black",
        "Since this morning the second screen shows nothing.",
        "desktop",
        "The cable was loose.",
        "workplace",
    ),
    Story(
        "VPN drops every few minutes",
        "From home the connection breaks about every ten minutes.",
        "network",
        "New client profile installed.",
        "remote-access",
        urgencies=("critical", "high", "medium"),
        item="vpn-gw-1",
    ),
    Story(
        "Printer on the third floor jams", "Every second page is stuck.", "desktop", "Rollers cleaned and replaced.", "printing"
    ),
    Story(
        "Cannot sign in to the ERP",
        "It says that my account is locked.",
        "applications",
        "Account unlocked, password changed by the user.",
        "erp",
        urgencies=("critical", "high"),
    ),
    Story(
        "Mail does not arrive",
        "Mails from our supplier are missing since yesterday.",
        "infrastructure",
        "Released from quarantine; sender allowed.",
        "email",
        item="mail-gateway",
    ),
    Story(
        "Laptop is very slow", "Starting takes ten minutes.", "desktop", "The disk was full; old profiles removed.", "workplace"
    ),
    Story(
        "No sound in meetings",
        "Nobody hears me.",
        "service-desk",
        "The wrong microphone was chosen.",
        "files",
        urgencies=("medium", "low"),
    ),
    Story(
        "Shared drive is gone",
        "Drive P: is not there any more.",
        "infrastructure",
        "The mapping was restored by policy.",
        "files",
    ),
    Story(
        "Wireless is weak in room 2.14",
        "Video calls freeze there.",
        "network",
        "Access point moved and channel changed.",
        "network-access",
        item="wifi-ctl",
    ),
    Story(
        "CRM shows yesterday's figures",
        "The dashboard was not updated overnight.",
        "applications",
        "The nightly load was started again.",
        "crm",
    ),
    Story(
        "Phone does not ring",
        "Calls go straight to the mailbox.",
        "desktop",
        "Forwarding had been switched on.",
        "mobile",
        urgencies=("medium", "low"),
    ),
    Story(
        "Intranet search finds nothing",
        "Any word gives zero results.",
        "applications",
        "The index was rebuilt.",
        "intranet",
        urgencies=("low", "medium"),
    ),
    Story(
        "Suspicious mail with a link",
        "I clicked before I thought.",
        "security",
        "Password reset, device scanned, nothing found.",
        "email",
        urgencies=("critical", "high"),
    ),
)

REQUESTS = (
    Story(
        "Laptop for a new colleague",
        "Starts on the first of next month.",
        "desktop",
        "Handed over and signed for.",
        "workplace",
    ),
    Story("Licence for the drawing program", "Needed for the trade fair.", "desktop", "Licence assigned.", "workplace"),
    Story("Shared mailbox for the project", "Six people need it.", "infrastructure", "Mailbox made, members added.", "email"),
    Story("Access to the sales reports", "Read only is enough.", "applications", "Role granted.", "crm"),
    Story("VPN for a working student", "Until September.", "network", "Account enabled with an end date.", "remote-access"),
    Story("Second screen", "For the office at home.", "desktop", "Delivered.", "workplace"),
)

PROBLEMS = (
    Story(
        "VPN drops since the client update",
        "Fourteen incidents in two weeks.",
        "network",
        "The vendor's fixed client is rolled out.",
        question="The new client renegotiates its keys too often.",
    ),
    Story(
        "Nightly CRM load fails about once a week",
        "Always after the backup ran long.",
        "applications",
        "Load waits for the backup.",
        question="Load and backup want the same lock.",
    ),
    Story(
        "Print server stops on Mondays",
        "Queue is full at eight.",
        "infrastructure",
        "Spooler moved to its own disk.",
        question="The log fills the disk over the weekend.",
    ),
)

CHANGES = (
    Story(
        "Update of the mail gateway",
        "Security fixes of the vendor.",
        "infrastructure",
        "Snapshot, update, test mail both ways.",
        "email",
        item="mail-gateway",
    ),
    Story(
        "New firewall rules for the warehouse",
        "Scanners need to reach the new server.",
        "network",
        "Load the rule set, test with one scanner.",
        "network-access",
        item="fw-1",
    ),
    Story(
        "ERP database to the next minor version",
        "End of support in autumn.",
        "infrastructure",
        "Dump, upgrade, analyse, smoke test.",
        "erp",
        item="erp-db",
    ),
    Story(
        "Replace the core switch in building B",
        "Out of maintenance.",
        "network",
        "Rack, cable, move uplinks one by one.",
        "network-access",
        item="sw-core-2",
    ),
    Story(
        "New release of the CRM",
        "The vendor ends the support of the present one.",
        "applications",
        "Snapshot, install, run the vendor's checks.",
        "crm",
        item="crm-app",
    ),
)

STANDARD = (
    Standard("replace-access-switch", "Replace the access switch on the first floor", "network", "network-access", "sw-ber-1"),
    Standard("replace-access-switch", "Replace the access switch of the plant", "network", "network-access", "sw-muc-1"),
    Standard("renew-certificate", "Renew the certificate of the intranet", "infrastructure", "intranet", "intranet-web"),
    Standard("renew-certificate", "Renew the certificate of the CRM", "infrastructure", "crm", "crm-app"),
)

ASSESSMENTS = (
    {"tested": "fully", "back_out": "minutes", "outage": "nobody", "experience": "often"},
    {"tested": "fully", "back_out": "minutes", "outage": "some", "experience": "once"},
    {"tested": "partly", "back_out": "hours", "outage": "some", "experience": "once"},
)
"""Answers to the questions about risk."""

AFTERMATH = Story(
    "Nothing is the same since the maintenance last night",
    "What worked yesterday does not work today.",
    "service-desk",
    "The change was taken back in part.",
)
"""What a change brings about now and then."""

STILL_WAITING = Story("No network in one building", "All sockets are dead.", "network", "", "network-access")
ALREADY_LATE = Story("Nobody can reach the ERP from outside", "The tunnel to the data centre is down.", "network", "", "erp")
NEARLY_LATE = Story("Wireless is gone in the warehouse", "Scanners cannot book anything.", "network", "", "network-access")
JUST_REPORTED = Story("Mail is refused by everybody", "Every mail comes back at once.", "network", "", "email")
"""What is under way when the demo begins."""
