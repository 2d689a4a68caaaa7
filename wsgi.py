"""The WSGI application, for servers that want one: `gunicorn wsgi:app`. The clock then runs beside it as `itsm clock`."""

from itsm.app import build, create_app
from itsm.platform.settings import from_environment

app = create_app(build(from_environment()))
