"""Other desks' own tests of working time (OTOBO, Znuny, RT, biz), as far as our rules say the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from itsm.worktime.cases import evaluate

VECTORS = Path(__file__).parents[3] / "shared" / "data" / "time" / "business_time_vectors.json"

if not VECTORS.exists():
    pytest.skip(f"the published vectors are not beside the project ({VECTORS})", allow_module_level=True)

ANSWERED = [case for group in evaluate(json.loads(VECTORS.read_text())) for case in group["cases"]]  # type: ignore[attr-defined]
ZERO_OR_NEGATIVE = "adding nothing gives the instant itself, and a negative length is mirrored (rule 3)"


def other_rules(case: dict[str, object]) -> str | None:
    """Why a case is decided otherwise here, though its desk is sure of itself."""
    length = case.get("duration_s")
    return ZERO_OR_NEGATIVE if isinstance(length, int | float) and length <= 0 and case["kind"] in ("add", "sub") else None


def expected(case: dict[str, object]) -> object:
    return None if case.get("expect_error") else case.get("expect", case.get("expect_local"))


@pytest.mark.parametrize("case", [case for case in ANSWERED if not case["ambiguous"] and not other_rules(case)], ids=str)
def test_what_other_desks_agree_on_is_reckoned_alike(case: dict[str, object]) -> None:
    assert case["result"] == expected(case)


def test_nothing_but_lengths_of_zero_and_less_is_left_out_of_the_unambiguous_cases() -> None:
    left_out = [case for case in ANSWERED if not case["ambiguous"] and other_rules(case)]
    assert [case["result"] for case in left_out if case["duration_s"] == 0] == [
        case["start"] for case in left_out if case["duration_s"] == 0
    ]
    assert len(left_out) == 7  # five of them expect the next opening or last closing, or an error, for a length of zero


@pytest.mark.parametrize("case", [case for case in ANSWERED if case["ambiguous"]], ids=str)
def test_where_desks_differ_our_rules_decide(case: dict[str, object]) -> None:
    by_our_rules = {
        ("elapsed", "2015-12-28T16:10:14Z"): -205_199,  # rule 2: negative towards the past
        ("elapsed", "2006-01-08T00:00:00Z"): -142_200,
        ("add", "2006-01-01T00:00:00Z"): "2006-01-08T12:00:00Z",  # rule 3: due at closing time, not at the next opening
    }
    assert case["result"] == by_our_rules[str(case["kind"]), str(case["start"])]
