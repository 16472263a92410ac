"""The page's files, as they are sent: modules joined, names hashed, text compressed."""

from .bundle import ASSETS
from .content import Content
from .site import Site, load_site

__all__ = ["ASSETS", "Content", "Site", "load_site"]
