"""Language models over a data channel: the application for channels called "chat"."""

from .application import Chat

__all__ = ["Chat"]
