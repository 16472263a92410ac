"""Names of environment variables."""

#: What those of the settings and of the commands' options begin with.
ENV_PREFIX = "WHIPBIRD_"
