"""Bundles for tests, beside the small shop: a starter's kit, and one kit within another."""

from __future__ import annotations

from typing import Final

from tests.catalog.world import SHOP

KITS: Final = (
    SHOP
    + """\
  badge:
    title: A badge
    category: people
    service: workplace
    deliver: 1 business day
    calendar: office-hours
    price: {once: 12.50}
    form:
      name: {type: text, require: true}
      photo: {type: file}
    tasks:
      print: {title: "= 'Print the badge of ' + answers.name", group: desktop}
  starter:
    title: Everything for a beginner
    category: people
    service: workplace
    approval: none
    ticket_title: "= 'Starter: ' + answers.who"
    form:
      who: {type: text, max: 50, require: true}
      strong: {type: boolean}
      starts: {type: date}
      badge: {type: boolean, prefill: true}
    items:
      badge: {answers: {name: = answers.who}, if: answers.badge != false, if_refused: go_on}
      laptop:
        title: "= 'Laptop of ' + answers.who"
        after: badge
        answers:
          kind: "= answers.strong == true ? 'power' : 'office'"
          model: "= answers.strong == true ? 'strong' : 'light'"
          why: "= answers.strong == true ? 'CAD' : ''"
          address: "= 'Room of ' + answers.who"
          until: = answers.starts
      extra: {item: acme-only, if: answers.strong == true, after: laptop}
    tasks:
      desk: {title: "= 'Prepare the desk of ' + answers.who", group: desktop}
      welcome: {title: "= 'Welcome ' + answers.who", group: desktop, after: [laptop, extra, desk]}
  team:
    title: A place in the team
    category: people
    service: workplace
    approval: none
    form:
      name: {type: text, require: true}
    items:
      starter: {answers: {who: = answers.name, badge: false}}
      badge: {answers: {name: = answers.name}, after: starter}
"""
)
"""`starter` is a badge, then a laptop, then perhaps an extra, and tasks; `team` is a starter without a badge, then a badge."""
