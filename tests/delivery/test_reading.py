"""`config/webhooks.yaml`: what it says, and every fault at its place."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from itsm.delivery import reading
from itsm.platform.settings import PROJECT_ROOT
from itsm.workflow import language
from itsm.workflow.vocabulary import load_vocabulary
from tests.catalog.world import findings as catalogue_findings
from tests.delivery.desk import ITEM
from tests.service import configuration, practices

WHOLE = """\
webhooks:
  directory:
    url: https://automation.example.com/itsm?tenant=7
    secret_env: ITSM_WEBHOOK_DIRECTORY
    timeout: 5
    answer_within: 30 minutes
    tries: 2
  monitoring: {url: "http://localhost:9000/hook", secret_env: MONITORING_SECRET}
"""


def told(text: str) -> list[tuple[str, str]]:
    """Where something is wrong, and what."""
    return [(str(finding.at), finding.code) for finding in reading.load_text(text, "webhooks.yaml")[1]]


def test_a_receiver_is_read_with_all_it_says_and_what_it_leaves_out() -> None:
    found, findings = reading.load_text(WHOLE, "webhooks.yaml")
    assert findings == []
    directory, monitoring = found["directory"], found["monitoring"]
    assert (directory.timeout, directory.answer_within, directory.tries) == (5, timedelta(minutes=30), 2)
    assert (monitoring.timeout, monitoring.answer_within, monitoring.tries) == (10, timedelta(hours=1), 3)
    assert directory.url == "https://automation.example.com/itsm?tenant=7"


def test_the_shipped_file_is_sound_and_so_is_its_example_and_an_absent_file_says_nothing(tmp_path: Path) -> None:
    shipped = PROJECT_ROOT / "config" / "webhooks.yaml"
    assert reading.load_file(shipped) == ({}, [])
    assert reading.load_file(tmp_path / "none.yaml") == ({}, [])
    example = shipped.read_text().partition("# webhooks:")[2].replace("\n# ", "\n")
    found, findings = reading.load_text(f"webhooks:{example}", "webhooks.yaml")
    assert (list(found), findings) == (["directory"], [])


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("url: ftp://example.com", "bad-url"),
        ("url: https://user:word@example.com/", "bad-url"),
        ("url: 'https://example.com/a b'", "bad-url"),
        ("url: 'https://example.com:99999/'", "bad-url"),
        ("url: http://example.com/hook", "plain-http"),
        ("secret_env: whsec_c2VjcmV0", "bad-name"),
        ("timeout: 0", "wrong-type"),
        ("timeout: 61", "too-many"),
        ("answer_within: 2 business days", "bad-duration"),
        ("answer_within: soon", "bad-duration"),
        ("tries: 21", "too-many"),
        ("secret: whsec_c2VjcmV0", "unknown-key"),
        ("plain_http: perhaps", "unknown-word"),
    ],
)
def test_each_fault_is_told_at_its_place(line: str, code: str) -> None:
    keys = {"url": "url: https://example.com/", "secret_env": "secret_env: SECRET", line.split(":")[0]: line}
    text = "webhooks:\n  one:\n" + "".join(f"    {each}\n" for each in keys.values())
    row = list(keys).index(line.split(":")[0]) + 3
    (found,) = told(text)
    assert found[1] == code
    assert found[0].startswith(f"webhooks.yaml:{row}:")


def test_plain_http_is_allowed_where_somebody_says_so() -> None:
    text = "webhooks: {one: {url: http://ten.internal/hook, secret_env: SECRET, plain_http: allowed}}"
    assert told(text) == []


def test_a_workflow_and_a_catalogue_that_name_no_receiver_are_told_so(tmp_path: Path) -> None:
    (tmp_path / "webhooks.yaml").write_text(WHOLE)
    vocabulary, _ = load_vocabulary(tmp_path, PROJECT_ROOT / "workflows")
    assert vocabulary.webhooks == {"directory", "monitoring"}
    source = practices()["task"].source.replace("name: ticket.automation", "name: directry")
    assert source != practices()["task"].source
    _, faults = language.load(source, "task.yaml", configuration().vocabulary)
    assert "unknown-webhook" in [fault.code for fault in faults]
    assert [fault.code for fault in catalogue_findings(ITEM)] == ["unknown-webhook", "unknown-webhook"]


def test_input_is_for_automations_alone() -> None:
    text = ITEM.replace("webhook: directory, group: network, input", "group: network, input").replace(
        "webhook: directory", "group: network"
    )
    assert [fault.code for fault in catalogue_findings(text)] == ["misplaced-key"]
