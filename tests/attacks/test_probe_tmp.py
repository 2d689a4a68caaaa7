import pytest, sqlalchemy as sa
from tests.api.world import Api
SRC = """\
workflow: errand
number: ERR{:07d}
fields:
  priority: {type: choice, choices: [p1, p2], edit: [agent], see: [agent]}
  secretly: {type: text, edit: [agent], see: [agent]}
states:
  new:    {category: new, hidden: [assignee, group]}
  closed: {category: closed}
initial: new
transitions:
  give: [{from: new, to: =, by: [agent], require: [assignee, group]}]
  end: [{from: new, to: closed, by: [assignee], if: "ticket.secretly == 'x'"}]
"""
@pytest.fixture
def api(desk):
    from itsm.tickets import publishing
    from itsm.people.access import SYSTEM, Channel
    with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        print(publishing.publish(tx, SRC, "errand.yaml") if hasattr(publishing,'publish') else dir(publishing))
    return Api(desk)
def test(api):
    a=api("ra1").opens("errand"); b=api("ra1").opens("errand")
    print(api("g1").edits(a,{"fields":{"priority":"p2","secretly":"canary"}}).status, api("g1").edits(b,{"fields":{"priority":"p1"}}).status)
    print(api("g1").fires(a,"give",assignee="g1",group="network").text)
    print(api("ra1").get("/tickets?type=errand&sort=priority&limit=1").text)
    import base64
    c=api("ra1").get("/tickets?type=errand&sort=priority&limit=1").json["next"]
    print(base64.urlsafe_b64decode(c+"="*(-len(c)%4)))
    print("assignee filter", api("ra1").get("/tickets?assignee=g1").numbers, api("ra1").get("/tickets?group=network").numbers)
    print(api("ra1").fires(a,"end").text)
    print(api("ra1").get(f"/tickets/{a}/transitions").text)
    print(api("ra1").get(f"/tickets/{a}/timeline").text)
