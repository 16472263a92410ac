"""The page's files, as they are sent: modules joined, names hashed, text compressed."""

from .content import Content
from .site import ASSETS, Site, load_site

__all__ = ["ASSETS", "Content", "Site", "load_site"]
