"""How forms read a source: marshmallow with places, names and mends. Used by every kind of file that people write."""
