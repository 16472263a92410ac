"""What floods from one address cost the server, and its other clients.

Each flood has a process of its own, which sends from an address of its own. Meanwhile
another client counts how long its messages and requests take.
"""
