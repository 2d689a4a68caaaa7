"""Who is who in the demo's company: people, where they belong, whom they answer to. Data, and nothing else.

Skills and rotas of these people are in `config/assignment.yaml`, the owners of cost centres in `config/cost-centres.yaml`,
their services and devices in `config/demo/services.csv`.
"""

from __future__ import annotations

ROLES = {
    "requester": "mara",
    "other_requester": "olaf",
    "agent": "ines",
    "lead": "lena",
    "approver": "paul",
    "change_manager": "chris",
    "process_owner": "petra",
    "admin": "admin",
}
"""Whom to sign in as, by role."""

ORGANISATIONS = {"acme": "Acme Manufacturing", "globex": "Globex Trading", "internal": "IT"}

STAFF: tuple[tuple[str, str, str, str | None, tuple[str, ...]], ...] = (
    ("mara", "Mara Brandt", "requester", "acme", ()),
    ("nils", "Nils Petersen", "requester", "acme", ()),
    ("tom", "Tom Okafor", "requester", "acme", ()),
    ("yuki", "Yuki Tanaka", "requester", "acme", ()),
    ("nele", "Nele Baumann", "requester", "acme", ()),  # has just begun
    ("olaf", "Olaf Lindqvist", "requester", "globex", ()),
    ("rosa", "Rosa Moreno", "requester", "globex", ()),
    ("gwen", "Gwen Hughes", "requester", "globex", ()),
    ("ines", "Ines Keller", "agent", "internal", ("service-desk", "desktop", "network")),
    ("anna", "Anna Nowak", "agent", "internal", ("service-desk",)),
    ("ben", "Ben Adeyemi", "agent", "internal", ("desktop",)),
    ("noor", "Noor Haddad", "agent", "internal", ("network", "infrastructure")),
    ("emre", "Emre Aydin", "agent", "internal", ("network",)),
    ("ivan", "Ivan Petrov", "agent", "internal", ("applications", "infrastructure", "identity")),
    ("jana", "Jana Novotna", "agent", "internal", ("infrastructure",)),
    ("sara", "Sara Lund", "agent", "internal", ("security",)),
    ("lena", "Lena Vogt", "lead", "internal", ("service-desk", "desktop")),
    ("leo", "Leo Marchetti", "lead", "internal", ("network", "infrastructure")),
    ("paul", "Paul Meyer", "approver", "acme", ()),
    ("pia", "Pia Rossi", "approver", "acme", ()),
    ("hanna", "Hanna Weiss", "approver", "acme", ()),
    ("hugo", "Hugo Martin", "approver", "internal", ()),
    ("chris", "Chris Walker", "change_manager", "internal", ("cab",)),
    ("carla", "Carla Jimenez", "change_manager", "internal", ("cab",)),
    ("petra", "Petra Schulz", "process_owner", "internal", ()),
    ("admin", "Administrator", "admin", "internal", ()),
)
"""Login, name, role, organisation and groups of each."""

LEADS = {"service-desk": "lena", "desktop": "lena", "network": "leo", "infrastructure": "leo"}

CUSTOMERS = ("mara", "nils", "tom", "yuki", "olaf", "rosa")
"""Who reports and orders things."""

ACME_SALES, ACME_PLANT = ("berlin", "Sales", "acme-sales"), ("munich", "Production", "acme-plant")
GLOBEX, IT = ("new-york", "Trading", "globex"), ("berlin", "IT", "it")
DATA_CENTRE = ("frankfurt", "IT operations", "it-operations")

BELONGS: dict[str, tuple[tuple[str, str, str], str | None]] = {
    "mara": (ACME_SALES, "paul"),
    "nils": (ACME_SALES, "paul"),
    "tom": (ACME_PLANT, "pia"),
    "yuki": (("london", "Sales", "acme-sales"), "paul"),
    "nele": (ACME_SALES, "paul"),
    "olaf": (GLOBEX, "rosa"),
    "rosa": (GLOBEX, "gwen"),
    "gwen": (GLOBEX, None),
    "paul": (ACME_SALES, "pia"),
    "pia": (ACME_PLANT, "hanna"),
    "hanna": (ACME_PLANT, None),
    **dict.fromkeys(("noor", "emre", "ivan", "jana"), (DATA_CENTRE, "leo")),
    **dict.fromkeys(("ines", "anna", "ben", "sara"), (IT, "lena")),
    **dict.fromkeys(("lena", "leo", "chris", "carla", "petra", "admin"), (IT, "hugo")),
    "hugo": (IT, None),
}
"""Location, department and cost centre of each, and who manages him."""

PLANS = {"acme": "gold", "globex": "standard", "internal": "standard"}
"""The support plan of each organisation."""
